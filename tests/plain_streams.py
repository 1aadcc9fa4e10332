"""Streams for the simulator's tests, with the one method of `lambdanb.streams.stream.Stream` that it uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 65_536


@dataclass(frozen=True)
class PoissonArrivals:
    """Independent arrivals at a constant rate."""

    per_s: float

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[NDArray[np.float64]]:
        random = np.random.Generator(np.random.SFC64(seed))
        now_s = 0.0
        while now_s < until_s:
            times = random.standard_exponential(CHUNK)
            times /= self.per_s
            times[0] += now_s
            np.cumsum(times, out=times)
            now_s = float(times[-1])
            yield times[: np.searchsorted(times, until_s)]


@dataclass(frozen=True)
class GivenTimes:
    """Arrivals at the given times, in chunks of `chunk`."""

    times: ArrayLike
    chunk: int = CHUNK

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[NDArray[np.float64]]:
        times = np.asarray(self.times, dtype=np.float64)
        times = times[times < until_s]
        for start in range(0, len(times), self.chunk):
            yield times[start : start + self.chunk]
