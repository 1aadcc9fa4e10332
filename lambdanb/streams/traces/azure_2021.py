"""The Azure Functions trace of 2021: every invocation of two weeks from 31 January 2021, one row each.

Source: Zhang et al.: Faster and Cheaper Serverless Computing on Harvested Resources, SOSP 2021;
AzureFunctionsInvocationTrace2021.md in the repository Azure/AzurePublicDataset. Columns:
app,func,end_timestamp,duration, times in seconds from the trace's start, the rows not in the order of the starts. An
invocation started at end_timestamp - duration; what had started before the trace did arrives at 0.

Starts are sorted outside of memory: in runs, which are written to one temporary file (8 bytes an invocation for
`arrivals`, 20 for `functions`; an eighth of the CSV or less) and merged from there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from lambdanb.streams.replay import Replay
from lambdanb.streams.stream import Stream, Times, merged
from lambdanb.streams.traces.function import Quantiles, TraceFunction
from lambdanb.streams.traces.table import Table

RUN = 1_000_000
"""Rows that are sorted in memory at a time: 8 MB of starts."""

_READ = 8_192
_COLUMNS = ["app", "func", "end_timestamp", "duration"]
_ROW = np.dtype([("function", np.int32), ("start_s", np.float64), ("duration_s", np.float64)])

PathLike = Path | str


@dataclass(frozen=True)
class Arrivals(Stream):
    """The arrivals of the whole trace. Each time that it is drawn it reads the file, whose faults are told then."""

    path: PathLike

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        with tempfile.TemporaryFile() as file:
            sizes = []
            starts_s = (start_s for _, start_s, _ in _invocations(self.path))
            while (run := np.fromiter(islice(starts_s, RUN), np.float64)).size:
                file.write(np.sort(run).data)
                sizes.append(run.size)
            ends = np.cumsum(sizes, dtype=np.int64).tolist()
            yield from merged([_read(file, end - size, end) for size, end in zip(sizes, ends, strict=True)])


def arrivals(path: PathLike) -> Stream:
    """All arrivals of the trace, in order. Raises TraceError for the file's header; for its rows when it is drawn."""
    Table(path, _COLUMNS)
    return Arrivals(path)


def functions(path: PathLike) -> Iterator[TraceFunction]:
    """The functions of the trace, in the order in which they are first met.

    Holds the invocations of one function at a time, 16 bytes each. `durations_ms` are their whole percentiles. Raises
    TraceError.
    """
    numbers: dict[str, int] = {}
    with tempfile.TemporaryFile() as file:
        rows = (
            (numbers.setdefault(name, len(numbers)), start_s, duration_s)
            for name, start_s, duration_s in _invocations(path)
        )
        # Where each run begins in the file, and where in it each function's rows begin.
        runs: list[tuple[int, NDArray[np.intp]]] = []
        done = 0
        while (run := np.fromiter(islice(rows, RUN), _ROW)).size:
            run = run[np.argsort(run["function"], kind="stable")]
            file.write(run.tobytes())
            runs.append((done, np.searchsorted(run["function"], np.arange(len(numbers) + 1))))
            done += run.size
        for name, number in numbers.items():
            yield _function(name, np.concatenate([_slice(file, run, number) for run in runs]))


def _function(name: str, rows: NDArray[Any]) -> TraceFunction:
    durations_ms = Quantiles.of(rows["duration_s"] * 1000)
    return TraceFunction(name, len(rows), Replay(rows["start_s"]), durations_ms)


def _slice(file: IO[bytes], run: tuple[int, NDArray[np.intp]], number: int) -> NDArray[Any]:
    """A function's rows in a run. One that was first met in a later run has none in this."""
    begin, starts = run
    if number + 1 >= starts.size:
        return np.empty(0, _ROW)
    first, last = int(starts[number]), int(starts[number + 1])
    file.seek((begin + first) * _ROW.itemsize)
    return np.frombuffer(file.read((last - first) * _ROW.itemsize), _ROW)


def _read(file: IO[bytes], start: int, end: int) -> Iterator[Times]:
    """A sorted run, in small arrays: as many are in memory as there are runs."""
    while start < end:
        count = min(_READ, end - start)
        file.seek(start * 8)
        yield np.frombuffer(file.read(count * 8), np.float64)
        start += count


def _invocations(path: PathLike) -> Iterator[tuple[str, float, float]]:
    """(name, start in seconds, duration in seconds) of each row."""
    table = Table(path, _COLUMNS)
    for line, (app, function, end, duration) in table.rows():
        duration_s = table.number(line, "duration", duration)
        yield f"{app}/{function}", max(table.number(line, "end_timestamp", end) - duration_s, 0.0), duration_s
