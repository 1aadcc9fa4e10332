"""A part of the executor that serves on a listening socket of the executor's: the gateway, the emulator.

The executor binds the socket and hands it over, so that it stays bound when the process is killed: who connects
meanwhile waits in the kernel's backlog for the next one, which is started at once. The first one is started when
somebody first connects, so that a socket whose name was only told costs no process.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from lambdanb.executor.loop import Loop
from lambdanb.executor.own_log import tell
from lambdanb.executor.part_process import PartProcess

BACKLOG = 512


class SocketProcess:
    """At most one process, which is told the socket's descriptor."""

    def __init__(self, loop: Loop, name: str, process: PartProcess, bind: Callable[[], socket.socket]) -> None:
        self._loop = loop
        self._name = name
        self._process = process
        self._bind = bind
        self._socket: socket.socket | None = None

    def listen(self) -> socket.socket:
        """The socket, bound now if it wasn't. Raises what `bind` raises."""
        if self._socket is None:
            self._socket = self._bind()
            self._loop.watch(self._socket.fileno(), lambda _: self.start())
        return self._socket

    def start(self) -> None:
        """Start the process if it doesn't run; `listen` comes first."""
        assert self._socket is not None
        descriptor = self._socket.fileno()
        self._loop.forget(descriptor)
        if not self._process.up:
            self._process.start([str(descriptor)], [descriptor])

    def restart_if_dead(self) -> None:
        """Start it again when it has died; when it is given up, clients are refused (see PartProcess)."""
        if not self._process.restart_if_dead():
            tell(f"{self._name} can't be kept up, and is closed: what it wrote before this tells why.")
            self._close_socket()

    def close(self) -> None:
        """End the process, and close the socket."""
        self._process.close()
        self._close_socket()

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
