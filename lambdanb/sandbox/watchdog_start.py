"""The executor's end of the watchdog: start it, wake it, tell it what to remember, start it again if it dies.

The watchdog is `python -m lambdanb.sandbox.watchdog`, in a session of its own, so that a Ctrl-C or a hang-up of the
notebook's terminal doesn't reach it. It holds three descriptors of the executor's: the shared table (watch_table.py),
an eventfd that wakes it when it is parked, and the reading end of a pipe. The pipe carries rare notes (one JSON object
a line: folders to remove, cgroups to look after), and its end of file is the news that the executor is gone, however it
went.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from lambdanb.sandbox.janitor import identity_of
from lambdanb.sandbox.tree import start_time
from lambdanb.sandbox.watch_table import WatchTable, create_memory


class Watchdog:
    """A running watchdog process, as its executor holds it."""

    def __init__(self, log: Path | None = None) -> None:
        """Start it; returns before it is up, what is stored in the table meanwhile is seen then.

        log: a file that gets what goes wrong in it (appended); None: nowhere.
        """
        self._log = log
        self._memory_fd = create_memory()
        self.table = WatchTable(self._memory_fd)
        self.wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._notes: list[bytes] = []
        self._lifeline = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def _start(self) -> None:
        reader, self._lifeline = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._lifeline, False)
        self.table.ready = False
        self.table.parked = False
        arguments = [self._memory_fd, self.wake_fd, reader]
        roots = [str(Path(__file__).parents[2]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(root for root in roots if root)}
        environment.pop("LAMBDANB_EXECUTOR", None)  # it must not be taken for one of the processes that it sweeps
        # Blocked, and so inherited, because a signal may come before it gets to ignore them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
        try:
            with open(self._log or os.devnull, "ab") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "lambdanb.sandbox.watchdog", *map(str, arguments)],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=arguments,
                    start_new_session=True,
                    env=environment,
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(reader)
        for note in self._notes:
            self._write(note)

    def restart_if_dead(self) -> bool:
        """Start it again when it has died (call this on the news of a child's death); True if it had."""
        if self._process is None or self._process.poll() is None:
            return False
        os.close(self._lifeline)
        self._start()
        return True

    def wake(self) -> None:
        """Have it look at the table now."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self.wake_fd, 1)

    def tell(self, note: dict[str, Any], *, keep: bool = False) -> None:
        """Send a note; with `keep`, a watchdog that has to be started again gets it again."""
        line = json.dumps(note).encode() + b"\n"
        if keep:
            self._notes.append(line)
        self._write(line)

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, BlockingIOError):  # dead or hung: the sweep finds what is left
            os.write(self._lifeline, line)

    def remove_at_end(self, *paths: Path | str) -> None:
        """Files and folders that must not outlive the executor: its socket, its temporary folders."""
        self.tell({"remove_at_end": [(str(path), identity_of(str(path))) for path in paths]}, keep=True)

    def add_process(self, pid: int) -> None:
        """A process that must not outlive the executor: a zygote."""
        started = start_time(pid)
        if started is not None:
            self.table.add_process(pid, started)

    def remove_process(self, pid: int) -> None:
        """It has ended and was waited for."""
        self.table.remove_process(pid)

    def close(self, timeout_s: float = 2.0) -> None:
        """Let it remove what is left, and wait for its end."""
        if self._process is None:
            return
        os.close(self._lifeline)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        os.close(self.wake_fd)
        os.close(self._memory_fd)
        self.table.close()
