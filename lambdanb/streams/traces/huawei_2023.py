"""The Huawei Cloud traces of 2023: requests per minute or second of 200 functions (private) and 5,093 (public).

Source: Joosen et al.: How Does It Function? Characterizing Long-term Trends in Production Serverless Workloads, ACM
SoCC 2023; README_data_release_2023.md in the repository sir-lab/data-release. A wide CSV file per day and metric
(`requests_minute/day_000.csv`): day,time, then a column per function id. `time` is in seconds from the trace's start,
on through all days; NaN is no request, or no value. Used here:

    requests_minute, requests_second                how many
    function_delay_minute, function_delay_second    mean execution time (private only)
    memory_limit_minute                             allocated memory in MB (private only)

The authors don't write down the unit of the delays: they are taken for milliseconds. The counts are exact; within
their minute or second arrivals are spread uniformly at random, from the seed.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lambdanb.streams.counts import Counts
from lambdanb.streams.stream import Stream
from lambdanb.streams.traces.function import Quantiles, TraceFunction
from lambdanb.streams.traces.table import Table, TraceError

DAY_S = 86_400
CELLS = 8_000_000
"""Cells that are in memory at a time per file: 64 MB. A file with more is read in several passes."""

PathLike = Path | str


def arrivals(*requests: PathLike) -> Stream:
    """All arrivals of one or several days as one stream, from the start of the first day. Days left out stay empty.

    Reads the files once, here, and keeps a count per minute (or second) of the whole trace. Raises TraceError.
    """
    whole: Stream | None = None
    first_day_s = 0
    for path in requests:
        table, names = _open(path)
        times = _Times(table)
        totals: list[int] = []
        for line, cells in table.rows():
            place = times.place(line, cells)
            totals.extend([0] * (place + 1 - len(totals)))
            totals[place] = sum(_row(table, line, names, cells[2:]))
        if whole is None:
            whole, first_day_s = Counts(np.array(totals), times.step_s), times.day_s
        elif times.day_s < first_day_s:
            raise ValueError(f"give the files in the order of their days: {path} comes before the first one")
        else:
            whole += Counts(np.array(totals), times.step_s).shifted(times.day_s - first_day_s)
    if whole is None:
        raise ValueError("give at least one file of requests: one per day")
    return whole


def functions(
    requests: PathLike, delays: PathLike | None = None, memory: PathLike | None = None
) -> Iterator[TraceFunction]:
    """The functions of one day, in the order of their columns, from the day's start.

    `delays` is the day's function_delay file, `memory` its memory_limit file, of minutes or seconds. A function's
    `durations_ms` are the percentiles of the means per minute (or second), each counting once: the durations of single
    requests aren't in the trace. Holds up to 8 million cells at a time of each. Raises TraceError.
    """
    table, names = _open(requests)
    others = [_open(path)[0] for path in (delays, memory) if path is not None]
    times = _Times(table)
    for line, cells in table.rows():
        times.place(line, cells)
    longest = max(times.places, *(sum(1 for _ in other.rows()) for other in others), 1)
    at_a_time = max(1, CELLS // longest)
    for start in range(0, len(names), at_a_time):
        group = names[start : start + at_a_time]
        counts = _counts(table, group, times)
        durations, memories = (_quantiles(path, group) for path in (delays, memory))
        for place, name in enumerate(group):
            column = counts[:, place]
            yield TraceFunction(
                name=name,
                invocations=int(column.sum()),
                arrivals=Counts(column, times.step_s),
                durations_ms=durations.get(name),
                memory_mb=memories.get(name),
            )


class _Times:
    """Turns the `time` of rows into places 0, 1, 2, ... of the day. The first two rows tell how wide a place is."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._last_s: float | None = None
        self.places = 0
        first = []
        for line, cells in table.rows():
            first.append(table.number(line, "time", cells[1]))
            if len(first) == 2:
                break
        if not first:
            raise TraceError(table.path, None, "has a header, but no rows")
        self.day_s = int(first[0] // DAY_S) * DAY_S
        self.step_s = first[1] - first[0] if len(first) == 2 else 60.0
        if self.step_s not in (1, 60):
            raise TraceError(table.path, 3, f"must be 1 or 60 s after the row before, not {self.step_s:g}", "time")

    def place(self, line: int, cells: list[str]) -> int:
        time_s = self._table.number(line, "time", cells[1]) - self.day_s
        if time_s % self.step_s or time_s >= DAY_S:
            allowed = f"the day's seconds in steps of {self.step_s:g}"
            raise TraceError(self._table.path, line, f"must be one of {allowed}, not {cells[1]}", "time")
        if self._last_s is not None and time_s <= self._last_s:
            raise TraceError(self._table.path, line, f"must be over that of the row before, not {cells[1]}", "time")
        self._last_s = time_s
        place = int(time_s // self.step_s)
        self.places = max(self.places, place + 1)
        return place


def _open(path: PathLike) -> tuple[Table, list[str]]:
    """A file, with all of its columns, and the ids of its functions."""
    header = Table(path, ["day", "time"]).header
    if header[:2] != ["day", "time"] or len(header) < 3:
        raise TraceError(Path(path), 1, f"must begin with day,time and a function's id, not {','.join(header[:3])}")
    return Table(path, header), header[2:]


def _row(table: Table, line: int, names: list[str], cells: list[str]) -> list[int]:
    """A row's counts. A NaN is no request."""
    return [table.count(line, name, cell) for name, cell in zip(names, cells, strict=True)]


def _counts(table: Table, group: list[str], times: _Times) -> NDArray[np.int64]:
    """Counts by (place in the day, function) of a group of functions. The times have been checked before."""
    counts = np.zeros((times.places, len(group)), np.int64)
    part = Table(table.path, ["time", *group])
    for line, (time, *cells) in part.rows():
        counts[int((float(time) - times.day_s) // times.step_s)] = _row(part, line, group, cells)
    return counts


def _quantiles(path: PathLike | None, group: list[str]) -> dict[str, Quantiles]:
    """Of those functions of a group that have a column with a value in the file."""
    if path is None:
        return {}
    known = set(_open(path)[1])
    names = [name for name in group if name in known]
    if not names:
        return {}
    table = Table(path, names)
    values = array("d")
    for line, cells in table.rows():
        for name, cell in zip(names, cells, strict=True):
            value = table.number_or_none(line, name, cell)
            values.append(math.nan if value is None else value)
    columns = np.frombuffer(values).reshape(-1, len(names)).T if values else np.empty((len(names), 0))
    found = zip(names, (column[~np.isnan(column)] for column in columns), strict=True)
    return {name: Quantiles.of(column) for name, column in found if column.size}
