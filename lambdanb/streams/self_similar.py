"""Traffic that is bursty at every scale of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.poisson import piecewise_arrivals
from lambdanb.streams.stream import Stream, Times, generator, merged

_BLOCK = 512


@dataclass(frozen=True)
class SelfSimilar(Stream):
    """Arrivals with long-range dependence: `rate` per second on average, Hurst parameter `hurst` (over 0.5, under 1).

    A sum of `sources` that are each now on, now off, for times with a Pareto (Lomax) law of mean `period_s` and shape
    3 - 2 hurst; a source that is on sends Poisson arrivals. Over times well beyond `period_s` the counts are
    self-similar; the smaller `hurst`, the longer that takes to show: for 0.6, an estimate from 160 to 5,000 periods is
    0.66 still. Fewer sources make larger swings: the rate's standard deviation is rate / sqrt(sources). It starts in
    equilibrium, so that the mean rate holds from the start; but a single run's mean comes near it only slowly, which is
    what long-range dependence means.

    Source: Willinger, Taqqu, Sherman, Wilson: Self-similarity through high-variability: statistical analysis of
    Ethernet LAN traffic at the source level, IEEE/ACM Transactions on Networking 5, 1997.
    """

    rate: float
    hurst: float = 0.8
    sources: int = 16
    period_s: float = 1.0

    def __post_init__(self) -> None:
        validation.rate("rate", self.rate)
        validation.hurst("hurst", self.hurst)
        validation.whole("sources", self.sources, 1)
        validation.length("period_s", self.period_s)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.rate == 0:
            return iter(())
        source = _OnOff(2 * self.rate / self.sources, 3 - 2 * self.hurst, self.period_s)
        return merged([source._within(own, until_s) for own in seeds.spawn(self.sources)])

    def _expected(self, seconds: float) -> float:
        return self.rate * seconds

    def _scaled(self, factor: float) -> Stream:
        return replace(self, rate=self.rate * factor)


@dataclass(frozen=True)
class _OnOff(Stream):
    """One source: on half of the time, and then Poisson at `on_rate`."""

    on_rate: float
    shape: float
    period_s: float

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        arrivals, periods = seeds.spawn(2)
        return piecewise_arrivals(generator(arrivals), self._pieces(generator(periods)), until_s)

    def _pieces(self, random: Generator) -> Iterator[tuple[Times, Times]]:
        scale_s = self.period_s * (self.shape - 1)
        rates = np.zeros(_BLOCK)
        rates[random.integers(2) :: 2] = self.on_rate
        # What is left of the period that is under way at time 0: in equilibrium a Lomax law too, its shape less by 1.
        left_s = random.pareto(self.shape - 1) * scale_s
        yield np.array([left_s]), rates[1:2]
        while True:
            yield random.pareto(self.shape, _BLOCK) * scale_s, rates
