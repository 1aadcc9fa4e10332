"""Execution environments over time as boxes, while they live: what the live chart draws as rows.

A box is (row, start_s, end_s, kind); its end is NaN while it lasts. Each environment has the lowest row that is free
when it is first seen, and leaves it when it is gone. A box is told anew, with its row, start and kind, when its end has
changed; one that turned out never to have been has no length.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import Any

IDLE, WARMING, BUSY = range(3)
"""The kinds, in the order in which they are drawn: an environment's whole life is idle, and the others lie over it."""
STARTING = ("starting", "initialising")

Box = tuple[float, float, float, float]


class EnvironmentBoxes:
    """The boxes of one function's environments.

    merge_s  two runs in one environment with less time between them are one box: nobody would see the gap
    """

    def __init__(self, merge_s: float) -> None:
        self._merge_s = merge_s
        self._free: list[int] = []
        self._rows: dict[str, int] = {}
        self._born_s: dict[str, float] = {}
        self._ran: dict[str, tuple[float, float]] = {}
        self._open: dict[str, tuple[float, int]] = {}
        self._told: dict[tuple[int, float, int], float] = {}

    def ran(self, environment: str, start_s: float, init_s: float, duration_s: float) -> None:
        """An invocation has ended: the environment took it at `start_s`, warmed for `init_s`, and ran it."""
        self._close(environment)
        row = self._row(environment, start_s)
        begin_s = start_s + init_s
        if init_s > 0:
            self._tell(row, start_s, begin_s, WARMING)
        first_s, last_s = self._ran.get(environment, (begin_s, -math.inf))
        if init_s > 0 or begin_s - last_s > self._merge_s:
            first_s = begin_s
        self._ran[environment] = first_s, begin_s + duration_s
        self._tell(row, first_s, begin_s + duration_s, BUSY)

    def now(self, time_s: float, states: Mapping[str, str]) -> None:
        """At this time these are the environments, each in a state of the executor's."""
        for environment, state in states.items():
            row = self._row(environment, time_s)
            kind = WARMING if state in STARTING else BUSY if state == "busy" else IDLE
            opened = self._open.get(environment)
            if opened is not None and opened[1] != kind:
                self._close(environment)
                opened = None
            if opened is None and kind != IDLE:
                start_s = max(self._born_s[environment], self._ran.get(environment, (0.0, time_s))[1])
                self._open[environment] = start_s, kind
                self._tell(row, start_s, math.nan, kind)
        for environment in [each for each in self._rows if each not in states]:
            self._close(environment)
            row, born_s = self._rows.pop(environment), self._born_s.pop(environment)
            _, last_s = self._ran.pop(environment, (born_s, born_s))
            self._tell(row, born_s, max(last_s, time_s), IDLE)
            heapq.heappush(self._free, row)

    def changed(self) -> list[Box]:
        """The boxes that are new or have changed since the last time."""
        boxes = [(float(row), start_s, end_s, float(kind)) for (row, start_s, kind), end_s in self._told.items()]
        self._told.clear()
        return boxes

    def _row(self, environment: str, time_s: float) -> int:
        row = self._rows.get(environment)
        if row is None:
            row = heapq.heappop(self._free) if self._free else len(self._rows)
            self._rows[environment] = row
        elif time_s < self._born_s[environment]:
            # Seen before its first invocation was told, which began earlier.
            self._tell(row, self._born_s[environment], self._born_s[environment], IDLE)
        else:
            return row
        self._born_s[environment] = time_s
        self._tell(row, time_s, math.nan, IDLE)
        return row

    def _close(self, environment: str) -> None:
        """What it seemed to be doing gives way to what its record says."""
        opened = self._open.pop(environment, None)
        if opened is not None:
            start_s, kind = opened
            self._tell(self._rows[environment], start_s, start_s, kind)

    def _tell(self, row: int, start_s: float, end_s: float, kind: int) -> None:
        self._told[row, start_s, kind] = end_s


class LevelBoxes:
    """The boxes of a forecast, which knows how many environments there are and not which is which.

    Reused most recently used first, environments are as levels: the first is busy whenever any is. So a row is a level.
    """

    def __init__(self) -> None:
        self._kinds: list[tuple[int, float]] = []

    def window(self, start_s: float, end_s: float, cold: float, busy: float, environments: float) -> list[Box]:
        """The boxes that a window of time adds or makes longer, from its means: under way in cold environments, under
        way in all, environments there are."""
        starting, running = round(cold), round(busy)
        boxes: list[Box] = []
        for row in range(max(round(environments), running)):
            # Those that were started last are the highest.
            kind = IDLE if row >= running else WARMING if row >= running - starting else BUSY
            if row == len(self._kinds):
                self._kinds.append((-1, start_s))
            before, since_s = self._kinds[row]
            if kind != before:
                since_s = start_s
                self._kinds[row] = kind, since_s
            boxes.append((float(row), since_s, end_s, float(kind)))
        # A level that is gone begins anew when it comes back.
        del self._kinds[max(round(environments), running) :]
        return boxes


def columns(boxes: list[Box]) -> Any:
    """Boxes as the chart takes them: a column for each of row, start_s, end_s and kind."""
    import numpy as np

    return np.array(boxes, dtype=float).reshape(len(boxes), 4).T
