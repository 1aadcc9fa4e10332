"""The Azure Functions trace of 2019: invocations per minute of some 50,000 functions over 14 days, a file a day.

Source: Shahrad et al.: Serverless in the Wild, USENIX ATC 2020; AzureFunctionsDataset2019.md in the repository
Azure/AzurePublicDataset. Three kinds of files, joined by the hashed names:

    invocations_per_function_md.anon.dNN.csv        HashOwner,HashApp,HashFunction,Trigger,1,...,1440
    function_durations_percentiles.anon.dNN.csv     HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,
                                                    percentile_Average_0,_1,_25,_50,_75,_99,_100    (ms, no cold start)
    app_memory_percentiles.anon.dNN.csv             HashOwner,HashApp,SampleCount,AverageAllocatedMb,
                                                    AverageAllocatedMb_pct1,_pct5,_pct25,_pct50,_pct75,_pct95,_pct99,_pct100

Days 13 and 14 have no memory. Percentiles are of averages over 30 s (durations) or a minute (memory), weighted, not of
single invocations. The durations' Count comes from another log than the invocations and may differ from them; it
isn't used.

The minute's counts are exact; within their minute arrivals are spread uniformly at random, from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lambdanb.streams.counts import Counts
from lambdanb.streams.stream import Stream
from lambdanb.streams.traces.function import Quantiles, TraceFunction
from lambdanb.streams.traces.table import Table

MINUTES = 1440
_MINUTES = [str(minute) for minute in range(1, MINUTES + 1)]
_FUNCTION = ["HashOwner", "HashApp", "HashFunction"]
_DURATIONS = {f"percentile_Average_{percent}": float(percent) for percent in (0, 1, 25, 50, 75, 99, 100)}
_MEMORY = {f"AverageAllocatedMb_pct{percent}": float(percent) for percent in (1, 5, 25, 50, 75, 95, 99, 100)}

PathLike = Path | str


def arrivals(*invocations: PathLike) -> Stream:
    """All arrivals of one or several days, given in their order, as one stream.

    Reads the files once, here, and keeps a count per minute of the whole trace. Raises TraceError.
    """
    days = []
    for path in invocations:
        total = np.zeros(MINUTES, np.int64)
        for _, counts in _invocations(path):
            total += counts
        days.append(total)
    if not days:
        raise ValueError("give at least one file of invocations: one per day")
    return Counts(np.concatenate(days))


def functions(
    invocations: PathLike, durations: PathLike | None = None, memory: PathLike | None = None
) -> Iterator[TraceFunction]:
    """The functions of one day, in the file's order, also those without a single invocation.

    Holds one row of `invocations` at a time, and all of `durations` and `memory`, which have one short row per function
    and app. A function that isn't in these has None. The 0th and 100th percentile of a duration are the true Minimum
    and Maximum where these were recorded. Raises TraceError.
    """
    durations_of = _durations(durations) if durations is not None else {}
    memory_of = _memory(memory) if memory is not None else {}
    for (owner, app, name, trigger), counts in _invocations(invocations):
        yield TraceFunction(
            name=f"{owner}/{app}/{name}",
            invocations=int(counts.sum()),
            arrivals=Counts(counts),
            durations_ms=durations_of.get((owner, app, name)),
            memory_mb=memory_of.get((owner, app)),
            trigger=trigger,
        )


def _invocations(path: PathLike) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
    table = Table(path, [*_FUNCTION, "Trigger", *_MINUTES])
    for line, cells in table.rows():
        names, minutes = cells[:4], cells[4:]
        try:
            counts = np.fromiter(map(int, minutes), np.int64, MINUTES)
            sound = counts.min() >= 0
        except (ValueError, OverflowError):
            sound = False
        if not sound:  # the slow way, which takes "3.0" too and says which cell is wrong
            pairs = zip(_MINUTES, minutes, strict=True)
            counts = np.array([table.count(line, minute, cell) for minute, cell in pairs], np.int64)
        yield names, counts


def _durations(path: PathLike) -> dict[tuple[str, ...], Quantiles | None]:
    table = Table(path, [*_FUNCTION, "Average", "Minimum", "Maximum", *_DURATIONS])
    found: dict[tuple[str, ...], Quantiles | None] = {}
    for line, cells in table.rows():
        values = {
            name: table.number_or_none(line, name, cell)
            for name, cell in zip(table.columns[3:], cells[3:], strict=True)
        }
        by_percent = {percent: values[name] for name, percent in _DURATIONS.items()}
        for percent, true in ((0.0, values["Minimum"]), (100.0, values["Maximum"])):
            if true is not None:
                by_percent[percent] = true
        found[tuple(cells[:3])] = Quantiles.known(by_percent, values["Average"])
    return found


def _memory(path: PathLike) -> dict[tuple[str, ...], Quantiles | None]:
    table = Table(path, [*_FUNCTION[:2], "AverageAllocatedMb", *_MEMORY])
    found: dict[tuple[str, ...], Quantiles | None] = {}
    for line, cells in table.rows():
        values = [
            table.number_or_none(line, name, cell) for name, cell in zip(table.columns[2:], cells[2:], strict=True)
        ]
        found[tuple(cells[:2])] = Quantiles.known(dict(zip(_MEMORY.values(), values[1:], strict=True)), values[0])
    return found
