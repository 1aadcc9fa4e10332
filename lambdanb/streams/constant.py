"""Arrivals at even intervals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence

from lambdanb.streams import validation
from lambdanb.streams.stream import CHUNK, Stream, Times


@dataclass(frozen=True)
class Constant(Stream):
    """`rate` arrivals per second at even intervals, the first at 0. Nothing about it is random."""

    rate: float

    def __post_init__(self) -> None:
        validation.rate("rate", self.rate)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.rate > 0:
            # By division, not by adding up intervals: the billionth is as exact as the first.
            for first in itertools.count(0, CHUNK):
                yield np.arange(first, first + CHUNK) / self.rate

    def _expected(self, seconds: float) -> float:
        return self.rate * seconds

    def _scaled(self, factor: float) -> Stream:
        return Constant(self.rate * factor)
