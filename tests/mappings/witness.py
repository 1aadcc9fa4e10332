"""A function whose every invocation asks the test what to do: it sends its event over a connection, and waits.

Functions can't reach the test's files or Unix sockets, so the witness is a port of the loopback.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import lambdanb

DEADLINE_S = 60.0

SOURCE = """
import json, os, socket

def lambda_handler(event, context):
    with socket.create_connection(("127.0.0.1", int(os.environ["WITNESS"]))) as wire:
        wire.sendall(json.dumps({"function": context.function_name, "event": event}).encode() + b"\\n")
        answer = json.loads(wire.makefile("rb").readline())
    if "raise" in answer:
        raise ValueError(answer["raise"])
    return answer.get("return")
"""

Event = dict[str, Any]


class Witness:
    """Sees the events of functions that `deploy` makes. `decide(event)` gives {"return": ...} or {"raise": ...}; it may
    block, and the invocation with it."""

    def __init__(self) -> None:
        self.decide: Callable[[Event], dict[str, Any]] = lambda event: {}
        self.events: list[tuple[str, Event]] = []
        self._changed = threading.Condition()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1000)
        threading.Thread(target=self._accept, daemon=True).start()

    def deploy(self, name: str, **settings: Any) -> lambdanb.Function:
        """A function that asks."""
        port = str(self._door.getsockname()[1])
        return lambdanb.deploy(name, SOURCE, timeout=30, environment={"WITNESS": port}, **settings)

    def records(self, name: str) -> list[Event]:
        """All records that a function was given, in the order of its invocations."""
        return [record for function, event in list(self.events) if function == name for record in event["Records"]]

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until that is so, after some invocation."""
        with self._changed:
            assert self._changed.wait_for(happened, DEADLINE_S), self.events[-3:]

    def close(self) -> None:
        self._door.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError, ValueError):  # of an invocation that was killed
            told = json.loads(wire.makefile("rb").readline())
            with self._changed:
                self.events.append((told["function"], told["event"]))
                self._changed.notify_all()
            wire.sendall(json.dumps(self.decide(told["event"])).encode() + b"\n")
