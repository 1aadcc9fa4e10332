"""One replication of a function with an event source mapping: draws random numbers and feeds the kernel of lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.model.histogram import percentile_ms
from lambdanb.model.rules import Rules
from lambdanb.simulator import counting, lanes, state
from lambdanb.simulator.bill import rates
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.lanes import Lanes, Mapped
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.mappings import FIRST_POLLERS, POLLERS_PER_S, QueueMapping, StreamMapping
from lambdanb.simulator.state import BUCKETS, FIRST_BUCKET, Account, Outcomes, Places
from lambdanb.simulator.uncompiled import uncompiled

if TYPE_CHECKING:
    from pandas import DataFrame

FIRST_ROOM = 1_024
BATCHES = 16_384
"""Batches of which the numbers are drawn at a time."""


@dataclass
class MappingFigures:
    """What came of an event source mapping.

    records            that came
    batches            invocations, those again of failed batches among them
    mean_batch_size    records of a batch on average, each batch once; nan without any
    retried            batches tried again
    given_up           records of batches that failed as often as is allowed
    waiting            records that were in no batch at the end
    mean_age_ms        mean iterator age: from a batch's last record's arrival to the batch's begin, at each attempt
    max_age_ms         the longest
    age                bucket (`model.histogram`) -> batches: the iterator ages
    windows            one row per window of time: records and batches that began in it, max_age_ms
    """

    records: int
    batches: int
    mean_batch_size: float
    retried: int
    given_up: int
    waiting: int
    mean_age_ms: float
    max_age_ms: float
    age: Counter[int]
    windows: DataFrame

    def age_ms(self, percent: float) -> float | None:
        """The iterator age that `percent` of the batches kept to, within 1 %; None without any."""
        return percentile_ms(self.age, percent)


class MappedReplication:
    """The state of one run, which `result.run_of` reads as it does that of `run.Replication`."""

    def __init__(
        self,
        model: Simulated,
        mapping: StreamMapping | QueueMapping,
        rules: Rules,
        *,
        concurrency: int,
        seconds: float,
        windows: int,
        newest_created_first: bool,
        seed: int,
        compiled: bool = True,
    ) -> None:
        prices = rates([model], rules)
        most = concurrency if model.reserved is None else model.reserved
        self.settings = state.settings(
            rules, prices, seconds=seconds, windows=windows, unreserved=most, newest_created_first=newest_created_first
        )
        self.functions = state.functions([model], prices, self.settings, concurrency)
        self.windows = state.windows(windows)
        self.account = Account(np.zeros(5, np.int64), np.zeros(2))
        self.queues = None
        shared = isinstance(mapping, QueueMapping)
        count = min(mapping.lanes, most) if shared else mapping.lanes
        self._sources = 1 if shared else count
        self._lanes = _lanes(count, self._sources, min(count, most), windows, shared)
        self._mapped = Mapped(
            batch_size=mapping.batch_size,
            batching_window_s=float(mapping.batching_window_s),
            most_retries=mapping.maximum_retry_attempts,
            per_record_s=float(mapping.per_record_s),
            shared=shared,
            added_every_s=1 / POLLERS_PER_S,
            newest_created_first=newest_created_first,
        )
        self._model = model
        self._durations, self._failures, self._keep_alives, self._starts, self._spread, self._firsts = (
            np.random.Generator(np.random.SFC64(each)) for each in np.random.SeedSequence(seed).spawn(6)
        )
        choose: Callable[[Any], Any] = (lambda function: function) if compiled else uncompiled
        self._simulate = choose(lanes.simulate_batches)
        self._count_chunk = choose(counting.count_chunk)
        self._count_expired = choose(lanes.count_expired)
        self._run_s, self._keep_s, self._begin_s = np.empty(BATCHES), np.empty(BATCHES), np.empty(BATCHES)
        self._failed = np.zeros(BATCHES, np.bool_)
        self._used = BATCHES
        self._age_bits = np.zeros(1)
        self._outcomes = Outcomes(np.empty(BATCHES, np.uint8), np.empty(BATCHES))
        self._function = np.zeros(BATCHES, np.int32)

    def run(self, arrivals: Iterator[tuple[Floats, Places]]) -> None:
        """Simulate all records, and the batches that begin before the end of the run."""
        for arrival_s, _ in arrivals:
            self._records(arrival_s, self._spread.integers(self._sources, size=len(arrival_s)), -1.0)
        self._records(np.empty(0), np.empty(0, np.int64), self.settings.seconds)
        self._count_expired(self._lanes, self.windows, self.account, self.settings)

    def figures(self) -> MappingFigures:
        """What came of it."""
        from pandas import DataFrame, Index

        its, floats = self._lanes, self._lanes.floats
        integers = its.integers.tolist()
        batches, taken = int(its.window_batches.sum()), int(its.window_records.sum())
        present = np.flatnonzero(its.ages)
        starts_s = Index(np.arange(len(its.window_age_s)) * self.settings.window_s, name="start_s")
        columns = {
            "records": its.window_records,
            "batches": its.window_batches,
            "max_age_ms": its.window_age_s * 1000,
        }
        first_tries = batches - integers[lanes.RETRIED]
        return MappingFigures(
            records=integers[lanes.RECORDS],
            batches=batches,
            mean_batch_size=taken / first_tries if first_tries else np.nan,
            retried=integers[lanes.RETRIED],
            given_up=integers[lanes.GIVEN_UP],
            waiting=integers[lanes.WAITING],
            mean_age_ms=float(floats[lanes.AGE_SUM_S]) / batches * 1000 if batches else np.nan,
            max_age_ms=float(floats[lanes.AGE_MOST_S]) * 1000,
            age=Counter(dict(zip((present + FIRST_BUCKET).tolist(), its.ages[present].tolist(), strict=True))),
            windows=DataFrame(columns, index=starts_s),
        )

    def _records(self, arrival_s: Floats, source_of: Any, until_s: float) -> None:
        at = 0
        while True:
            if self._used == BATCHES:
                self._draw()
            used = slice(self._used, None)
            outcomes = Outcomes(self._outcomes.outcome[used], self._outcomes.whole_s[used])
            run_s, begin_s = self._run_s[used], self._begin_s[used]
            at, done = self._simulate(
                arrival_s,
                source_of,
                at,
                until_s,
                run_s,
                self._failed[used],
                self._keep_s[used],
                begin_s,
                self._age_bits,
                outcomes,
                self._lanes,
                self._mapped,
                self.functions,
                self.windows,
                self.account,
                self.settings,
            )
            self._count(begin_s[:done], run_s[:done], Outcomes(outcomes.outcome[:done], outcomes.whole_s[:done]))
            self._used += done
            wants_draws = self.functions.start_at[0] >= self.functions.start_s.shape[1]
            wants_room = self._lanes.integers[lanes.FREE_RECORD] < 0
            if wants_draws:
                self._model.start_law.draw(self._starts, self.functions.start_s[0])
                if (first := self._model.first_law) is not None:
                    first.draw(self._firsts, self.functions.first_s[0])
                self.functions.start_at[0] = 0
            if wants_room:
                self._lanes = _with_more_room(self._lanes)
            if not wants_draws and not wants_room and self._used < BATCHES:
                return

    def _draw(self) -> None:
        self._model.warm_law.draw(self._durations, self._run_s)
        self._model.keep_alive_law.draw(self._keep_alives, self._keep_s)
        if self._model.error_share:
            self._failed[:] = self._failures.random(BATCHES) < self._model.error_share
        self._used = 0

    def _count(self, begin_s: Floats, run_s: Floats, outcomes: Outcomes) -> None:
        self._count_chunk(
            begin_s,
            self._function[: len(begin_s)],
            run_s,
            run_s.view(np.int64),
            outcomes.whole_s,
            outcomes.whole_s.view(np.int64),
            outcomes,
            None,
            None,
            self.functions,
            self.windows,
            self.settings,
        )


def _lanes(count: int, sources: int, places: int, windows: int, shared: bool) -> Lanes:
    """Lanes for which nothing waits."""
    active = min(FIRST_POLLERS, count) if shared else count
    link = np.arange(1, FIRST_ROOM + 1)
    link[-1] = -1
    return Lanes(
        free_s=np.zeros(count),
        held=np.zeros(count, np.int64),
        tries=np.zeros(count, np.int64),
        held_last_s=np.zeros(count),
        first=np.full(sources, -1),
        last=np.full(sources, -1),
        waiting=np.zeros(sources, np.int64),
        record_s=np.zeros(FIRST_ROOM),
        link=link,
        end_s=np.full(places, -1.0),
        expiry_s=np.full(places, -1.0),
        created_s=np.zeros(places),
        integers=np.array([0, active, 0, 0, 0, 0]),
        floats=np.zeros(4),
        ages=np.zeros(BUCKETS, np.int64),
        window_records=np.zeros(windows, np.int64),
        window_batches=np.zeros(windows, np.int64),
        window_age_s=np.zeros(windows),
    )


def _with_more_room(old: Lanes) -> Lanes:
    """Twice as much room for records that wait."""
    room = len(old.link)
    link = np.concatenate([old.link, np.arange(room + 1, 2 * room + 1)])
    link[-1] = -1
    old.integers[lanes.FREE_RECORD] = room
    return old._replace(record_s=np.concatenate([old.record_s, np.zeros(room)]), link=link)
