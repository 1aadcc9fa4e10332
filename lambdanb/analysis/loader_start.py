"""The notebook's end of the loader: start it, see how far it is, stop it, and be sure that it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lambdanb.analysis.load_table import CHANGED, CHANGED_S, PLANNED, LoadTable, create_memory, table_bytes
from lambdanb.analysis.loader import CHANGE, STOP
from lambdanb.analysis.payloads import write_payloads

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LoaderProcess:
    """A loader at work, from its start; leave the `with` block and it is gone.

    All that it needs is with it before it starts, so that it doesn't matter what the notebook does meanwhile. It is in
    a session of its own: a Ctrl-C of the terminal doesn't reach it.
    """

    def __init__(
        self,
        home: Path,
        request: dict[str, Any],
        due_s: NDArray[Any],
        payloads: Sequence[bytes],
        *,
        seconds: float,
        answers_s: float,
        room: int = 0,
    ) -> None:
        """`room`: for so many requests in all, should the plan change, which it may until `seconds` are over."""
        import numpy as np

        requests = max(room, len(due_s))
        table_fd, payloads_fd = create_memory(table_bytes(requests)), create_memory(0)
        self._errors_fd = create_memory(0)
        try:
            self.table = LoadTable(table_fd, requests)
            np.asarray(self.table.due_s)[: len(due_s)] = due_s
            self.table.head[PLANNED] = len(due_s)
            for column in (self.table.sent_s, self.table.answered_s):
                np.asarray(column)[:] = np.nan
            write_payloads(payloads_fd, payloads)
            plan = {
                "home": str(home),
                "request": request,
                "requests": requests,
                "table_fd": table_fd,
                "payloads_fd": payloads_fd,
                "seconds": seconds,
                "answers_s": answers_s,
                "stay_s": seconds if room else 0.0,
            }
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lambdanb.analysis.loader"],
                env=_environment(),
                pass_fds=[table_fd, payloads_fd],
                stdin=subprocess.PIPE,
                stdout=self._errors_fd,
                stderr=self._errors_fd,
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(table_fd)
            os.close(payloads_fd)
        self._write(json.dumps(plan).encode() + b"\n")

    @property
    def exit_code(self) -> int | None:
        """How the process ended, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, after at most `timeout_s`."""
        if self._process.poll() is not None:
            return True
        poll = select.poll()
        descriptor = os.pidfd_open(self._process.pid)
        try:
            poll.register(descriptor, select.POLLIN)
            poll.poll(timeout_s * 1e3)
        finally:
            os.close(descriptor)
        return self._process.poll() is not None

    def stop(self) -> None:
        """Have it send no more, wait a moment for the answers that are under way, and end."""
        self._write(STOP)

    def change(self, from_s: float, due_s: NDArray[Any]) -> None:
        """From `from_s` on, have it send when these are due, as far as there is room for them."""
        import numpy as np

        count = min(len(due_s), self.table.requests)
        np.asarray(self.table.changed_s)[:count] = due_s[:count]
        self.table.head[CHANGED_S], self.table.head[CHANGED] = from_s, count
        self._write(CHANGE)

    def errors(self) -> str:
        """What it wrote to its standard error."""
        return os.pread(self._errors_fd, 65_536, 0).decode(errors="replace").strip()

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, as `exit_code` tells
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def __enter__(self) -> LoaderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        os.close(self._errors_fd)


def _environment() -> dict[str, str]:
    roots = [str(Path(__file__).parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(root for root in roots if root)}
