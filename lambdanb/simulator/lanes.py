"""The kernel of event source mappings: records become batches, lane by lane. Numba compiles it; run uncompiled it is
its own reference.

Records wait in a chain per source: of a stream each lane has its own, the pollers of a queue share one. What happens
next is the next record or the begin of the soonest lane's batch. That lane, and the environment, are found by going
through all of them: once a batch, so a lane costs about a nanosecond a batch.

Memory is in proportion to lanes and to the records that wait.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from lambdanb.simulator.buckets import bucket
from lambdanb.simulator.counting import step
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import (
    COLD_START,
    ENDED,
    ENVIRONMENTS,
    FAILED,
    LIFETIME_S,
    RAN,
    TIMED_OUT,
    Account,
    Functions,
    Integers,
    Outcomes,
    Settings,
    Windows,
)

# Places in Lanes.integers
FREE_RECORD, ACTIVE, RECORDS, RETRIED, GIVEN_UP, WAITING = range(6)

# Places in Lanes.floats
NOW_S, POLLER_S, AGE_SUM_S, AGE_MOST_S = range(4)


class Lanes(NamedTuple):
    """Lanes, the records that wait for them, the environments, and what is counted."""

    free_s: Floats
    """Lanes: when the batch is over; inf for a poller that there isn't yet."""
    held: Integers
    """Lanes: records of the batch that failed and is tried again; 0: none."""
    tries: Integers
    held_last_s: Floats
    """Lanes: when the last record of that batch came."""
    first: Integers
    """Sources: the record that has waited longest, -1 for none."""
    last: Integers
    waiting: Integers
    record_s: Floats
    """Room for records: when it came."""
    link: Integers
    end_s: Floats
    """Environments, as many as there can be: when its batch is over. -1 of one that never was."""
    expiry_s: Floats
    created_s: Floats
    integers: Integers
    floats: Floats
    ages: Integers
    """Buckets of iterator ages."""
    window_records: Integers
    window_batches: Integers
    window_age_s: Floats


class Mapped(NamedTuple):
    """What doesn't change during a run."""

    batch_size: int
    batching_window_s: float
    most_retries: int
    per_record_s: float
    shared: bool
    """Whether all lanes take from one source: a queue."""
    added_every_s: float
    """Seconds between two pollers that are added."""
    newest_created_first: bool


@njit(cache=True, nogil=True)
def ready_s(lane: int, lanes: Lanes, mapped: Mapped) -> float:
    """When a lane's next batch can begin, for all that is known by now, if there is an environment for it."""
    if lanes.held[lane] > 0:
        return float(lanes.free_s[lane])
    source = 0 if mapped.shared else lane
    count = lanes.waiting[source]
    if count == 0:
        return float(np.inf)
    if count >= mapped.batch_size:
        return float(max(lanes.free_s[lane], lanes.floats[NOW_S]))
    return float(max(lanes.free_s[lane], lanes.record_s[lanes.first[source]] + mapped.batching_window_s))


