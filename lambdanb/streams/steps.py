"""Rates that change at known times: a burst, and steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.poisson import piecewise_arrivals
from lambdanb.streams.stream import Stream, Times, generator


@dataclass(frozen=True)
class Burst(Stream):
    """Poisson arrivals at the rate `base`, and at the rate `peak` for `seconds` from `start_s` on."""

    base: float
    peak: float
    start_s: float
    seconds: float

    def __post_init__(self) -> None:
        validation.rate("base", self.base)
        validation.rate("peak", self.peak)
        validation.seconds("start_s", self.start_s)
        validation.seconds("seconds", self.seconds)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        seconds = np.array([self.start_s, self.seconds, math.inf])
        return piecewise_arrivals(generator(seeds), [(seconds, np.array([self.base, self.peak, self.base], float))])

    def _expected(self, seconds: float) -> float:
        burst_s = min(max(seconds - self.start_s, 0.0), self.seconds)
        return self.base * (seconds - burst_s) + self.peak * burst_s

    def _scaled(self, factor: float) -> Stream:
        return replace(self, base=self.base * factor, peak=self.peak * factor)


@dataclass(frozen=True)
class Steps(Stream):
    """Poisson arrivals at each of `rates` in turn, `seconds_each` long. The last rate stays."""

    rates: Sequence[float]
    seconds_each: float

    def __post_init__(self) -> None:
        rates = validation.series("rates", self.rates, 1)
        # A tuple, so that equal streams compare and hash as equal.
        checked = tuple(validation.rate(f"rates[{place}]", value) for place, value in enumerate(rates))
        object.__setattr__(self, "rates", checked)
        validation.length("seconds_each", self.seconds_each)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        seconds = np.full(len(self.rates), float(self.seconds_each))
        seconds[-1] = math.inf
        return piecewise_arrivals(generator(seeds), [(seconds, np.array(self.rates, float))])

    def _expected(self, seconds: float) -> float:
        starts = [place * self.seconds_each for place in range(len(self.rates))]
        ends = [*starts[1:], math.inf]
        return sum(
            rate * max(min(seconds, end) - start, 0.0)
            for rate, start, end in zip(self.rates, starts, ends, strict=True)
        )

    def _scaled(self, factor: float) -> Stream:
        return replace(self, rates=tuple(rate * factor for rate in self.rates))
