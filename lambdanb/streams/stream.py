"""A stream: when requests arrive. Streams are small values that describe; `chunks` and `times` draw arrivals from them.

    Poisson(200)                                 200 arrivals a second at random
    Poisson(5) + Burst(0, 500, 60, 10)           one laid over the other
    2 * Diurnal(peak=100)                        twice as much traffic
    Poisson(5).then(Poisson(50), at_s=60)        one after the other
    Replay(times).thinned(0.01)                  a sample of 1 %

A process is written as a subclass, a frozen dataclass, with `_arrivals`, which yields ascending arrays from a seed, and
`_expected`. Times are seconds from the stream's start.

Randomness: the parts of a composed stream get seeds of their own (`numpy.random.SeedSequence.spawn`), so `a + a` is
two independent copies of `a`. The arrivals until a time don't depend on how far a stream is drawn: what
`times(10, seed)` gives are the first of `times(100, seed)`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import SFC64, Generator, SeedSequence
from numpy.typing import NDArray

from lambdanb.streams import validation

CHUNK = 65_536
"""Arrivals in a chunk at most: half a megabyte."""

Times = NDArray[np.float64]


class Stream(ABC):
    """An arrival process. Compose streams by `a + b`, `2 * a`, `a.shifted(s)`, `a.then(b, at_s)`, `a.thinned(p)`."""

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Times]:
        """Arrival times in seconds from the stream's start, float64, ascending, all < `until_s`.

        They come in arrays of 1 to 65,536, so that a stream of any length takes bounded memory; without `until_s` most
        streams never end. The same seed gives the same times. Raises ValueError for a negative seed or time.
        """
        seeds = SeedSequence(validation.whole("seed", seed, 0))
        return self._within(seeds, validation.until("until_s", until_s))

    def times(self, seconds: float, seed: int = 0) -> Times:
        """All arrivals of the first `seconds`, as one array: 8 bytes each. Raises ValueError as `chunks` does."""
        chunks = list(self.chunks(seed, validation.seconds("seconds", seconds)))
        return np.concatenate(chunks) if chunks else np.empty(0)

    def mean_rate(self, seconds: float) -> float:
        """Expected arrivals per second over the first `seconds`, from the closed form.

        Raises NotImplementedError for a stream that has none: one that has still to be read from a file.
        """
        seconds = validation.length("seconds", seconds)
        return self._expected(seconds) / seconds

    def __add__(self, other: object) -> Stream:
        """Both at once (superposition), independent of one another. `sum([a, b, c])` works too."""
        if not isinstance(other, Stream):
            return NotImplemented
        parts = [stream.parts if isinstance(stream, Superposed) else (stream,) for stream in (self, other)]
        return Superposed((*parts[0], *parts[1]))

    def __radd__(self, other: object) -> Stream:
        """`sum` begins with 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: float) -> Stream:
        """`factor` times the rate. Raises ValueError for a factor that is no number from 0.

        A process with rates of its own keeps its course in time: `2 * Diurnal(peak=100)` is `Diurnal(peak=200)`, with a
        day as long as before. A stream of known times (Replay, Counts, a trace) has no rate to multiply: its time is
        compressed, t / factor, so that twice the rate is the same arrivals in half the time. For Constant and Poisson
        both are the same.
        """
        return self._scaled(validation.factor("factor", factor))

    __rmul__ = __mul__

    def shifted(self, seconds: float) -> Stream:
        """The same, later: nothing arrives for `seconds`, then the stream starts. ValueError for a negative shift."""
        return Shifted(self, seconds)

    def then(self, stream: Stream, at_s: float) -> Stream:
        """This stream until `at_s`, and from then on another, which starts there."""
        return Joined(self, stream, at_s)

    def thinned(self, keep_probability: float) -> Stream:
        """Each arrival is kept with this probability, independent of all others. ValueError outside of 0 to 1."""
        return Thinned(self, keep_probability)

    @abstractmethod
    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        """Ascending arrays of any size from 0. May go past `until_s`, but must come to an end or past it."""

    def _expected(self, seconds: float) -> float:
        """How many arrivals there are in the first `seconds` on average."""
        raise NotImplementedError(f"the mean rate of {type(self).__name__} has no closed form: count its times")

    def _scaled(self, factor: float) -> Stream:
        return Compressed(self, factor)

    def _within(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        """The arrivals before `until_s`, in chunks of 1 to CHUNK."""
        for times in self._arrivals(seeds, until_s):
            past = times.size > 0 and times[-1] >= until_s
            if past:
                times = times[: np.searchsorted(times, until_s)]
            for start in range(0, times.size, CHUNK):
                yield times[start : start + CHUNK]
            if past:
                return


def generator(seeds: SeedSequence) -> Generator:
    """SFC64, as in all of lambdanb's simulations: the fastest of NumPy's."""
    return Generator(SFC64(seeds))


def merged(parts: Sequence[Iterator[Times]]) -> Iterator[Times]:
    """Iterators of ascending, non-empty arrays as one. Holds one array of each."""
    waiting = [(times, part) for part in parts if (times := next(part, None)) is not None]
    while waiting:
        # Whatever comes later in a part is at or after the last of its array, so up to the least of these all is known.
        horizon_s = min(times[-1] for times, _ in waiting)
        taken, left = [], []
        for times, part in waiting:
            count = int(np.searchsorted(times, horizon_s, side="right"))
            taken.append(times[:count])
            rest = times[count:] if count < times.size else next(part, None)
            if rest is not None:
                left.append((rest, part))
        waiting = left
        # "stable" finds the sorted runs and merges them.
        yield np.sort(np.concatenate(taken), kind="stable")


@dataclass(frozen=True)
class Superposed(Stream):
    """Several streams at once, each with a seed of its own: what `a + b` gives."""

    parts: tuple[Stream, ...]

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        own_seeds = seeds.spawn(len(self.parts))
        return merged([part._within(own, until_s) for part, own in zip(self.parts, own_seeds, strict=True)])

    def _expected(self, seconds: float) -> float:
        return sum(part._expected(seconds) for part in self.parts)

    def _scaled(self, factor: float) -> Stream:
        return Superposed(tuple(part._scaled(factor) for part in self.parts))


@dataclass(frozen=True)
class Compressed(Stream):
    """A stream whose time runs `factor` times as fast: what `factor * stream` gives for known times."""

    stream: Stream
    factor: float

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.factor > 0:
            for times in self.stream._within(seeds, until_s * self.factor):
                yield times / self.factor

    def _expected(self, seconds: float) -> float:
        return self.stream._expected(seconds * self.factor)

    def _scaled(self, factor: float) -> Stream:
        return Compressed(self.stream, self.factor * factor)


@dataclass(frozen=True)
class Shifted(Stream):
    """A stream that starts `seconds` late: what `stream.shifted(seconds)` gives."""

    stream: Stream
    seconds: float

    def __post_init__(self) -> None:
        validation.seconds("seconds", self.seconds)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        for times in self.stream._within(seeds, max(until_s - self.seconds, 0.0)):
            yield times + self.seconds

    def _expected(self, seconds: float) -> float:
        return self.stream._expected(max(seconds - self.seconds, 0.0))

    def _scaled(self, factor: float) -> Stream:
        return Shifted(self.stream._scaled(factor), self.seconds)


@dataclass(frozen=True)
class Joined(Stream):
    """A stream until `at_s`, then another from its start: what `before.then(after, at_s)` gives."""

    before: Stream
    after: Stream
    at_s: float

    def __post_init__(self) -> None:
        if not isinstance(self.after, Stream):
            raise ValueError(f"then: what follows must be a stream, not {self.after!r:.80}")
        validation.seconds("at_s", self.at_s)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        before, after = seeds.spawn(2)
        yield from self.before._within(before, min(self.at_s, until_s))
        if until_s > self.at_s:
            for times in self.after._within(after, until_s - self.at_s):
                yield times + self.at_s

    def _expected(self, seconds: float) -> float:
        return self.before._expected(min(seconds, self.at_s)) + self.after._expected(max(seconds - self.at_s, 0.0))

    def _scaled(self, factor: float) -> Stream:
        return Joined(self.before._scaled(factor), self.after._scaled(factor), self.at_s)


@dataclass(frozen=True)
class Thinned(Stream):
    """A random part of a stream: what `stream.thinned(keep_probability)` gives."""

    stream: Stream
    keep_probability: float

    def __post_init__(self) -> None:
        validation.probability("keep_probability", self.keep_probability)

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        if self.keep_probability == 0:
            return
        arrivals, keeps = seeds.spawn(2)
        random = generator(keeps)
        for times in self.stream._within(arrivals, until_s):
            yield times[random.random(times.size) < self.keep_probability]

    def _expected(self, seconds: float) -> float:
        return self.stream._expected(seconds) * self.keep_probability

    def _scaled(self, factor: float) -> Stream:
        return Thinned(self.stream._scaled(factor), self.keep_probability)
