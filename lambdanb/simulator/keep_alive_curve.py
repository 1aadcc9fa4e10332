"""Cold starts and idle environments for every keep-alive at once, from one pass over a function's invocations.

The environment used most recently is reused first, so the idle ones are a stack. Where durations don't depend on
whether an invocation is cold, the number busy doesn't depend on the keep-alive; and the environment that serves the
k-th of k concurrent invocations is the one that fell idle when their number last went from k to k-1. So the invocation
is cold if that gap is longer than the keep-alive, whatever the keep-alive is, and each gap costs min(gap, keep-alive)
of idle time: the distribution of the gaps is the whole curve. (The idea is that of stack distances: Mattson, Gecsei,
Slutz, Traiger: Evaluation techniques for storage hierarchies, IBM Systems Journal 9, 1970.)

    curve = keep_alive_curve(Poisson(5), 0.3, seconds=100_000)
    curve.cold_share(600)                          # of one keep-alive, or of an array of them
    ax.plot(curve.keep_alives_s, curve.cold_share(curve.keep_alives_s))

Exact for one function, no limit of concurrency, and a keep-alive that is a fixed number: for others there are
`simulate` and `policies.replay_policy`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lambdanb.model.histogram import GROWTH
from lambdanb.model.numbers import is_number

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = float | Floats
Draw: TypeAlias = Callable[[np.random.Generator, int], Floats]

_PER_LOG = 1 / math.log(GROWTH)
_SHORTEST_S = 1e-6
_LONGEST_S = 1e10
_FIRST = math.floor(math.log(_SHORTEST_S) * _PER_LOG)
_BINS = math.floor(math.log(_LONGEST_S) * _PER_LOG) - _FIRST + 1
_BATCH = 65_536


class Arrivals(Protocol):
    """What is needed of a stream of `lambdanb.streams`: arrival times in seconds, ascending, all < until_s."""

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Floats]: ...


@dataclass(frozen=True, eq=False)
class KeepAliveCurve:
    """What `keep_alive_curve` gives. Methods take a keep-alive in seconds from 0, or an array of them.

    An environment is kept for the keep-alive and not longer: an invocation exactly that long after the last is warm.
    Gaps are counted in bins 1 % wide that know their least and greatest gap: a keep-alive that is not between these two
    is answered exactly, and between them the others count as spread evenly.

    invocations      how many there were
    seconds          the length of the run
    peak             the greatest number of concurrent invocations: so many are cold whatever the keep-alive
    busy_s           environment-seconds of running
    keep_alives_s    keep-alives at which the curve steps, ascending, at most one per 1 %: for plotting
    """

    invocations: int
    seconds: float
    peak: int
    busy_s: float
    keep_alives_s: Floats
    _lows: Floats
    _warm: Floats
    _warm_idle_s: Floats
    _open: Floats
    _open_idle_s: Floats

    def cold_starts(self, keep_alive_s: ArrayLike) -> Numbers:
        """How many invocations start an environment."""
        return _plain(self.invocations - self._warm_of(_checked(keep_alive_s))[0])

    def cold_share(self, keep_alive_s: ArrayLike) -> Numbers:
        """The share of invocations that start an environment; 0 if there were no invocations."""
        return _plain(np.asarray(self.cold_starts(keep_alive_s)) / max(self.invocations, 1))

    def idle_s(self, keep_alive_s: ArrayLike) -> Numbers:
        """Environment-seconds of being kept idle, until the end of the run."""
        kept = _checked(keep_alive_s)
        warm, idle_s = self._warm_of(kept)
        expired = self.invocations - self.peak - warm
        ended = np.searchsorted(self._open, kept, side="right")
        idle_s = idle_s + expired * kept + self._open_idle_s[ended] + (len(self._open) - ended) * kept
        return _plain(idle_s)

    def environments(self, keep_alive_s: ArrayLike) -> Numbers:
        """The mean number of environments over the run, busy and idle."""
        return _plain((self.busy_s + np.asarray(self.idle_s(keep_alive_s))) / self.seconds)

    def _warm_of(self, kept: Floats) -> tuple[Floats, Floats]:
        """How many gaps aren't longer than the keep-alive, and their sum."""
        below = np.searchsorted(self.keep_alives_s, kept, side="right")
        warm, idle_s = self._warm[below], self._warm_idle_s[below]
        if len(self._lows):
            here = np.minimum(below, len(self._lows) - 1)
            inside = (below < len(self._lows)) & (self._lows[here] <= kept)
            low, high = self._lows[here], self.keep_alives_s[here]
            others = self._warm[here + 1] - self._warm[here] - 2
            others = others * (kept - low) / np.where(inside, high - low, 1)
            warm = warm + np.where(inside, 1 + others, 0)
            idle_s = idle_s + np.where(inside, low + others * (low + kept) / 2, 0)
        return warm, idle_s


