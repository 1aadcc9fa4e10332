"""The kernel: what becomes of each invocation of a chunk. Numba compiles it; run uncompiled it is its own reference.

How it goes about it:

- Arrivals come in order. At each, the environments whose invocations are over by then are taken from the ring of
  departures (`ring`) and put on their function's idle list. Until the next departure that is known of (`quiet_until_s`)
  an arrival doesn't look at the ring at all.
- There are no timers: an idle environment that has expired is found and ended, at the time at which it did, when the
  list is next looked at. New environments are made only when the list is empty, so what is dead never piles up.
- Random numbers are drawn outside, so that compiled and uncompiled runs see the same. Durations, windows and dollars
  are counted afterwards, by `counting`.
- Where it runs out of free places or of a function's start times it returns early, to be given more.

Only module-level functions, as Numba's cache never hits on closures. Arrays are taken out of their tuples before the
loop: inside, each use would count references.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from lambdanb.simulator.counting import step
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.ring import BITS_PER_WORD, WORD_MASK, WORD_SHIFT, slot_of
from lambdanb.simulator.state import (
    BACKOFF_S,
    BUSY,
    COLD_START,
    ENDED,
    ENVIRONMENTS,
    FAILED,
    FREE,
    LIFETIME_S,
    ON_PROVISIONED,
    QUIET_UNTIL_S,
    RAN,
    TIMED_OUT,
    UNRESERVED_TAKEN,
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
from lambdanb.simulator.tokens import take_token


@njit(cache=True, nogil=True)
def simulate_chunk(
    arrival_s: Floats,
    function: Places,
    run_s: Floats,
    failed: Any,
    keep_s: Any,
    several: Any,
    by_event: Any,
    keeping: Any,
    start: int,
    outcomes: Outcomes,
    environments: Environments,
    ring: Ring,
    functions: Functions,
    windows: Windows,
    account: Account,
    settings: Settings,
) -> int:
    """Simulate the invocations from `start` on; how far it came: the whole chunk unless it needs places or draws.

    arrival_s   ascending
    function    which function each is of
    run_s       how long each would run in a warm environment; made to what it did run
    failed      whether the function fails it; None: none does
    keep_s      how long its environment is kept after it; None: as `functions.keep_alive_s` says
    several     None: there is one function, and it has no concurrency of its own, reserved or provisioned
    by_event    which functions are invoked by events; None: none. When one was throttled, it returns before BACKOFF_S
                are over, after which it may be tried again
    keeping     the policies that keep environments (`keeping.Keeping`; uncompiled only); None: none does

    Numba compiles these anew for None, without what is then not needed.
    """
    departure_s, expiry_s, created_s, link = (
        environments.departure_s,
        environments.expiry_s,
        environments.created_s,
        environments.link,
    )
    group_of = environments.group
    order_s = created_s if settings.newest_created_first else departure_s
    head, bits, slots_per_s = ring.head, ring.bits, ring.slots_per_s
    words, word_mask, slot_mask = len(bits), len(bits) - 1, len(head) - 1
    newest_idle, in_flight, reserved, provisioned = (
        functions.newest_idle,
        functions.in_flight,
        functions.reserved,
        functions.provisioned,
    )
    keep_alive_s, timeout_s = functions.keep_alive_s, functions.timeout_s
    start_s, first_s, start_at = functions.start_s, functions.first_s, functions.start_at
    growth_tokens, growth_updated_s = functions.growth_tokens, functions.growth_updated_s
    request_tokens, request_updated_s = functions.request_tokens, functions.request_updated_s
    request_burst = functions.request_burst
    whole_s, outcome = outcomes.whole_s, outcomes.outcome
    partial, steps = windows.partial, windows.steps
    integers, floats = account.integers, account.floats
    seconds, window_s = settings.seconds, settings.window_s
    limits_requests, limits_growth = settings.requests_per_environment_per_s >= 0.0, settings.growth_per_s >= 0.0
    account_rate = len(in_flight)  # the entry of the account's own request rate

    free, busy, taken, word_at = integers[FREE], integers[BUSY], integers[UNRESERVED_TAKEN], integers[WORD_AT]
    quiet_until_s = floats[QUIET_UNTIL_S]
    stop_s = np.inf
    at = start
    while at < len(arrival_s):
        now_s = arrival_s[at]

        if by_event is not None and now_s >= stop_s:
            break

        # Release what is over.
        if now_s >= quiet_until_s:
            slot_now = int(now_s * slots_per_s)
            word_now = slot_now >> WORD_SHIFT
            if busy == 0:
                word_at = word_now
            elif word_now - word_at > words:
                word_at = word_now - words  # a whole lap: each word once is enough
            later = 0
            for its_word in range(word_at, word_now + 1):
                word = its_word & word_mask
                due = bits[word]
                if its_word == word_now:
                    until_now = (2 << (slot_now & WORD_MASK)) - 1
                    later = due & ~until_now
                    due &= until_now
                while due != 0:
                    lowest = due & -due
                    due ^= lowest
                    slot = slot_of(word, lowest)
                    e = head[slot]
                    while e >= 0 and departure_s[e] <= now_s:
                        following = link[e]
                        busy -= 1
                        group = 0
                        if several is not None:
                            group = group_of[e]
                            f = group >> 1
                            if reserved[f] < 0 and in_flight[f] > provisioned[f]:
                                taken -= 1
                            in_flight[f] -= 1
                        newer = -1
                        older = newest_idle[group]
                        while older >= 0 and order_s[older] > order_s[e]:
                            newer = older
                            older = link[older]
                        link[e] = older
                        if newer < 0:
                            newest_idle[group] = e
                        else:
                            link[newer] = e
                        if keeping is not None:
                            keeping.fall_idle(e)
                        e = following
                    head[slot] = e
                    if e < 0:
                        bits[word] ^= lowest
                    elif its_word == word_now:
                        later |= lowest
            word_at = word_now
            quiet_until_s = (word_now + 1) * BITS_PER_WORD / slots_per_s
            if later != 0:
                quiet_until_s = min(quiet_until_s, departure_s[head[slot_of(word_now & word_mask, later & -later)]])

        f = 0
        if several is not None:
            f = function[at]
        if free < 0 or start_at[f] >= start_s.shape[1]:
            break

        # May it run? By rate, by concurrency, and below, if it takes a new environment, by growth.
        admitted = True
        if limits_requests:
            which = account_rate
            if several is not None and reserved[f] >= 0:
                which = f
            burst = request_burst[which]
            admitted = take_token(request_tokens, request_updated_s, which, now_s, burst, burst)
        of_unreserved = False
        if several is None:
            admitted = admitted and busy < settings.unreserved
        elif reserved[f] >= 0:
            admitted = admitted and in_flight[f] < reserved[f]
        elif in_flight[f] >= provisioned[f]:
            of_unreserved = True
            admitted = admitted and taken < settings.unreserved

        # The first of the idle list that has not expired; a provisioned one if there is one.
        group = 2 * f
        e = -1
        cold = False
        if admitted:
            if several is not None and newest_idle[group + 1] >= 0:
                group += 1
            if keeping is not None and not group & 1:
                integers[FREE] = free
                e = keeping.take(f, now_s)
                free = integers[FREE]
            else:
                e = newest_idle[group]
                while e >= 0 and expiry_s[e] <= now_s:
                    following = link[e]
                    step(partial, steps, ENVIRONMENTS, expiry_s[e], -1, window_s, seconds)
                    floats[LIFETIME_S] += expiry_s[e] - created_s[e]
                    integers[ENDED] += 1
                    link[e] = free
                    free = e
                    e = following
                newest_idle[group] = e
            cold = e < 0
            if cold and limits_growth:
                admitted = take_token(
                    growth_tokens, growth_updated_s, f, now_s, settings.growth_per_s, settings.growth_burst
                )
        if not admitted:
            outcome[at] = 0
            if by_event is not None and by_event[f]:
                stop_s = min(stop_s, now_s + BACKOFF_S)
            at += 1
            continue

        # Run it.
        ran_s = run_s[at]
        init_s = 0.0
        what = RAN
        if cold:
            e = free
            free = link[e]
            created_s[e] = now_s
            group_of[e] = group
            step(partial, steps, ENVIRONMENTS, now_s, 1, window_s, seconds)
            init_s = start_s[f, start_at[f]]
            if first_s[f, start_at[f]] >= 0.0:
                ran_s = first_s[f, start_at[f]]
            start_at[f] += 1
            what |= COLD_START
        else:
            newest_idle[group] = link[e]
            if group & 1:
                what |= ON_PROVISIONED
        timed_out = ran_s >= timeout_s[f]
        if timed_out:
            ran_s = timeout_s[f]
            what |= TIMED_OUT | FAILED
        elif failed is not None and failed[at]:
            what |= FAILED
        busy += 1
        if several is not None:
            in_flight[f] += 1
            if of_unreserved:
                taken += 1
        its_whole_s = init_s + ran_s
        end_s = now_s + its_whole_s
        its_keep_s = keep_alive_s[f]
        if keep_s is not None:
            its_keep_s = keep_s[at]
        if timed_out:
            its_keep_s = 0.0
        if group & 1:
            its_keep_s = np.inf
        expiry_s[e] = end_s + its_keep_s
        departure_s[e] = end_s
        quiet_until_s = min(quiet_until_s, end_s)
        slot = int(end_s * slots_per_s) & slot_mask
        following = head[slot]
        if following < 0:
            bits[slot >> WORD_SHIFT] |= 1 << (slot & WORD_MASK)
        before = -1
        while following >= 0 and departure_s[following] <= end_s:
            before = following
            following = link[following]
        link[e] = following
        if before < 0:
            head[slot] = e
        else:
            link[before] = e
        if cold or timed_out:
            run_s[at] = ran_s
        whole_s[at] = its_whole_s
        outcome[at] = what
        at += 1

    integers[FREE], integers[BUSY], integers[UNRESERVED_TAKEN], integers[WORD_AT] = free, busy, taken, word_at
    floats[QUIET_UNTIL_S] = quiet_until_s
    return at
