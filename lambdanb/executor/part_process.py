"""A part of the executor that is a process of its own, such as the gateway: started, started again when it dies, and
gone with the executor, however that goes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lambdanb.sandbox.watchdog_start import Watchdog

CANT_BE_KEPT_UP = 69
"""The exit status (sysexits' EX_UNAVAILABLE) of a process that knows that starting it again is of no use."""
_QUICK_S = 2.0
_MOST_QUICK_ENDS = 5
"""One that ends so soon after its start, so often in a row, can't be kept up; its log tells why."""


class PartProcess:
    """`python -m MODULE HOME ARGUMENTS`, which writes to executor.log.

    `secret` is what it reads from its standard input. `orderly_s`: how long it may take to end when it is told to by
    SIGTERM; such a process also looks after its own end when the executor is killed. One without is killed, by the
    watchdog when the executor is gone.
    """

    def __init__(
        self, home: Path, watchdog: Watchdog, module: str, *, secret: bytes = b"", orderly_s: float = 0.0
    ) -> None:
        self._home = home
        self._watchdog = watchdog
        self._module = module
        self._secret = secret
        self._orderly_s = orderly_s
        self._arguments: Sequence[str] = ()
        self._descriptors: Sequence[int] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._quick_ends = 0

    @property
    def up(self) -> bool:
        """Whether it was started, and neither ended here nor given up."""
        return self._process is not None

    def start(self, arguments: Sequence[str], descriptors: Sequence[int] = ()) -> None:
        """Start it; the descriptors are handed over each time."""
        self._arguments, self._descriptors = arguments, descriptors
        self._quick_ends = 0
        self._start()

    def restart_if_dead(self) -> bool:
        """Start it again when it has died (call this on the news of a child's death). False: it is given up."""
        if self._process is None or self._process.poll() is None:
            return True
        self._forget(self._process)
        quick = time.monotonic() - self._started_s < _QUICK_S
        self._quick_ends = self._quick_ends + 1 if quick else 0
        if self._quick_ends == _MOST_QUICK_ENDS or self._process.returncode == CANT_BE_KEPT_UP:
            self._process = None
            return False
        self._start()
        return True

    def close(self) -> None:
        """End it. What it was doing is cut off, as by any end of the executor."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM if self._orderly_s else signal.SIGKILL)
        try:
            process.wait(self._orderly_s or None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget(process)

    def _start(self) -> None:
        self._started_s = time.monotonic()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        with open(reader, "rb") as secret, open(self._home / "executor.log", "ab") as log:
            with open(writer, "wb") as telling:
                telling.write(self._secret)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(self._home), *self._arguments],
                stdin=secret,
                stdout=log,
                stderr=log,
                pass_fds=self._descriptors,
                start_new_session=True,
            )
        if not self._orderly_s:
            self._watchdog.add_process(self._process.pid)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        if not self._orderly_s:
            self._watchdog.remove_process(process.pid)
