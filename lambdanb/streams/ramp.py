"""A rate that grows or falls evenly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.poisson import unit_arrivals
from lambdanb.streams.stream import Stream, Times, generator


@dataclass(frozen=True)
class Ramp(Stream):
    """Poisson arrivals whose rate goes from `from_rate` to `to_rate` in a straight line, in `seconds`, and stays there.

    Exact: the arrivals of a process of rate 1, mapped by the inverse of the cumulative rate, a root of a quadratic.
    """

    from_rate: float
    to_rate: float
    seconds: float

    def __post_init__(self) -> None:
        validation.rate("from_rate", self.from_rate)
        validation.rate("to_rate", self.to_rate)
        validation.length("seconds", self.seconds)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        growth = (self.to_rate - self.from_rate) / self.seconds
        whole = self._expected(self.seconds)
        for units in unit_arrivals(generator(seeds)):
            inside = units[: np.searchsorted(units, whole)]
            after = units[inside.size :]
            # The form of the root without a difference of near numbers. What is under 0 is so by a rounding only.
            root = np.sqrt(np.maximum(self.from_rate**2 + 2 * growth * inside, 0.0))
            yield np.minimum(2 * inside / (self.from_rate + root), self.seconds)
            if after.size:
                if self.to_rate == 0:
                    return
                yield self.seconds + (after - whole) / self.to_rate

    def _expected(self, seconds: float) -> float:
        on_ramp_s = min(seconds, self.seconds)
        reached = self.from_rate + (self.to_rate - self.from_rate) * on_ramp_s / self.seconds
        return (self.from_rate + reached) / 2 * on_ramp_s + self.to_rate * (seconds - on_ramp_s)

    def _scaled(self, factor: float) -> Stream:
        return replace(self, from_rate=self.from_rate * factor, to_rate=self.to_rate * factor)
