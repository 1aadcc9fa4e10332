"""One replication: feeds the kernel, and gives it room and cold starts where it asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lambdanb.model.rules import Rules
from lambdanb.simulator import counting, kernel, ring, state
from lambdanb.simulator.bill import rates
from lambdanb.simulator.draws import Drawn, Draws
from lambdanb.simulator.event_queue import Queues
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.keeping import Keeping
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import (
    FREE,
    QUIET_UNTIL_S,
    WORD_AT,
    Account,
    Environments,
    Functions,
    Outcomes,
    Places,
    Ring,
    Settings,
    Windows,
)
from lambdanb.simulator.uncompiled import uncompiled

FIRST_PLACES = 256
RING_CHANGES_AT = 4.0
"""The ring's slots are chosen anew where the rate of arrivals is off by more than this factor."""


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
        self.account = Account(np.zeros(5, np.int64), np.zeros(2))
        provisioned = sum(each.provisioned for each in models)
        self.environments: Environments = state.environments(FIRST_PLACES + provisioned, self.account)
        state.start_provisioned(self.environments, self.functions, self.account)
        self._ring: Ring | None = None
        self._now_s = 0.0
        # One generator for each use: how many cold starts there are changes no duration.
        seeds = np.random.SeedSequence(seed).spawn(5)
        self._draws = Draws(models, seeds[:3])
        self._starts, self._firsts = (np.random.Generator(np.random.SFC64(each)) for each in seeds[3:])
        self._start = [each.start_law for each in models]
        self._first = [each.first_law for each in models]
        alone = len(models) == 1 and models[0].reserved is None and not models[0].provisioned
        self._several = None if alone else True
        self._outside = True if self.functions.outside_s.any() else None
        self.queues = Queues(models) if any(each.event for each in models) else None
        self._by_event = None if self.queues is None else self.queues.invoked
        self._keeping = Keeping(models, self) if any(each.keep_alive is not None for each in models) else None
        compiled = compiled and self._keeping is None
        choose: Callable[[Any], Any] = (lambda function: function) if compiled else uncompiled
        self._simulate_chunk = choose(kernel.simulate_chunk)
        self._count_chunk = choose(counting.count_chunk)
        self._count_ended = choose(counting.count_ended)
        self._rebuild_ring = choose(ring.rebuild_ring)
        self._whole_s, self._outcome = np.empty(0), np.empty(0, np.uint8)

    def run(self, arrivals: Iterator[tuple[Floats, Places]]) -> None:
        """Simulate all arrivals, then what is over by the end of the run."""
        if self.queues is not None:
            self.queues.run(arrivals, self.settings.seconds, lambda *chunk: self._simulate(self._draws.of(*chunk)))
        else:
            for drawn in self._draws.ahead(arrivals):
                self._simulate(drawn)
        if self._ring is not None:
            if self._keeping is not None:
                self._keeping.finish(self._ring)
            self._count_ended(self.environments, self._ring, self.functions, self.windows, self.account, self.settings)

    def _simulate(self, drawn: Drawn) -> tuple[int, Outcomes]:
        """Simulate and count invocations: all, unless an event was throttled. How many, and what became of them."""
        arrival_s, function, run_s, keep_s, failed = drawn
        count = len(arrival_s)
        if len(self._outcome) < count:
            self._whole_s, self._outcome = np.empty(count), np.empty(count, np.uint8)
        self._set_ring(_rate(arrival_s))
        outcomes = Outcomes(self._outcome[:count], self._whole_s[:count])
        done = 0
        while True:
            done = self._simulate_chunk(
                arrival_s,
                function,
                run_s,
                failed,
                keep_s,
                self._several,
                self._by_event,
                self._keeping,
                done,
                outcomes,
                self.environments,
                self._ring,
                self.functions,
                self.windows,
                self.account,
                self.settings,
            )
            if done == count:
                break
            f = function[done]
            wants_draws = self.functions.start_at[f] >= self.functions.start_s.shape[1]
            wants_places = self.account.integers[FREE] < 0
            if wants_draws:
                self._start[f].draw(self._starts, self.functions.start_s[f])
                if (first := self._first[f]) is not None:
                    first.draw(self._firsts, self.functions.first_s[f])
                self.functions.start_at[f] = 0
            if wants_places:
                self.environments = state.with_more_places(self.environments, self.account)
            if not wants_draws and not wants_places:
                break
        outcomes = Outcomes(outcomes.outcome[:done], outcomes.whole_s[:done])
        self._now_s = float(arrival_s[done - 1])
        latency_s = outcomes.whole_s
        if self._outside is not None:
            latency_s = latency_s + self.functions.outside_s[function[:done]]
        self._count_chunk(
            arrival_s[:done],
            function[:done],
            run_s[:done],
            run_s[:done].view(np.int64),
            latency_s,
            latency_s.view(np.int64),
            outcomes,
            self._several,
            self._outside,
            self.functions,
            self.windows,
            self.settings,
        )
        return done, outcomes

    def _set_ring(self, rate: float | None) -> None:
        """A ring for a rate of arrivals (None: whatever it is now), with slots for all departures that there can be."""
        old = self._ring
        places = len(self.environments.link)
        if old is not None:
            its_rate = old.slots_per_s / ring.SLOTS_PER_ARRIVAL
            off = 1.0 if rate is None else max(rate / its_rate, its_rate / rate)
            if off <= RING_CHANGES_AT and ring.SLOTS_PER_ARRIVAL * places <= len(old.head):
                return
            rate = rate or its_rate
        self._ring = ring.ring(rate or 1.0, int(ring.SLOTS_PER_ARRIVAL) * places)
        if old is not None:
            self._rebuild_ring(old, self._ring, self.environments.departure_s, self.environments.link)
        self.account.integers[WORD_AT] = int(self._now_s * self._ring.slots_per_s) // ring.BITS_PER_WORD
        self.account.floats[QUIET_UNTIL_S] = 0.0


def _rate(arrival_s: Floats) -> float | None:
    """Arrivals per second in a chunk; None where it spans no time."""
    span_s = arrival_s[-1] - arrival_s[0]
    return len(arrival_s) / span_s if span_s > 0 else None
