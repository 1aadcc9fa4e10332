"""Day and night."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.poisson import Poisson
from lambdanb.streams.stream import Stream, Times, generator


@dataclass(frozen=True)
class Diurnal(Stream):
    """Poisson arrivals whose rate is a cosine of time, from `trough` to `peak` and back in `period_s` (a day).

    The rate is highest at `peak_at_s`, by default in the middle of the period: the stream starts at midnight and peaks
    at noon. Exact, by thinning a process of the rate `peak` (Lewis and Shedler: Simulation of nonhomogeneous Poisson
    processes by thinning, Naval Research Logistics 26, 1979), which keeps a half or more of its arrivals.
    """

    peak: float
    trough: float = 0.0
    period_s: float = 86_400.0
    peak_at_s: float | None = None

    def __post_init__(self) -> None:
        validation.rate("peak", self.peak)
        validation.rate("trough", self.trough)
        validation.length("period_s", self.period_s)
        if self.peak_at_s is not None:
            validation.seconds("peak_at_s", self.peak_at_s)
        if self.trough > self.peak:
            raise ValueError(f"trough must be a rate from 0 to the peak, {self.peak}, not {self.trough}")

    @property
    def _peak_at_s(self) -> float:
        return self.period_s / 2 if self.peak_at_s is None else self.peak_at_s

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.peak == 0:
            return
        candidates, keeps = seeds.spawn(2)
        random = generator(keeps)
        lowest = self.trough / self.peak
        for times in Poisson(self.peak)._within(candidates, until_s):
            height = 0.5 + 0.5 * np.cos(2 * math.pi / self.period_s * (times - self._peak_at_s))
            yield times[random.random(times.size) < lowest + (1 - lowest) * height]

    def _expected(self, seconds: float) -> float:
        turn = 2 * math.pi / self.period_s
        waves = (math.sin(turn * (seconds - self._peak_at_s)) + math.sin(turn * self._peak_at_s)) / turn
        return self.trough * seconds + (self.peak - self.trough) * (seconds + waves) / 2

    def _scaled(self, factor: float) -> Stream:
        return replace(self, peak=self.peak * factor, trough=self.trough * factor)
