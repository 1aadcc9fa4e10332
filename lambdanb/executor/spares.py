"""Spares: environments that have been forked ahead, as AWS keeps booted workers ready.

Building the sandbox and the two forks are most of a cold start, and the same for every function of a zygote. So each
zygote, and each SnapStart template, has an init with a waiting runtime process ready, which knows no function yet and
belongs to no environment: it has no cgroup and no limits, runs none of the function's code, and is nearly free of
memory of its own. A cold start takes it and assigns it. Where there is none, in a burst, one is forked and assigned
before it is up: that is the same, only later.

A spare ends when its control socket is closed: with its zygote, its template, or the executor. The watchdog knows its
init, in case it doesn't.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from lambdanb.executor.loop import Loop
from lambdanb.model import control
from lambdanb.sandbox.watchdog_start import Watchdog

SPARES = 1
"""How many each zygote has ready. What two would win is a second cold start within the 20 ms that it takes to have the
next; they cost two processes and their page tables more."""


class Spare:
    """An init that is nobody's yet. `init_pid` is known once it is up."""

    def __init__(self, ahead: dict[str, Any], sock: socket.socket) -> None:
        self.ahead = ahead
        self.control = sock
        self.init_pid: int | None = None


class Spares:
    """The spares of one zygote or template."""

    def __init__(
        self, loop: Loop, watchdog: Watchdog | None, fork: Callable[[dict[str, Any], list[int]], None]
    ) -> None:
        """`fork` sends a message with descriptors to the zygote, and raises OSError when that is gone."""
        self._loop = loop
        self._watchdog = watchdog
        self._fork = fork
        self._kept: list[Spare] = []

    def take(self, ahead: dict[str, Any]) -> Spare:
        """A spare, or an init that is only now being forked. Raises OSError when the zygote is gone."""
        while self._kept:
            spare = self._let_go(self._kept[0])
            if spare.ahead == ahead:
                return spare
            spare.control.close()  # what functions may read has changed since
        return self._new(ahead, rehearse=False)

    def refill(self, ahead: dict[str, Any]) -> None:
        """Have as many as there should be. When the zygote is gone there will be none."""
        while len(self._kept) < SPARES:
            try:
                spare = self._new(ahead, rehearse=True)
            except OSError:
                return
            self._kept.append(spare)
            self._loop.watch(spare.control.fileno(), lambda _, spare=spare: self._hear(spare))  # type: ignore[misc]

    def close(self) -> None:
        """Let them end."""
        while self._kept:
            self._let_go(self._kept[0]).control.close()

    def _new(self, ahead: dict[str, Any], *, rehearse: bool) -> Spare:
        ours, theirs = control.pair()
        ours.setblocking(False)
        with theirs:
            try:
                self._fork({"op": "environment", "child": ahead, "rehearse": rehearse}, [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return Spare(ahead, ours)

    def _let_go(self, spare: Spare) -> Spare:
        self._kept.remove(spare)
        self._loop.forget(spare.control.fileno())
        if spare.init_pid is not None and self._watchdog is not None:
            self._watchdog.remove_process(spare.init_pid)
        return spare

    def _hear(self, spare: Spare) -> None:
        """It is up, or it has failed or was killed: then the next cold start does without and has its place filled."""
        try:
            heard = control.receive(spare.control)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            heard = None
        if heard is not None and heard.message.get("event") == "init" and heard.pid:
            spare.init_pid = heard.pid
            if self._watchdog is not None:
                self._watchdog.add_process(heard.pid)
        else:
            self._let_go(spare).control.close()
