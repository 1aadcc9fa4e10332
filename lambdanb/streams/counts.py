"""Counts per minute, as traces have them, as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from lambdanb.streams import validation
from lambdanb.streams.stream import CHUNK, Stream, Times, generator


@dataclass(frozen=True, eq=False)
class Counts(Stream):
    """`counts[i]` arrivals in the i-th interval of `seconds_each` (a minute): whole numbers from 0.

    When in its interval a request came isn't known: each is put at a random time, uniformly, from the seed. So the
    counts are always exact, and what is finer than an interval is made up.
    """

    counts: NDArray[np.int64] | Sequence[int]
    seconds_each: float = 60.0

    def __post_init__(self) -> None:
        counts: NDArray[Any] = np.asarray(self.counts)
        if counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
            raise ValueError(f"counts must be a sequence of whole numbers, not {counts.dtype} of shape {counts.shape}")
        if counts.size and counts.min() < 0:
            place = int(np.argmax(counts < 0))
            raise ValueError(f"counts[{place}] must be a whole number from 0, not {counts[place]}")
        object.__setattr__(self, "counts", counts.astype(np.int64))
        validation.length("seconds_each", self.seconds_each)

    def __repr__(self) -> str:
        total = int(np.sum(self.counts))
        return f"Counts({total:,} arrivals in {len(self.counts):,} intervals of {self.seconds_each:g} s)"

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        random = generator(seeds)
        counts = np.asarray(self.counts)
        passed = np.cumsum(counts)
        start = 0
        while start < counts.size:
            before = passed[start - 1] if start else 0
            end = int(np.searchsorted(passed, before + CHUNK, side="right"))
            if end > start:
                yield _spread(random, counts[start:end], start * self.seconds_each, self.seconds_each)
            else:
                # More in one interval than in a chunk: first how many come in each of many equal parts of it.
                end = start + 1
                parts = int(counts[start] // (CHUNK // 4)) + 1
                part_s = self.seconds_each / parts
                shares = random.multinomial(counts[start], np.full(parts, 1 / parts))
                for place in range(parts):
                    its_start_s = start * self.seconds_each + place * part_s
                    yield _spread(random, shares[place : place + 1], its_start_s, part_s)
            start = end
            if start * self.seconds_each >= until_s:
                return

    def _expected(self, seconds: float) -> float:
        counts = np.asarray(self.counts)
        whole, part = divmod(seconds / self.seconds_each, 1)
        here = int(min(whole, counts.size))
        return float(counts[:here].sum() + (counts[here] * part if here < counts.size else 0))


def _spread(random: Generator, counts: NDArray[np.int64], start_s: float, width_s: float) -> Times:
    """Uniform arrivals in consecutive intervals, ascending."""
    places = np.repeat(np.arange(counts.size), counts)
    return np.sort(start_s + (places + random.random(places.size)) * width_s)