def keep_alive_curve(
    arrivals: Arrivals | ArrayLike, durations_s: Draw | ArrayLike, *, seconds: float | None = None, seed: int = 0
) -> KeepAliveCurve:
    """The curve of the invocations that arrive in the first `seconds`.

    arrivals      a stream, or an array of arrival times in seconds from the start, ascending
    durations_s   how long each keeps its environment: a number, a function `(generator, n) -> n seconds` to draw from,
                  or an array beside that of the arrivals
    seconds       the length; needed for a stream; of arrays, by default, until the last invocation has ended. Busy and
                  idle time count until then
    seed          of the stream and of what is drawn

    Memory is in proportion to the greatest concurrency. ValueError says which value is wrong, and where.
    """
    if seconds is not None and not (is_number(seconds) and math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds is {seconds!r}: it must be a finite number above 0")
    run = _Run(seconds)
    for times, durations in _batches(arrivals, durations_s, seconds, seed):
        run.add(times, durations)
    return run.curve()


def _batches(
    arrivals: Arrivals | ArrayLike, durations_s: Draw | ArrayLike, seconds: float | None, seed: int
) -> Iterator[tuple[Floats, Floats]]:
    """Arrival times and durations, batch by batch."""
    draw = durations_s if callable(durations_s) else _drawing(durations_s)
    random = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(1,))))
    if hasattr(arrivals, "chunks"):
        if seconds is None:
            raise ValueError("seconds must be given with a stream: it may have no end")
        for times in arrivals.chunks(seed, seconds):
            yield times, _drawn(draw, random, len(times))
        return
    array = _numbers("arrivals", arrivals)
    if array.ndim != 1:
        raise ValueError(f"arrivals must be a stream or an array of one dimension; it has {array.ndim}")
    if callable(durations_s) or np.ndim(durations_s) == 0:
        durations = _drawn(draw, random, len(array))
    else:
        durations = _numbers("durations_s", durations_s)
        if durations.shape != array.shape:
            raise ValueError(f"durations_s has the shape {durations.shape}, arrivals {array.shape}: one for each")
    if seconds is not None:
        within = ~(array >= seconds)
        array, durations = array[within], durations[within]
    for start in range(0, len(array), _BATCH):
        yield array[start : start + _BATCH], durations[start : start + _BATCH]


def _drawing(durations_s: ArrayLike) -> Draw:
    """A function that gives n times the same number; one that refuses an array, which a stream can't go with."""

    def draw(random: np.random.Generator, n: int) -> Floats:
        if np.ndim(durations_s) != 0:
            raise ValueError("durations_s of a stream must be a number or a function (generator, n) -> n seconds")
        return np.full(n, _numbers("durations_s", durations_s))

    return draw


def _drawn(draw: Draw, random: np.random.Generator, n: int) -> Floats:
    durations = _numbers("durations_s", draw(random, n))
    if durations.shape != (n,):
        raise ValueError(f"durations_s gave an array of the shape {durations.shape} when asked for {n} durations")
    return durations


