"""The kernel: what becomes of each invocation of a chunk. Numba compiles it; run uncompiled it is its own reference.

How it goes about it:

- Arrivals come in order. At each, the environments whose invocations are over by then are taken from the ring of
  departures (a calendar of buckets about as wide as the time between arrivals) and put on their function's idle list.
- There are no timers: an idle environment that has expired is found and ended, at the time at which it did, when the
  list is next looked at. New environments are made only when the list is empty, so what is dead never piles up.
- Random numbers are drawn outside, so that compiled and uncompiled runs see the same.
- Where it runs out of free places or of a function's start times it returns early, to be given more.

Only module-level functions, as Numba's cache never hits on closures. Arrays are taken out of their tuples before the
loop: inside, each use would count references.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit

from lambdanb.model import histogram
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import (
    ARRIVALS,
    BUCKETS,
    BUSY,
    BUSY_COLD,
    BUSY_WARM,
    COLD,
    ENDED,
    ENVIRONMENTS,
    ERRORS,
    FIRST_BUCKET,
    FREE,
    RING_AT,
    THROTTLED,
    UNRESERVED_TAKEN,
    WARM,
    Account,
    Environments,
    Functions,
    Places,
    Ring,
    Settings,
    Windows,
)

_SMALLEST_MS = 0.01
_PER_LOG = 1 / math.log(histogram.GROWTH)


@njit(cache=True, nogil=True)
def bucket(seconds: float) -> int:
    """The place of a duration in a dense histogram: `model.histogram.bucket`, counted from the first."""
    ms = seconds * 1000.0
    if ms <= _SMALLEST_MS:
        return 0
    return min(math.floor(math.log(ms) * _PER_LOG) - FIRST_BUCKET, BUCKETS - 1)


@njit(cache=True, nogil=True)
def billed(seconds: float, step_ms: float) -> int:
    """Billed ms: `model.billing.billed_ms`, with its rounding to 0.01 ms and its least of one step."""
    hundredths = math.floor(seconds * 100_000.0 + 0.5)
    return int(max(math.ceil(hundredths / (100.0 * step_ms)), 1.0) * step_ms)


@njit(cache=True, nogil=True)
def take_token(tokens: Floats, updated_s: Floats, which: int, now_s: float, per_s: float, burst: float) -> bool:
    """Take a token from a bucket that fills continuously and holds at most `burst`; False where there is none."""
    filled = min(burst, tokens[which] + (now_s - updated_s[which]) * per_s)
    updated_s[which] = now_s
    if filled >= 1.0:
        tokens[which] = filled - 1.0
        return True
    tokens[which] = filled
    return False


@njit(cache=True, nogil=True)
def step(partial: Floats, steps: Any, kind: int, at_s: float, by: int, window_s: float, seconds: float) -> None:
    """A number of environments changes by `by` at a time, for the means over windows.

    `partial` takes what the change is worth to its own window, `steps` the change itself for all windows after it: a
    mean costs two additions per change, however many windows the time until the next one spans.
    """
    if at_s < seconds:
        window = min(int(at_s / window_s), len(steps) - 1)
        partial[window, kind] += by * ((window + 1) * window_s - at_s)
        steps[window, kind] += by


@njit(cache=True, nogil=True)
def simulate_chunk(
    arrival_s: Floats,
    function: Places,
    warm_s: Floats,
    failed: Any,
    keep_s: Floats,
    start: int,
    environments: Environments,
    ring: Ring,
    functions: Functions,
    windows: Windows,
    account: Account,
    settings: Settings,
) -> int:
    """Simulate the invocations from `start` on; how far it came: the whole chunk unless it needs places or draws.

    arrival_s   ascending
    function    which function each is of; -1: nothing arrives, but what is over by then is released
    warm_s      how long each would run in a warm environment
    failed      whether the function fails it; no entries: none does
    keep_s      how long its environment is kept after it; no entries: as `functions.keep_alive_s` says
    """
    departure_s, expiry_s, created_s, link = (
        environments.departure_s,
        environments.expiry_s,
        environments.created_s,
        environments.link,
    )
    group_of = environments.group
    order_s = created_s if settings.newest_created_first else departure_s
    head = ring.head
    mask = len(head) - 1
    buckets_per_s = ring.buckets_per_s
    newest_idle, in_flight, reserved, provisioned = (
        functions.newest_idle,
        functions.in_flight,
        functions.reserved,
        functions.provisioned,
    )
    keep_alive_s, timeout_s, outside_s = functions.keep_alive_s, functions.timeout_s, functions.outside_s
    start_s, first_s, start_at = functions.start_s, functions.first_s, functions.start_at
    growth_tokens, growth_updated_s = functions.growth_tokens, functions.growth_updated_s
    request_tokens, request_updated_s = functions.request_tokens, functions.request_updated_s
    request_burst = functions.request_burst
    its_cold, its_throttled, its_errors, its_timeouts = (
        functions.cold,
        functions.throttled,
        functions.errors,
        functions.timeouts,
    )
    invoked, billed_ms = functions.invoked, functions.billed_ms
    dollars_per_ms, dollars_per_start = functions.dollars_per_ms, functions.dollars_per_start
    counts, partial, steps, dollars = windows.counts, windows.partial, windows.steps, windows.dollars
    latency, duration = windows.latency, windows.duration
    integers, lifetime_s = account.integers, account.lifetime_s
    seconds, window_s, step_ms = settings.seconds, settings.window_s, settings.billing_step_ms
    account_rate = len(in_flight)  # the entry of the account's own request rate
    some_fail, draws_keep = len(failed) > 0, len(keep_s) > 0

    free, busy, taken = integers[FREE], integers[BUSY], integers[UNRESERVED_TAKEN]
    ring_at = integers[RING_AT]
    window = min(int(arrival_s[start] / window_s), len(counts) - 1)
    window_end_s = (window + 1) * window_s
    at = start
    while at < len(arrival_s):
        now_s = arrival_s[at]

        # Release what is over.
        bucket_now = int(now_s * buckets_per_s)
        if busy == 0:
            ring_at = bucket_now
        elif bucket_now - ring_at > mask:
            ring_at = bucket_now - mask  # a whole lap: each bucket once is enough
        for its_bucket in range(ring_at, bucket_now + 1):
            place = its_bucket & mask
            before = -1
            e = head[place]
            while e >= 0:
                following = link[e]
                if departure_s[e] > now_s:
                    before = e
                else:
                    if before < 0:
                        head[place] = following
                    else:
                        link[before] = following
                    busy -= 1
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
                e = following
        ring_at = bucket_now

        f = function[at]
        if f < 0:
            at += 1
            continue
        if free < 0 or start_at[f] >= start_s.shape[1]:
            break
        while now_s >= window_end_s and window < len(counts) - 1:
            window += 1
            window_end_s = (window + 1) * window_s
        counts[window, ARRIVALS] += 1

        # May it run? By rate, by concurrency, and below, if it takes a new environment, by growth.
        admitted = True
        if settings.requests_per_environment_per_s >= 0.0:
            which = account_rate if reserved[f] < 0 else f
            burst = request_burst[which]
            admitted = take_token(request_tokens, request_updated_s, which, now_s, burst, burst)
        of_unreserved = False
        if reserved[f] >= 0:
            admitted = admitted and in_flight[f] < reserved[f]
        elif in_flight[f] >= provisioned[f]:
            of_unreserved = True
            admitted = admitted and taken < settings.unreserved

        # The first of the idle list that has not expired; a provisioned one if there is one.
        group = 2 * f
        e = -1
        cold = False
        if admitted:
            if newest_idle[group + 1] >= 0:
                group += 1
            e = newest_idle[group]
            while e >= 0 and expiry_s[e] <= now_s:
                following = link[e]
                step(partial, steps, ENVIRONMENTS, expiry_s[e], -1, window_s, seconds)
                lifetime_s[0] += expiry_s[e] - created_s[e]
                integers[ENDED] += 1
                link[e] = free
                free = e
                e = following
            newest_idle[group] = e
            cold = e < 0
            if cold and settings.growth_per_s >= 0.0:
                admitted = take_token(
                    growth_tokens, growth_updated_s, f, now_s, settings.growth_per_s, settings.growth_burst
                )
        if not admitted:
            counts[window, THROTTLED] += 1
            its_throttled[f] += 1
            at += 1
            continue

        # Run it.
        run_s = warm_s[at]
        init_s = 0.0
        if cold:
            e = free
            free = link[e]
            created_s[e] = now_s
            group_of[e] = group
            step(partial, steps, ENVIRONMENTS, now_s, 1, window_s, seconds)
            init_s = start_s[f, start_at[f]]
            if first_s[f, start_at[f]] >= 0.0:
                run_s = first_s[f, start_at[f]]
            start_at[f] += 1
            its_cold[f] += 1
            dollars[window] += dollars_per_start[f]
            counts[window, COLD] += 1
        else:
            newest_idle[group] = link[e]
            counts[window, WARM] += 1
        timed_out = run_s >= timeout_s[f]
        if timed_out:
            run_s = timeout_s[f]
            its_timeouts[f] += 1
        if timed_out or (some_fail and failed[at]):
            counts[window, ERRORS] += 1
            its_errors[f] += 1
        busy += 1
        in_flight[f] += 1
        if of_unreserved:
            taken += 1
        whole_s = init_s + run_s
        end_s = now_s + whole_s
        departure_s[e] = end_s
        if group & 1:
            expiry_s[e] = np.inf
        elif timed_out:
            expiry_s[e] = end_s
        else:
            expiry_s[e] = end_s + (keep_s[at] if draws_keep else keep_alive_s[f])
        place = int(end_s * buckets_per_s) & mask
        link[e] = head[place]
        head[place] = e

        # Count it.
        kind = BUSY_COLD if cold else BUSY_WARM
        if end_s < window_end_s:
            partial[window, kind] += whole_s
        else:
            step(partial, steps, kind, now_s, 1, window_s, seconds)
            step(partial, steps, kind, end_s, -1, window_s, seconds)
        its_bucket = bucket(run_s)
        duration[its_bucket] += 1
        latency_s = whole_s + outside_s[f]
        latency[window, its_bucket if latency_s == run_s else bucket(latency_s)] += 1
        its_billed_ms = billed(whole_s if settings.init_billed else run_s, step_ms)
        invoked[group] += 1
        billed_ms[group] += its_billed_ms
        dollars[window] += settings.dollars_per_request + its_billed_ms * dollars_per_ms[group]
        at += 1

    integers[FREE], integers[BUSY], integers[UNRESERVED_TAKEN], integers[RING_AT] = free, busy, taken, ring_at
    return at


@njit(cache=True, nogil=True)
def end_expired(
    environments: Environments, functions: Functions, windows: Windows, account: Account, settings: Settings
) -> None:
    """At the end of the run, count the end of every idle environment that expired before it."""
    expiry_s, created_s, link = environments.expiry_s, environments.created_s, environments.link
    for first in functions.newest_idle:
        e = first
        while e >= 0:
            if expiry_s[e] < settings.seconds:
                step(
                    windows.partial,
                    windows.steps,
                    ENVIRONMENTS,
                    expiry_s[e],
                    -1,
                    settings.window_s,
                    settings.seconds,
                )
                account.lifetime_s[0] += expiry_s[e] - created_s[e]
                account.integers[ENDED] += 1
            e = link[e]


@njit(cache=True, nogil=True)
def rebuild_ring(old: Ring, new: Ring, departure_s: Floats, link: Places) -> None:
    """Move every departure to a ring with other buckets."""
    mask = len(new.head) - 1
    for first in old.head:
        e = first
        while e >= 0:
            following = link[e]
            place = int(departure_s[e] * new.buckets_per_s) & mask
            link[e] = new.head[place]
            new.head[place] = e
            e = following


def uncompiled(function: Any) -> Callable[..., Any]:
    """A compiled function of this module as plain Python, together with all that it calls."""
    plain = {name: value.py_func for name, value in globals().items() if hasattr(value, "py_func")}
    names = {**globals(), **plain}
    rebound = {
        name: FunctionType(each.__code__, names, name, each.__defaults__, each.__closure__)
        for name, each in plain.items()
    }
    names.update(rebound)
    return rebound[function.__name__]
