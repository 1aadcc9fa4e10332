"""Invocations that run until the test lets them go: each waits in its environment for a word over a connection.

Functions see nothing of the test's files and can't reach its Unix sockets, so the gate is a port of the loopback.
"""

from __future__ import annotations

import socket
from concurrent.futures import Future
from typing import Any

import lambdanb

GATED = """
import socket

def lambda_handler(event, context):
    if isinstance(event, dict) and "gate" in event:
        socket.create_connection(("127.0.0.1", event["gate"])).recv(1)
    return event
"""

DEADLINE_S = 20.0


class Gates:
    """Holds invocations of a function whose source is GATED."""

    def __init__(self, function: lambdanb.Function) -> None:
        self.function = function
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._door.settimeout(DEADLINE_S)
        self._event = {"gate": self._door.getsockname()[1]}
        self._held: list[tuple[Future[Any], socket.socket]] = []

    def hold(self, count: int) -> None:
        """Start invocations, and wait until each of them runs and stands at the gate."""
        for _ in range(count):
            future = self.function.submit(self._event)
            self._held.append((future, self._door.accept()[0]))

    def release(self, count: int) -> None:
        """Let the first so many go, and wait for their results."""
        for _ in range(count):
            future, gate = self._held.pop(0)
            gate.send(b"!")
            gate.close()
            assert future.result(DEADLINE_S) == self._event

    def __enter__(self) -> Gates:
        return self

    def __exit__(self, *_: object) -> None:
        for _future, gate in self._held:
            gate.close()
        self._door.close()
