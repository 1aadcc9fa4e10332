"""Chores: what follows from a cold start and need not be done while anybody waits for one.

Forking the next spare, ending the environment that made room, making cgroups ahead: each takes milliseconds, and would
take them from the start under way, or from the next one of a burst. They are done one by one when no environment has
been starting for a moment, or when they have been put off for long enough.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from lambdanb.executor.loop import Loop, guarded

QUIET_S = 0.02
LONGEST_S = 0.25


class Chores:
    """`under_way` tells whether an environment is starting now."""

    def __init__(self, loop: Loop, under_way: Callable[[], bool]) -> None:
        self._loop = loop
        self._under_way = under_way
        self._chores: deque[tuple[float, Callable[[], object]]] = deque()
        self._quiet_from_s = 0.0
        self._armed = False

    def add(self, chore: Callable[[], object]) -> None:
        """Do this when it is quiet, a moment from now at the earliest."""
        now_s = time.monotonic()
        self._quiet_from_s = now_s + QUIET_S
        self._chores.append((now_s + LONGEST_S, chore))
        self._arm(QUIET_S)

    def finish(self) -> None:
        """Do what is left, at the end."""
        while self._chores:
            guarded(self._chores.popleft()[1])

    def _arm(self, delay_s: float) -> None:
        if not self._armed:
            self._armed = True
            self._loop.call_later(delay_s, self._work)

    def _work(self) -> None:
        self._armed = False
        if not self._chores:
            return
        now_s = time.monotonic()
        if self._chores[0][0] > now_s:
            if self._quiet_from_s > now_s:
                self._arm(self._quiet_from_s - now_s)
                return
            if self._under_way():
                self._arm(QUIET_S)
                return
        guarded(self._chores.popleft()[1])
        self._arm(0.0)  # whoever is ready by now comes first
