"""Keep-alive policies: for how long an idle environment is kept, and from when.

A policy is told each idle time of its function and asked, each time that an environment falls idle, for a `Window`:
the environment is unloaded at once, loaded again `pre_warm_s` later, and kept for `keep_alive_s` from then on; with a
`pre_warm_s` of 0 it is just kept. What comes in the window is warm.

A policy may learn, so that every function needs one of its own.

    replay_policy(Fixed(600), arrivals_s, durations_s)
    replay_policy(HybridHistogram(), arrivals_s, durations_s)
    replay_policy(OwnPolicy(lambda idle_times_s: 2 * max(idle_times_s, default=300)), arrivals_s, durations_s)
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lambdanb.model import keep_alive


@dataclass(frozen=True)
class Window:
    """From when after falling idle an environment is loaded, and for how long it then is kept; seconds from 0."""

    pre_warm_s: float
    keep_alive_s: float

    def __post_init__(self) -> None:
        for name in ("pre_warm_s", "keep_alive_s"):
            value = getattr(self, name)
            if not _is_time(value):
                raise ValueError(f"{name} is {value!r}: it must be a finite number of seconds from 0")

    @property
    def end_s(self) -> float:
        """When it is unloaded, counted from when it fell idle."""
        return self.pre_warm_s + self.keep_alive_s


class Policy(Protocol):
    """What the simulator needs of a policy, which serves one function."""

    def observe(self, idle_s: float) -> None:
        """An invocation came `idle_s` after the environment that it would reuse fell idle, kept until then or not."""

    def window(self) -> Window:
        """For an environment that falls idle now."""


class KeepAlivePolicyError(RuntimeError):
    """A policy of one's own raised, or gave what is no keep-alive: says which, where it is, and what it was given."""


def window_of(policy: Policy) -> Window:
    """What a policy says for an environment that falls idle now. KeepAlivePolicyError if it fails."""
    try:
        window: object = policy.window()
    except KeepAlivePolicyError:
        raise
    except Exception as error:
        raise _failed(policy, "window", error) from error
    if not isinstance(window, Window):
        raise KeepAlivePolicyError(f"{type(policy).__qualname__}.window() gave {window!r:.80}: it must give a Window")
    return window


def tell(policy: Policy, idle_s: float) -> None:
    """Have a policy observe an idle time. KeepAlivePolicyError if it raises."""
    try:
        policy.observe(idle_s)
    except Exception as error:
        raise _failed(policy, "observe", error) from error


def is_policy(value: object) -> bool:
    """Whether it has what a policy, or the class of one, must have."""
    return all(callable(getattr(value, name, None)) for name in ("observe", "window"))


def _failed(policy: Policy, method: str, error: Exception) -> KeepAlivePolicyError:
    return KeepAlivePolicyError(f"{type(policy).__qualname__}.{method}() raised {type(error).__name__}: {error}")


class Fixed:
    """Every environment is kept equally long: what AWS is seen to do, and the paper's base line."""

    def __init__(self, seconds: float) -> None:
        self._window = Window(0.0, seconds)

    def observe(self, idle_s: float) -> None:
        """Nothing to learn."""

    def window(self) -> Window:
        """The same one always."""
        return self._window


class Distribution:
    """How long an environment is kept is drawn each time, from a law as `model.keep_alive` has them:
    `Distribution({"law": "uniform", "low_s": 300, "high_s": 420})`.
    """

    def __init__(self, law: Mapping[str, Any], seed: int = 0) -> None:
        flaw = keep_alive.flaw(law)
        if flaw:
            raise ValueError(f"keep-alive {law!r}: {flaw}")
        self._law = law
        self._random = Random(seed)

    def observe(self, idle_s: float) -> None:
        """Nothing to learn."""

    def window(self) -> Window:
        """One of a length drawn anew."""
        return Window(0.0, keep_alive.draw(self._law, self._random))


