"""Arrivals at random: Poisson processes whose rate is constant, or constant piece by piece.

Both map the arrivals of a process of rate 1 by the inverse of the cumulative rate, which is exact (Devroye: Non-Uniform
Random Variate Generation, 1986, chapter VI).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.stream import CHUNK, Stream, Times, generator


@dataclass(frozen=True)
class Poisson(Stream):
    """`rate` arrivals per second on average, each independent of all others."""

    rate: float

    def __post_init__(self) -> None:
        validation.rate("rate", self.rate)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.rate > 0:
            for units in unit_arrivals(generator(seeds)):
                units /= self.rate
                yield units

    def _expected(self, seconds: float) -> float:
        return self.rate * seconds

    def _scaled(self, factor: float) -> Stream:
        return Poisson(self.rate * factor)


def unit_arrivals(random: Generator) -> Iterator[Times]:
    """Arrivals of a Poisson process of rate 1, without end. The first chunks are small: many streams are short."""
    size, last = 256, 0.0
    while True:
        units = random.standard_exponential(size)
        np.cumsum(units, out=units)
        units += last
        last = float(units[-1])
        yield units
        size = min(size * 2, CHUNK)


def piecewise_arrivals(
    random: Generator, pieces: Iterable[tuple[Times, Times]], until_s: float = np.inf
) -> Iterator[Times]:
    """Arrivals of a Poisson process whose rate is constant in each piece of time.

    `pieces` gives blocks of (seconds, rates), two arrays of one length, one block after the other; the last piece may
    be endless (seconds = inf). Only one block is held, however many arrivals fall into it.
    """
    units = unit_arrivals(random)
    waiting = next(units)
    start_s, start = 0.0, 0.0
    for seconds, rates in pieces:
        ends_s = start_s + np.cumsum(seconds)
        # The cumulative rate at each end. An endless piece without arrivals would be inf * 0.
        ends = start + np.cumsum(np.multiply(seconds, rates, where=rates > 0, out=np.zeros(len(rates))))
        starts_s, starts = np.append(start_s, ends_s[:-1]), np.append(start, ends[:-1])
        while True:
            inside = int(np.searchsorted(waiting, ends[-1]))
            taken, waiting = waiting[:inside], waiting[inside:]
            piece = np.searchsorted(ends, taken, side="right")
            # Not past the piece's end by a rounding, which would break the order.
            yield np.minimum(starts_s[piece] + (taken - starts[piece]) / rates[piece], ends_s[piece])
            if waiting.size:
                break
            waiting = next(units)
        start_s, start = float(ends_s[-1]), float(ends[-1])
        if start_s >= until_s:
            return
