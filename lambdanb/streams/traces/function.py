"""What a trace tells of one function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lambdanb.streams.stream import Stream


@dataclass(frozen=True)
class Quantiles:
    """A distribution, known by some of its percentiles.

    percents    ascending, from 0 to 100
    values      the values that these shares don't pass, as many, ascending
    mean        the true mean, where the trace tells it: between the percentiles nothing is known
    """

    percents: tuple[float, ...]
    values: tuple[float, ...]
    mean: float | None = None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Quantiles:
        """The whole percentiles of at least one measured value."""
        percents = np.arange(101)
        found = np.percentile(values, percents)
        return cls(tuple(percents.tolist()), tuple(found.tolist()), float(np.mean(values)))

    @classmethod
    def known(cls, by_percent: Mapping[float, float | None], mean: float | None = None) -> Quantiles | None:
        """From percentiles of which some may be missing; None when all are. Put in order where they are out of it."""
        pairs = sorted((percent, value) for percent, value in by_percent.items() if value is not None)
        if not pairs:
            return None
        return cls(tuple(percent for percent, _ in pairs), tuple(sorted(value for _, value in pairs)), mean)

    def value(self, percent: float) -> float:
        """The value at a percentile, in a straight line between the known ones; the outermost ones go on beyond."""
        return float(np.interp(percent, self.percents, self.values))

    def draw(self, random: Generator, count: int) -> NDArray[np.float64]:
        """`count` random values: uniform between neighbouring percentiles."""
        return np.interp(random.random(count) * 100, self.percents, self.values)


@dataclass(frozen=True)
class TraceFunction:
    """One function of a trace.

    name            as unique as in the trace: Azure's is "app/function", in 2019 "owner/app/function"
    invocations     how many there are in `arrivals`
    arrivals        from the trace's start
    durations_ms    how long it runs, without the cold start where the trace separates it; None where not told
    memory_mb       what it takes (Azure 2019: its app) or is given (Huawei); None where not told
    trigger         Azure 2019's: http, timer, event, queue, storage, orchestration, others
    """

    name: str
    invocations: int
    arrivals: Stream
    durations_ms: Quantiles | None = None
    memory_mb: Quantiles | None = None
    trigger: str | None = None
