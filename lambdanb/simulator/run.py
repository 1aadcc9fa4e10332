"""One replication: draws the random numbers, feeds the kernel, and gives it room where it asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lambdanb.model.rules import Rules
from lambdanb.simulator import kernel, state
from lambdanb.simulator.bill import rates
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Fixed, Floats, Law
from lambdanb.simulator.state import FREE, RING_AT, Account, Environments, Functions, Places, Ring, Settings, Windows

FIRST_PLACES = 256
RING_CHANGES_AT = 4.0
"""The ring's buckets are chosen anew where the rate of arrivals is off by more than this factor."""


class Replication:
    """The state of one run of the kernel; `functions`, `windows` and `account` tell afterwards what came of it."""

    def __init__(
        self,
        models: Sequence[Simulated],
        rules: Rules,
        *,
        concurrency: int,
        seconds: float,
        windows: int,
        newest_created_first: bool,
        seed: int,
        compiled: bool = True,
    ) -> None:
        prices = rates(models, rules)
        reserved = sum(each.reserved or 0 for each in models)
        self.settings: Settings = state.settings(
            rules,
            prices,
            seconds=seconds,
            windows=windows,
            unreserved=concurrency - reserved,
            newest_created_first=newest_created_first,
        )
        self.functions: Functions = state.functions(models, prices, self.settings, concurrency)
        self.windows: Windows = state.windows(windows)
        self.account = Account(np.zeros(5, np.int64), np.zeros(1))
        provisioned = sum(each.provisioned for each in models)
        self.environments: Environments = state.environments(FIRST_PLACES + provisioned, self.account)
        state.start_provisioned(self.environments, self.functions, self.account)
        self._ring: Ring | None = None
        self._now_s = 0.0
        # One generator for each use: how many cold starts there are changes no duration.
        self._durations, self._failures, self._keep_alives, self._starts, self._firsts = (
            np.random.Generator(np.random.SFC64(each)) for each in np.random.SeedSequence(seed).spawn(5)
        )
        self._warm = [each.warm_law for each in models]
        self._start = [each.start_law for each in models]
        self._first = [each.first_law for each in models]
        self._keep_alive = [each.keep_alive_law for each in models]
        self._error_share = np.array([each.error_share for each in models])
        self._draws_keep_alive = not all(isinstance(each, Fixed) for each in self._keep_alive)
        choose: Callable[[Any], Any] = (lambda function: function) if compiled else kernel.uncompiled
        self._simulate_chunk = choose(kernel.simulate_chunk)
        self._end_expired = choose(kernel.end_expired)
        self._rebuild_ring = choose(kernel.rebuild_ring)
        self._warm_s, self._keep_s = np.empty(0), np.empty(0)

    def run(self, arrivals: Iterator[tuple[Floats, Places]]) -> None:
        """Simulate all arrivals, then what is over by the end of the run."""
        for arrival_s, function in arrivals:
            if len(arrival_s):
                self._chunk(arrival_s, function)
        self._feed(
            np.array([self.settings.seconds]), np.array([-1], np.int32), np.zeros(1), np.empty(0, bool), np.empty(0)
        )
        self._end_expired(self.environments, self.functions, self.windows, self.account, self.settings)

    def _chunk(self, arrival_s: Floats, function: Places) -> None:
        count = len(arrival_s)
        if len(self._warm_s) < count:
            self._warm_s = np.empty(count)
            self._keep_s = np.empty(count if self._draws_keep_alive else 0)
        warm_s, keep_s = self._warm_s[:count], self._keep_s[:count]
        _draw_each(self._warm, function, self._durations, warm_s)
        if self._draws_keep_alive:
            _draw_each(self._keep_alive, function, self._keep_alives, keep_s)
        failed = np.empty(0, bool)
        if self._error_share.any():
            failed = self._failures.random(count) < self._error_share[function]
        self._set_ring(_rate(arrival_s))
        self._feed(arrival_s, function, warm_s, failed, keep_s)

    def _feed(
        self, arrival_s: Floats, function: Places, warm_s: Floats, failed: np.ndarray[Any, Any], keep_s: Floats
    ) -> None:
        if self._ring is None:
            self._set_ring(None)
        done = 0
        while True:
            done = self._simulate_chunk(
                arrival_s,
                function,
                warm_s,
                failed,
                keep_s,
                done,
                self.environments,
                self._ring,
                self.functions,
                self.windows,
                self.account,
                self.settings,
            )
            if done == len(arrival_s):
                self._now_s = float(arrival_s[-1])
                return
            f = function[done]
            if self.functions.start_at[f] >= self.functions.start_s.shape[1]:
                self._start[f].draw(self._starts, self.functions.start_s[f])
                if (first := self._first[f]) is not None:
                    first.draw(self._firsts, self.functions.first_s[f])
                self.functions.start_at[f] = 0
            if self.account.integers[FREE] < 0:
                self.environments = state.with_more_places(self.environments, self.account)

    def _set_ring(self, rate: float | None) -> None:
        """Buckets for a rate of arrivals (None: whatever it is now), twice as many as there can be departures."""
        old = self._ring
        length = 1 << (2 * len(self.environments.link)).bit_length()
        if old is not None:
            off = 1.0 if rate is None else max(rate / old.buckets_per_s, old.buckets_per_s / rate)
            if off <= RING_CHANGES_AT and length <= len(old.head):
                return
        buckets_per_s = rate or (old.buckets_per_s if old else 1.0)
        self._ring = Ring(np.full(length, -1, np.int32), float(buckets_per_s))
        if old is not None:
            self._rebuild_ring(old, self._ring, self.environments.departure_s, self.environments.link)
        self.account.integers[RING_AT] = int(self._now_s * buckets_per_s)


def _rate(arrival_s: Floats) -> float | None:
    """Arrivals per second in a chunk; None where it spans no time."""
    span_s = arrival_s[-1] - arrival_s[0]
    return len(arrival_s) / span_s if span_s > 0 else None


def _draw_each(laws: Sequence[Law], function: Places, random: np.random.Generator, out: Floats) -> None:
    """Fill `out` with a draw of each one's function's law."""
    if len(laws) == 1:
        laws[0].draw(random, out)
        return
    order = np.argsort(function, kind="stable")
    present, starts = np.unique(function[order], return_index=True)
    drawn = np.empty(len(function))
    for f, start, end in zip(present, starts, [*starts[1:], len(function)], strict=True):
        laws[f].draw(random, drawn[start:end])
    out[order] = drawn
