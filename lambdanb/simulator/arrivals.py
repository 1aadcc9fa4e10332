"""Arrivals for the kernel: one stream, or several merged into one order of time, in chunks.

Of each of several streams a chunk is held at a time: memory is in proportion to the number of streams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import Places

CHUNK = 65_536


class Arrivals(Protocol):
    """What is wanted of a stream; `lambdanb.streams.stream.Stream` has it."""

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Floats]:
        """Times in seconds from the stream's start, ascending, all below `until_s`."""


def arrivals(streams: Sequence[Arrivals], seed: int, until_s: float) -> Iterator[tuple[Floats, Places]]:
    """Times, and the number of the stream that each is of, at most CHUNK together. Each stream has its own seed."""
    if len(streams) == 1:
        first = np.zeros(CHUNK, np.int32)
        for times in streams[0].chunks(seed, until_s):
            for start in range(0, len(times), CHUNK):
                part = times[start : start + CHUNK]
                yield part, first[: len(part)]
        return
    yield from _merged([stream.chunks(nth_seed(seed, number), until_s) for number, stream in enumerate(streams)])


def nth_seed(seed: int, number: int) -> int:
    """Independent seeds from one: the 0th is the seed itself."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])


def _merged(sources: list[Iterator[Floats]]) -> Iterator[tuple[Floats, Places]]:
    held: dict[int, Floats] = {}
    for number, source in enumerate(sources):
        _refill(held, number, source)
    while held:
        # Up to here every stream is known.
        known_s = min(times[-1] for times in held.values())
        times_of, numbers_of = [], []
        for number, times in list(held.items()):
            count = int(np.searchsorted(times, known_s, side="right"))
            times_of.append(times[:count])
            numbers_of.append(np.full(count, number, np.int32))
            held[number] = times[count:]
            if count == len(times):
                _refill(held, number, sources[number])
        times = np.concatenate(times_of)
        numbers = np.concatenate(numbers_of)
        order = np.argsort(times, kind="stable")
        for start in range(0, len(times), CHUNK):
            part = order[start : start + CHUNK]
            yield times[part], numbers[part]


def _refill(held: dict[int, Floats], number: int, source: Iterator[Floats]) -> None:
    """The stream's next chunk that holds anything; none at its end."""
    held.pop(number, None)
    for times in source:
        if len(times):
            held[number] = times
            return
