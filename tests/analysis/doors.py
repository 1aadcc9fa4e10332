"""Invocations that a test holds, and what it does meanwhile, while `load` runs in the main thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

HELD = """
import socket

def lambda_handler(event, context):
    if event and "door" in event:
        socket.create_connection(("127.0.0.1", event["door"])).recv(1)
    return event
"""
"""A function whose invocations run until they are let go, when their event says so."""

DEADLINE_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again, for what nothing tells of; not for ever."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s


class Door:
    """At which invocations of HELD stand. `do` is called in a thread when `count` stand there; then all may go."""

    def __init__(self, do: Callable[[], object] = lambda: None, count: int = 1) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.settimeout(DEADLINE_S)
        self.event = {"door": self._listener.getsockname()[1]}
        self._do = do
        self._count = count
        self._thread = threading.Thread(target=self._hold)
        self._failure: BaseException | None = None

    def _hold(self) -> None:
        held: list[socket.socket] = []
        try:
            held += [self._listener.accept()[0] for _ in range(self._count)]
            self._do()
        except BaseException as error:
            self._failure = error
        finally:
            for each in held:
                each.close()

    def __enter__(self) -> Door:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()
        if self._failure is not None:
            raise self._failure
