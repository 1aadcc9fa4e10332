"""A rate that jumps at random: calm and busy times of random length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.poisson import piecewise_arrivals
from lambdanb.streams.stream import Stream, Times, generator

_BLOCK = 1_024


@dataclass(frozen=True)
class MarkovModulated(Stream):
    """A Markov-modulated Poisson process (MMPP): in state i arrivals are Poisson at `rates[i]`, and the state lasts an
    exponential time with the mean `mean_seconds[i]`; then any of the other states follows, each as likely.

    It starts in equilibrium: in state i with a probability in proportion to `mean_seconds[i]`. Source: Fischer and
    Meier-Hellstern: The Markov-modulated Poisson process (MMPP) cookbook, Performance Evaluation 18, 1993.
    """

    rates: Sequence[float]
    mean_seconds: Sequence[float]

    def __post_init__(self) -> None:
        rates = validation.series("rates", self.rates, 2)
        means = validation.series("mean_seconds", self.mean_seconds, 2)
        if len(means) != len(rates):
            raise ValueError(f"mean_seconds must have a value for each of the {len(rates)} rates, not {len(means)}")
        checked = tuple(validation.rate(f"rates[{place}]", value) for place, value in enumerate(rates))
        object.__setattr__(self, "rates", checked)
        lengths = tuple(validation.length(f"mean_seconds[{place}]", value) for place, value in enumerate(means))
        object.__setattr__(self, "mean_seconds", lengths)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if any(self.rates):
            arrivals, states = seeds.spawn(2)
            yield from piecewise_arrivals(generator(arrivals), self._pieces(generator(states)), until_s)

    def _pieces(self, random: Generator) -> Iterator[tuple[Times, Times]]:
        rates, means = np.array(self.rates), np.array(self.mean_seconds)
        state = int(random.choice(len(rates), p=means / means.sum()))
        while True:
            # A step of 1 to n - 1, modulo n, leads to any other state.
            steps = random.integers(1, len(rates), _BLOCK)
            states = (state + np.cumsum(steps) - steps[0]) % len(rates)
            yield random.standard_exponential(_BLOCK) * means[states], rates[states]
            state = int(states[-1] + steps[0]) % len(rates)

    def _expected(self, seconds: float) -> float:
        shares = zip(self.rates, self.mean_seconds, strict=True)
        return seconds * sum(rate * mean_s for rate, mean_s in shares) / sum(self.mean_seconds)

    def _scaled(self, factor: float) -> Stream:
        return replace(self, rates=tuple(rate * factor for rate in self.rates))
