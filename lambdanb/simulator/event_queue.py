"""The queues of event (asynchronous) invocations: retries, back-off, maximum age, as the executor and AWS have them.

The kernel knows attempts only. This merges the retries that are due into the stream's arrivals, slice by slice: no
slice reaches past the first retry that an attempt in it may cause. That is 60 s after a function error, and 1 s after a
throttle, before which the kernel returns.

Memory is in proportion to the events that wait.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambdanb.simulator.buckets import EDGES_S
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import BACKOFF_S, BUCKETS, FAILED, Integers, Outcomes, Places

FIRST_RETRY_S, SECOND_RETRY_S = 60.0, 120.0
LONGEST_BACKOFF_S = 300.0

# Columns of Queues.counts
EVENTS, SUCCEEDED, RETRIED, THROTTLED, RETRIES_EXHAUSTED, AGE_EXCEEDED = range(6)
COUNTS = ("events", "succeeded", "retried", "throttled", "retries_exhausted", "age_exceeded")


class Attempts(NamedTuple):
    """One entry per attempt, in order of time."""

    at_s: Floats
    function: Places
    queued_s: Floats
    """When the event came."""
    errors: Integers
    """Earlier attempts that ended in a function error."""
    throttles: Integers
    """Times that it was throttled since."""

    def only(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Attempts:
        """Some of them."""
        return Attempts(
            self.at_s[which], self.function[which], self.queued_s[which], self.errors[which], self.throttles[which]
        )


Simulate = Callable[[Floats, Places], tuple[int, Outcomes]]
"""Simulates attempts; how many of them it came to, and what became of these."""


class Queues:
    """The queues of all functions. `invoked` tells which functions have one."""

    def __init__(self, models: Sequence[Simulated]) -> None:
        self.invoked = np.array([each.event is not None for each in models])
        self.counts = np.zeros((len(models), len(COUNTS)), np.int64)
        self.ages = np.zeros((len(models), BUCKETS), np.int64)
        """Functions x buckets: how long after it came an event's successful attempt began."""
        self._most_retries = np.array(
            [0 if each.event is None else each.event.maximum_retry_attempts for each in models]
        )
        self._most_age_s = np.array(
            [math.inf if each.event is None else each.event.maximum_event_age_s for each in models]
        )
        self._waiting = Attempts(
            np.empty(0), np.empty(0, np.int32), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
        )
        self._slice_s = FIRST_RETRY_S

    def waiting(self, function: int) -> int:
        """Events of a function that wait for another attempt."""
        return int((self._waiting.function == function).sum())

    def run(self, arrivals: Iterator[tuple[Floats, Places]], until_s: float, simulate: Simulate) -> None:
        """Simulate all arrivals, and the retries before `until_s`."""
        for at_s, function in arrivals:
            if len(at_s):
                none = np.zeros(len(at_s), np.int64)
                # What waits until after the chunk's last arrival comes among those of the next chunk.
                self._run(Attempts(at_s, function, at_s, none, none), math.nextafter(at_s[-1], math.inf), simulate)
        self._run(self._waiting.only(slice(0)), until_s, simulate)

    def _run(self, new: Attempts, until_s: float, simulate: Simulate) -> None:
        while True:
            first_s = min(new.at_s[0] if len(new.at_s) else math.inf, self._waiting.at_s.min(initial=math.inf))
            if first_s >= until_s:
                return
            end_s = min(first_s + self._slice_s, until_s)
            due = self._waiting.at_s < end_s
            count = int(np.searchsorted(new.at_s, end_s))
            attempts = _together(self._waiting.only(due), new.only(slice(count)))
            done, outcomes = simulate(attempts.at_s, attempts.function)
            self._count(attempts.only(slice(done)), outcomes)
            # What it didn't come to: new arrivals and retries alike wait, in order, for the next slice.
            self._waiting = _together(self._waiting.only(~due), attempts.only(slice(done, None)))
            self._requeue(attempts.only(slice(done)), outcomes)
            new = new.only(slice(count, None))
            self._slice_s = min(2 * self._slice_s, FIRST_RETRY_S) if done == len(attempts.at_s) else BACKOFF_S

    def _count(self, attempts: Attempts, outcomes: Outcomes) -> None:
        queued = self.invoked[attempts.function]
        throttled, failed = outcomes.outcome == 0, (outcomes.outcome & FAILED) > 0
        is_first = (attempts.errors == 0) & (attempts.throttles == 0)
        succeeded = queued & ~throttled & ~failed
        for column, which in (
            (EVENTS, queued & is_first),
            (SUCCEEDED, succeeded),
            (RETRIED, queued & ~throttled & (attempts.errors > 0)),
            (THROTTLED, queued & throttled),
        ):
            self._add(column, attempts.function[which])
        age_s = attempts.at_s[succeeded] - attempts.queued_s[succeeded]
        place = np.searchsorted(EDGES_S, age_s, side="right") - 1
        np.add.at(self.ages, (attempts.function[succeeded], place), 1)

    def _requeue(self, attempts: Attempts, outcomes: Outcomes) -> None:
        """Put the attempts that failed or were throttled back, but for those that are given up."""
        throttled, failed = outcomes.outcome == 0, (outcomes.outcome & FAILED) > 0
        back = self.invoked[attempts.function] & (throttled | failed)
        if not back.any():
            return
        whole_s, throttled, attempts = outcomes.whole_s[back], throttled[back], attempts.only(back)
        errors = attempts.errors + ~throttled
        backoff_s = np.minimum(BACKOFF_S * 2.0 ** np.minimum(attempts.throttles, 60), LONGEST_BACKOFF_S)
        retry_s = whole_s + np.where(errors == 1, FIRST_RETRY_S, SECOND_RETRY_S)
        at_s = attempts.at_s + np.where(throttled, backoff_s, retry_s)
        exhausted = errors > self._most_retries[attempts.function]
        too_old = ~exhausted & (at_s - attempts.queued_s > self._most_age_s[attempts.function])
        self._add(RETRIES_EXHAUSTED, attempts.function[exhausted])
        self._add(AGE_EXCEEDED, attempts.function[too_old])
        throttles = np.where(throttled, attempts.throttles + 1, 0)
        again = Attempts(at_s, attempts.function, attempts.queued_s, errors, throttles)
        self._waiting = _together(self._waiting, again.only(~exhausted & ~too_old))

    def _add(self, column: int, function: Places) -> None:
        self.counts[:, column] += np.bincount(function, minlength=len(self.counts))


def _together(one: Attempts, other: Attempts) -> Attempts:
    """Both, in order of time."""
    if not len(one.at_s):
        return other
    both = Attempts(
        np.concatenate([one.at_s, other.at_s]),
        np.concatenate([one.function, other.function]),
        np.concatenate([one.queued_s, other.queued_s]),
        np.concatenate([one.errors, other.errors]),
        np.concatenate([one.throttles, other.throttles]),
    )
    return both.only(np.argsort(both.at_s, kind="stable"))