class HybridHistogram:
    """The hybrid histogram policy of "Serverless in the Wild", without its time series model.

    Idle times are counted in bins of a minute up to 4 hours; longer ones are out of bounds. Where they make a pattern,
    the environment is loaded again a little before the next invocation is likely and kept a little longer than it
    likely comes: from the 5th percentile (the lower edge of its bin, less 10 %) to the 99th (the upper edge, and 10 %).
    A head that begins in the first minute leaves the environment loaded.

    There is no pattern, and the environment is kept for the whole range of 4 hours, if

    - nothing was seen yet;
    - the bins' counts are too even: their coefficient of variation (standard deviation over mean) is under 2;
    - most idle times are out of bounds. The paper forecasts these by ARIMA, which this class leaves out: such functions
      come off worse here than in the paper.

    Source: Shahrad, Fonseca, Goiri and others: Serverless in the Wild, USENIX ATC 2020, section 4.
    """

    BIN_S = 60.0
    BINS = 240
    HEAD_PERCENT = 5
    TAIL_PERCENT = 99
    MARGIN = 0.1
    EVEN_BELOW = 2.0
    OUT_OF_BOUNDS_FROM = 0.5

    def __init__(self) -> None:
        self._counts = [0] * self.BINS
        self._seen = 0
        self._squares = 0
        self._out_of_bounds = 0
        self._known: Window | None = None

    def observe(self, idle_s: float) -> None:
        """Count it in its bin."""
        place = int(idle_s // self.BIN_S)
        self._known = None
        if place >= self.BINS:
            self._out_of_bounds += 1
            return
        self._squares += 2 * self._counts[place] + 1
        self._counts[place] += 1
        self._seen += 1

    def window(self) -> Window:
        """By the counts so far: a pattern's, or the whole range."""
        if self._known is None:
            self._known = self._pattern() if self._has_pattern() else Window(0.0, self.BINS * self.BIN_S)
        return self._known

    def variation(self) -> float:
        """The coefficient of variation of the bins' counts; 0 if nothing was seen."""
        if not self._seen:
            return 0.0
        mean = self._seen / self.BINS
        return math.sqrt(max(self._squares / self.BINS - mean**2, 0.0)) / mean

    def _has_pattern(self) -> bool:
        if not self._seen or self._out_of_bounds > self.OUT_OF_BOUNDS_FROM * (self._seen + self._out_of_bounds):
            return False
        return self.variation() >= self.EVEN_BELOW

    def _pattern(self) -> Window:
        head_s = self._bin_of(self.HEAD_PERCENT) * self.BIN_S * (1 - self.MARGIN)
        tail_s = (self._bin_of(self.TAIL_PERCENT) + 1) * self.BIN_S * (1 + self.MARGIN)
        return Window(head_s, tail_s - head_s)

    def _bin_of(self, percent: float) -> int:
        """The bin of the idle time that `percent` of them don't pass (the nearest rank)."""
        rank = max(math.ceil(self._seen * percent / 100), 1)
        for place, count in enumerate(self._counts):
            rank -= count
            if rank <= 0:
                return place
        raise AssertionError("the counts sum up to what was seen")


Decision: TypeAlias = Callable[[Sequence[float]], float | Window]
"""What `OwnPolicy` takes: the idle times in, seconds or a `Window` out."""


class OwnPolicy:
    """A policy that is a Python function: given the last 1,000 idle times in seconds, oldest first, it gives how long
    to keep the environment that falls idle now: a number of seconds, or a `Window`.
    """

    REMEMBERED = 1000

    def __init__(self, function: Decision) -> None:
        if not callable(function):
            raise ValueError(f"a keep-alive policy must be a function of the idle times, not {function!r}")
        self._function = function
        self._idle_times_s: deque[float] = deque(maxlen=self.REMEMBERED)

    def observe(self, idle_s: float) -> None:
        """Remember it."""
        self._idle_times_s.append(idle_s)

    def window(self) -> Window:
        """What the function says; KeepAlivePolicyError where it raises, or says what can't be."""
        given = list(self._idle_times_s)
        try:
            answer: object = self._function(given)
        except Exception as error:
            raise KeepAlivePolicyError(f"{self._who(given)} raised {type(error).__name__}: {error}") from error
        if isinstance(answer, Window):
            return answer
        if not _is_time(answer):
            raise KeepAlivePolicyError(
                f"{self._who(given)} gave {answer!r}: it must give a finite number of seconds from 0, or a Window"
            )
        return Window(0.0, float(answer))  # type: ignore[arg-type]

    def _who(self, given: list[float]) -> str:
        name = getattr(self._function, "__qualname__", repr(self._function))
        code = getattr(self._function, "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
        seen = f"{len(given)} idle times, the last {given[-1]:g} s" if given else "no idle times yet"
        return f"keep-alive policy {name}{where}, given {seen},"


def policy_of(keep_alive_s: float | Mapping[str, Any] | Decision, seed: int = 0) -> Policy:
    """The policy that a keep-alive stands for: a number of seconds, a law (a dict), or a function of one's own."""
    if isinstance(keep_alive_s, Mapping):
        return Distribution(keep_alive_s, seed)
    return OwnPolicy(keep_alive_s) if callable(keep_alive_s) else Fixed(keep_alive_s)


class Replay(NamedTuple):
    """How many invocations started an environment; environment-seconds of being loaded and idle."""

    cold_starts: int
    idle_s: float


@dataclass(slots=True)
class _Idle:
    since_s: float
    window: Window

    def is_loaded(self, now_s: float) -> bool:
        return self.window.pre_warm_s <= now_s - self.since_s <= self.window.end_s

    def loaded_s(self, now_s: float) -> float:
        """For how long it has been loaded since it fell idle."""
        return max(min(now_s - self.since_s, self.window.end_s) - self.window.pre_warm_s, 0.0)


def replay_policy(policy: Policy, arrivals_s: ArrayLike, durations_s: ArrayLike) -> Replay:
    """What a policy makes of one function's invocations, without a limit of concurrency.

    `arrivals_s` ascend; `durations_s` are a number or one for each, cold or warm. The loaded environment used most
    recently is reused first; where none is loaded an environment starts, in the place of the one used most recently.
    Idle time counts until the last invocation ends, so that `Fixed` agrees with `keep_alive_curve`.

    The policy must be new: it keeps what it learns. Some microseconds an invocation. Raises ValueError for what can't
    be, and KeepAlivePolicyError where the policy raises or gives no Window.
    """
    if isinstance(policy, type) or not is_policy(policy):
        raise ValueError(
            f"{policy!r:.80} is no keep-alive policy, which has observe and window: policy_of makes one of a number, a "
            "law or a function; call a class to make one"
        )
    arrivals = np.asarray(arrivals_s, dtype=np.float64)
    durations = np.asarray(durations_s, dtype=np.float64)
    if durations.ndim == 0:
        durations = np.full(arrivals.shape, durations)
    _check(arrivals, durations)
    ends: list[float] = []
    idle: list[_Idle] = []
    cold_starts, idle_s = 0, 0.0

    def fall_idle(now_s: float) -> None:
        while ends and ends[0] <= now_s:
            idle.append(_Idle(ends.pop(0), window_of(policy)))

    for arrival, duration in zip(arrivals.tolist(), durations.tolist(), strict=True):
        fall_idle(arrival)
        place = next((at for at in range(len(idle) - 1, -1, -1) if idle[at].is_loaded(arrival)), None)
        cold_starts += place is None
        if idle:
            used = idle.pop(-1 if place is None else place)
            idle_s += used.loaded_s(arrival)
            tell(policy, arrival - used.since_s)
        bisect.insort(ends, arrival + duration)
    if ends:
        end_s = ends[-1]
        fall_idle(end_s)
        idle_s += sum(each.loaded_s(end_s) for each in idle)
    return Replay(cold_starts, idle_s)


def _check(arrivals: NDArray[np.float64], durations: NDArray[np.float64]) -> None:
    if arrivals.ndim != 1:
        raise ValueError(f"arrivals_s must be an array of one dimension; it has {arrivals.ndim}")
    if durations.shape != arrivals.shape:
        raise ValueError(f"durations_s has the shape {durations.shape}, arrivals_s {arrivals.shape}: one for each")
    wrong = ~(np.isfinite(arrivals) & (np.diff(arrivals, prepend=0.0) >= 0))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(f"arrival {place} is at {arrivals[place]:g} s: arrivals must be finite, ascending and from 0")
    wrong = ~(np.isfinite(durations) & (durations >= 0))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(f"duration {place} is {durations[place]:g} s: it must be a finite number from 0")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0 <= float(value) < math.inf
