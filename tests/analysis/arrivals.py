"""Streams for the tests of load: only what `load` asks of one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class At:
    """Requests at these times."""

    times: tuple[float, ...]

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Any]:
        times = np.array(self.times)
        yield times[times < until_s]


@dataclass(frozen=True)
class Poisson:
    """Requests at random, `rate` a second on average, in chunks of 64."""

    rate: float

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Any]:
        random, last_s = np.random.default_rng(seed), 0.0
        while last_s < until_s:
            times = last_s + np.cumsum(random.exponential(1 / self.rate, 64))
            last_s = times[-1]
            yield times[times < until_s]