class _Run:
    """The pass: those under way in a heap by their ends, for each level since when it is idle, and the bins of gaps."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._ends = np.empty(64)
        self._idle_since = np.empty(65)
        self._busy = self._peak = self._invocations = 0
        self._busy_s = self._last_end = self._last_arrival = 0.0
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self._sums = np.zeros(_BINS)
        self._lows = np.full(_BINS, math.inf)
        self._highs = np.zeros(_BINS)

    def add(self, times: Floats, durations: Floats) -> None:
        if not len(times):
            return
        self._check(times, durations)
        done = 0
        while done < len(times):
            done, self._busy, self._peak = _pass(
                times, durations, done, self._busy, self._peak, self._ends, self._idle_since,
                self._counts, self._sums, self._lows, self._highs,
            )  # fmt: skip
            if done < len(times):
                self._ends = np.concatenate((self._ends, np.empty(len(self._ends))))
                self._idle_since = np.concatenate((self._idle_since, np.empty(len(self._idle_since))))
        self._invocations += len(times)
        self._last_arrival = float(times[-1])
        self._last_end = max(self._last_end, float((times + durations).max()))
        until = math.inf if self._seconds is None else self._seconds
        self._busy_s += float(np.minimum(durations, until - times).sum())

    def _check(self, times: Floats, durations: Floats) -> None:
        wrong = ~(np.diff(times, prepend=self._last_arrival) >= 0) | ~np.isfinite(times)
        if wrong.any():
            place = int(np.argmax(wrong))
            before = float(times[place - 1]) if place else self._last_arrival
            raise ValueError(
                f"arrival {self._invocations + place} is at {times[place]:g} s, after one at {before:g} s: arrivals "
                "must be finite, ascending and from 0"
            )
        wrong = ~(np.isfinite(durations) & (durations >= 0))
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ValueError(
                f"duration {self._invocations + place} is {durations[place]:g} s: it must be a finite number from 0"
            )

    def curve(self) -> KeepAliveCurve:
        seconds = self._last_end if self._seconds is None else self._seconds
        if not seconds:
            raise ValueError("there are no arrivals: give seconds to say how long the run without any was")
        level = self._busy
        for end in np.sort(self._ends[: self._busy]):
            if end <= seconds:
                self._idle_since[level] = end
                level -= 1
        still_idle = np.sort(seconds - self._idle_since[level + 1 : self._peak + 1])
        used = self._counts > 0
        counts, sums, lows, highs = self._counts[used], self._sums[used], self._lows[used], self._highs[used]
        return KeepAliveCurve(
            invocations=self._invocations,
            seconds=seconds,
            peak=self._peak,
            busy_s=self._busy_s,
            keep_alives_s=highs,
            _lows=lows,
            _warm=np.concatenate(([0], np.cumsum(counts))).astype(np.float64),
            _warm_idle_s=np.concatenate(([0.0], np.cumsum(sums))),
            _open=still_idle,
            _open_idle_s=np.concatenate(([0.0], np.cumsum(still_idle))),
        )


@njit(cache=True, nogil=True)
def _pass(
    times: Any, durations: Any, start: int, busy: int, peak: int, ends: Any, idle_since: Any,
    counts: Any, sums: Any, lows: Any, highs: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Take in the invocations from `start`; (where it stopped for want of room, busy, peak).

    ends         a binary heap of `busy` times, the next first
    idle_since   for each level 1..peak that isn't busy: when the number busy last fell from it
    """
    for at in range(start, len(times)):
        now = times[at]
        while busy > 0 and ends[0] <= now:
            idle_since[busy] = ends[0]
            busy -= 1
            moved = ends[busy]
            hole = 0
            while True:
                child = 2 * hole + 1
                if child >= busy:
                    break
                if child + 1 < busy and ends[child + 1] < ends[child]:
                    child += 1
                if ends[child] >= moved:
                    break
                ends[hole] = ends[child]
                hole = child
            ends[hole] = moved
        if busy == len(ends):
            return at, busy, peak
        end = now + durations[at]
        hole = busy
        while hole > 0:
            parent = (hole - 1) >> 1
            if ends[parent] <= end:
                break
            ends[hole] = ends[parent]
            hole = parent
        ends[hole] = end
        busy += 1
        if busy > peak:
            peak = busy
            continue
        gap = now - idle_since[busy]
        bin_ = 0
        if gap > _SHORTEST_S:
            bin_ = min(max(math.floor(math.log(gap) * _PER_LOG) - _FIRST, 0), _BINS - 1)
        counts[bin_] += 1
        sums[bin_] += gap
        lows[bin_] = min(lows[bin_], gap)
        highs[bin_] = max(highs[bin_], gap)
    return len(times), busy, peak


def _checked(keep_alive_s: ArrayLike) -> Floats:
    array = _numbers("keep_alive_s", keep_alive_s)
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        raise ValueError(f"keep_alive_s is {array[wrong].flat[0]:g}: it must be a finite number from 0")
    return array


def _numbers(name: str, value: Any) -> Floats:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r:.80}: it must be a number, or an array of numbers") from None


def _plain(array: Floats) -> Numbers:
    """A float for an array of no dimensions."""
    return float(array) if np.ndim(array) == 0 else array