@njit(cache=True, nogil=True)
def simulate_batches(
    arrival_s: Floats,
    source_of: Integers,
    start: int,
    until_s: float,
    run_s: Floats,
    failed: Any,
    keep_s: Floats,
    begin_s: Floats,
    age_bits: Floats,
    outcomes: Outcomes,
    lanes: Lanes,
    mapped: Mapped,
    functions: Functions,
    windows: Windows,
    account: Account,
    settings: Settings,
) -> tuple[int, int]:
    """Take records from `start` on, and begin the batches before `until_s`, once no record is left; how many records
    and batches it came to. It returns early for more room for records, more draws, or an empty place to note batches.

    run_s     a draw for each batch; made to what it ran
    failed    a draw for each batch: whether the function fails it
    keep_s    a draw for each batch: how long its environment is kept
    begin_s   is filled with when each batch began
    age_bits  one float, seen as an integer by `bucket`
    """
    integers, floats, free_s = lanes.integers, lanes.floats, lanes.free_s
    end_s, expiry_s, created_s = lanes.end_s, lanes.expiry_s, lanes.created_s
    order_s = created_s if mapped.newest_created_first else end_s
    start_s, first_s, start_at = functions.start_s, functions.first_s, functions.start_at
    timeout_s = functions.timeout_s[0]
    at, done = start, 0
    find = True
    soonest, soonest_s = -1, np.inf
    while True:
        if find:
            soonest, soonest_s = -1, np.inf
            for lane in range(integers[ACTIVE]):
                its_s = ready_s(lane, lanes, mapped)
                if its_s < soonest_s:
                    soonest, soonest_s = lane, its_s
            find = False
        its_begin_s = soonest_s
        if soonest >= 0:
            room_s = np.inf
            for e in range(len(end_s)):
                room_s = min(room_s, end_s[e])
            its_begin_s = max(soonest_s, room_s)

        if at < len(arrival_s) and arrival_s[at] <= its_begin_s:
            r = integers[FREE_RECORD]
            if r < 0:
                break
            integers[FREE_RECORD] = lanes.link[r]
            source = source_of[at]
            floats[NOW_S] = arrival_s[at]
            lanes.record_s[r] = arrival_s[at]
            lanes.link[r] = -1
            if lanes.waiting[source] == 0:
                lanes.first[source] = r
            else:
                lanes.link[lanes.last[source]] = r
            lanes.last[source] = r
            lanes.waiting[source] += 1
            integers[RECORDS] += 1
            integers[WAITING] += 1
            at += 1
            if mapped.shared:
                find = lanes.waiting[source] == 1 or lanes.waiting[source] == mapped.batch_size
            else:
                its_s = ready_s(source, lanes, mapped)
                if its_s < soonest_s:
                    soonest, soonest_s = source, its_s
            continue
        if at == len(arrival_s) and (until_s < 0.0 or its_begin_s >= until_s):
            break
        if done == len(begin_s) or start_at[0] >= start_s.shape[1]:
            break

        # The batch: the one that failed, or what waits.
        now_s = its_begin_s
        floats[NOW_S] = now_s
        lane = soonest
        window = min(int(now_s / settings.window_s), len(lanes.window_age_s) - 1)
        size = lanes.held[lane]
        if size > 0:
            integers[RETRIED] += 1
        else:
            source = 0 if mapped.shared else lane
            size = min(lanes.waiting[source], mapped.batch_size)
            for _ in range(size):
                r = lanes.first[source]
                lanes.held_last_s[lane] = lanes.record_s[r]
                lanes.first[source] = lanes.link[r]
                lanes.link[r] = integers[FREE_RECORD]
                integers[FREE_RECORD] = r
            lanes.waiting[source] -= size
            integers[WAITING] -= size
            lanes.held[lane] = size
            lanes.tries[lane] = 0
            lanes.window_records[window] += size
        age_bits[0] = now_s - lanes.held_last_s[lane]
        lanes.ages[bucket(age_bits[0], age_bits.view(np.int64)[0])] += 1
        floats[AGE_SUM_S] += age_bits[0]
        floats[AGE_MOST_S] = max(floats[AGE_MOST_S], age_bits[0])
        lanes.window_batches[window] += 1
        lanes.window_age_s[window] = max(lanes.window_age_s[window], age_bits[0])

        # Its environment: of the idle ones the first in order, or a new one in the place of one that has ended.
        e, place = -1, -1
        for each in range(len(end_s)):
            if end_s[each] <= now_s:
                if expiry_s[each] <= now_s:
                    if place < 0:
                        place = each
                elif e < 0 or order_s[each] > order_s[e]:
                    e = each
        ran_s = run_s[done] + size * mapped.per_record_s
        init_s = 0.0
        what = RAN
        if e < 0:
            e = place
            if end_s[e] >= 0.0:
                step(windows.partial, windows.steps, ENVIRONMENTS, expiry_s[e], -1, settings.window_s, settings.seconds)
                account.floats[LIFETIME_S] += expiry_s[e] - created_s[e]
                account.integers[ENDED] += 1
            created_s[e] = now_s
            step(windows.partial, windows.steps, ENVIRONMENTS, now_s, 1, settings.window_s, settings.seconds)
            init_s = start_s[0, start_at[0]]
            if first_s[0, start_at[0]] >= 0.0:
                ran_s = first_s[0, start_at[0]] + size * mapped.per_record_s
            start_at[0] += 1
            what |= COLD_START
        if ran_s >= timeout_s:
            ran_s = timeout_s
            what |= TIMED_OUT | FAILED
        elif failed[done]:
            what |= FAILED
        over_s = now_s + init_s + ran_s
        end_s[e] = over_s
        expiry_s[e] = over_s if what & TIMED_OUT else over_s + keep_s[done]
        free_s[lane] = over_s
        if what & FAILED and lanes.tries[lane] < mapped.most_retries:
            lanes.tries[lane] += 1
        else:
            if what & FAILED:
                integers[GIVEN_UP] += size
            lanes.held[lane] = 0
        begin_s[done] = now_s
        run_s[done] = ran_s
        outcomes.whole_s[done] = init_s + ran_s
        outcomes.outcome[done] = what
        done += 1

        if mapped.shared and integers[ACTIVE] < len(free_s):
            all_busy = True
            for each in range(integers[ACTIVE]):
                if free_s[each] <= now_s:
                    all_busy = False
            if all_busy:
                floats[POLLER_S] = max(floats[POLLER_S] + mapped.added_every_s, now_s)
                free_s[integers[ACTIVE]] = floats[POLLER_S]
                integers[ACTIVE] += 1
        find = True
    return at, done


@njit(cache=True, nogil=True)
def count_expired(lanes: Lanes, windows: Windows, account: Account, settings: Settings) -> None:
    """At the end of the run, count the end of every environment that expired by then."""
    for e in range(len(lanes.end_s)):
        if lanes.end_s[e] >= 0.0 and lanes.expiry_s[e] < settings.seconds:
            expiry_s = lanes.expiry_s[e]
            step(windows.partial, windows.steps, ENVIRONMENTS, expiry_s, -1, settings.window_s, settings.seconds)
            account.floats[LIFETIME_S] += expiry_s - lanes.created_s[e]
            account.integers[ENDED] += 1
