"""A process that serves on a listening socket of its executor's: the gateway, the emulator.

The executor binds the socket and hands it over, so that it stays bound when the process is killed: who connects
meanwhile waits in the kernel's backlog for the next one, which is started at once. The first one is started when
somebody first connects, so that a socket whose name was only told costs no process.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lambdanb.executor.loop import Loop
from lambdanb.executor.own_log import tell
from lambdanb.sandbox.watchdog_start import Watchdog

BACKLOG = 512
CANT_BE_KEPT_UP = 69
"""The exit status (sysexits' EX_UNAVAILABLE) of a process that knows that starting it again is of no use."""
_QUICK_S = 2.0
_MOST_QUICK_ENDS = 5
"""A process that ends so soon after its start, so often in a row, can't be kept up; its log tells why."""


class SocketProcess:
    """At most one process of `python -m MODULE HOME DESCRIPTOR`.

    `secret` is what it reads from its standard input. `orderly_s`: how long it may take to end when it is told to by
    SIGTERM; such a process also looks after its own end when the executor is killed. One without is killed, by the
    watchdog when the executor is gone.
    """

    def __init__(
        self,
        loop: Loop,
        watchdog: Watchdog,
        home: Path,
        module: str,
        bind: Callable[[], socket.socket],
        *,
        secret: bytes = b"",
        orderly_s: float = 0.0,
    ) -> None:
        self._loop = loop
        self._watchdog = watchdog
        self._home = home
        self._module = module
        self._bind = bind
        self._secret = secret
        self._orderly_s = orderly_s
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._quick_ends = 0

    def listen(self) -> socket.socket:
        """The socket, bound now if it wasn't. Raises what `bind` raises."""
        if self._socket is None:
            self._socket = self._bind()
            self._quick_ends = 0
            self._loop.watch(self._socket.fileno(), lambda _: self.start())
        return self._socket

    def start(self) -> None:
        """Start it if it doesn't run; `listen` comes first."""
        assert self._socket is not None
        self._loop.forget(self._socket.fileno())
        if self._process is None:
            self._start(self._socket.fileno())

    def restart_if_dead(self) -> None:
        """Start it again when it has died (call this on the news of a child's death)."""
        if self._process is None or self._process.poll() is None:
            return
        self._forget()
        quick = time.monotonic() - self._started_s < _QUICK_S
        self._quick_ends = self._quick_ends + 1 if quick else 0
        hopeless = self._process.returncode == CANT_BE_KEPT_UP or self._quick_ends >= _MOST_QUICK_ENDS
        self._process = None
        if hopeless:
            tell(f"{self._module} can't be kept up, and is closed: what it wrote before this tells why.")
            self._close_socket()
        elif self._socket is not None:
            self._start(self._socket.fileno())

    def close(self) -> None:
        """End it. What it was serving is cut off, as by any end of the executor."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGTERM if self._orderly_s else signal.SIGKILL)
            try:
                process.wait(self._orderly_s or None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._forget()
            self._process = None
        self._close_socket()

    def _start(self, descriptor: int) -> None:
        self._started_s = time.monotonic()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            os.write(writer, self._secret)
            os.close(writer)
            with open(self._home / "executor.log", "ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", self._module, str(self._home), str(descriptor)],
                    stdin=reader,
                    stdout=log,
                    stderr=log,
                    pass_fds=[descriptor],
                    start_new_session=True,
                )
        finally:
            os.close(reader)
        if not self._orderly_s:
            self._watchdog.add_process(self._process.pid)

    def _forget(self) -> None:
        if self._process is not None and not self._orderly_s:
            self._watchdog.remove_process(self._process.pid)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
