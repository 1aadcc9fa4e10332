"""What invocations add up to: windows of time, histograms of durations, and the bill.

The kernel leaves what became of each invocation of a chunk; this counts it. A processor is through two plain loops
sooner than through one that has everything in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from lambdanb.simulator.buckets import bucket
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import (
    ARRIVALS,
    BUSY_COLD,
    BUSY_WARM,
    COLD,
    COLD_START,
    ENDED,
    ENVIRONMENTS,
    ERRORS,
    FAILED,
    LIFETIME_S,
    ON_PROVISIONED,
    RAN,
    THROTTLED,
    TIMED_OUT,
    WARM,
    Account,
    Environments,
    Functions,
    Integers,
    Outcomes,
    Places,
    Ring,
    Settings,
    Windows,
)


@njit(cache=True, nogil=True)
def billed(seconds: float, step_ms: float) -> int:
    """Billed ms: `model.billing.billed_ms`, with its rounding to 0.01 ms and its least of one step."""
    hundredths = np.floor(seconds * 100_000.0 + 0.5)
    return int(max(np.ceil(hundredths / (100.0 * step_ms)), 1.0) * step_ms)


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
def count_chunk(
    arrival_s: Floats,
    function: Places,
    run_s: Floats,
    run_bits: Integers,
    latency_s: Floats,
    latency_bits: Integers,
    outcomes: Outcomes,
    several: Any,
    outside: Any,
    functions: Functions,
    windows: Windows,
    settings: Settings,
) -> None:
    """Count a chunk that `kernel.simulate_chunk` is through with. `run_bits` and `latency_bits` are the seconds' bits.

    `outside`: None where the latency is the whole of each invocation, in the environment and nowhere else.
    """
    whole_s, outcome = outcomes.whole_s, outcomes.outcome
    counts, partial, steps, dollars = windows.counts, windows.partial, windows.steps, windows.dollars
    latency, run_moved = windows.latency, windows.run_moved
    its_cold, its_throttled, its_errors, its_timeouts = (
        functions.cold,
        functions.throttled,
        functions.errors,
        functions.timeouts,
    )
    invoked, billed_ms = functions.invoked, functions.billed_ms
    dollars_per_ms, dollars_per_start = functions.dollars_per_ms, functions.dollars_per_start
    seconds, window_s, step_ms = settings.seconds, settings.window_s, settings.billing_step_ms
    init_billed, dollars_per_request = settings.init_billed, settings.dollars_per_request
    count, last = len(arrival_s), len(counts) - 1

    at = 0
    window = max(int(arrival_s[0] / window_s) - 1, 0) if count else 0
    while at < count:
        end_s = (window + 1) * window_s
        first, throttled, cold, errors, all_billed_ms = at, 0, 0, 0, 0
        busy_warm_s, its_dollars = partial[window, BUSY_WARM], dollars[window]
        while at < count and (arrival_s[at] < end_s or window == last):
            f = 0
            if several is not None:
                f = function[at]
            what = outcome[at]
            if what == 0:
                throttled += 1
                its_throttled[f] += 1
                at += 1
                continue
            took_s = whole_s[at]
            its_bucket = bucket(latency_s[at], latency_bits[at])
            latency[window, its_bucket] += 1
            if outside is not None:
                run_moved[its_bucket] -= 1
                run_moved[bucket(run_s[at], run_bits[at])] += 1
            kind = BUSY_WARM
            if what != RAN:
                if what & FAILED:
                    errors += 1
                    its_errors[f] += 1
                if what & TIMED_OUT:
                    its_timeouts[f] += 1
                if what & COLD_START:
                    kind = BUSY_COLD
                    cold += 1
                    its_cold[f] += 1
                    its_dollars += dollars_per_start[f]
                    if outside is None:
                        run_moved[its_bucket] -= 1
                        run_moved[bucket(run_s[at], run_bits[at])] += 1
            over_s = arrival_s[at] + took_s
            inside_s = took_s
            if over_s >= end_s:
                inside_s = end_s - arrival_s[at]
                steps[window, kind] += 1
                step(partial, steps, kind, over_s, -1, window_s, seconds)
            if kind == BUSY_WARM:
                busy_warm_s += inside_s
            else:
                partial[window, BUSY_COLD] += inside_s
            its_billed_ms = billed(took_s if init_billed else run_s[at], step_ms)
            group = 2 * f
            if several is not None:
                if what & ON_PROVISIONED:
                    group += 1
                invoked[group] += 1
                billed_ms[group] += its_billed_ms
            all_billed_ms += its_billed_ms
            its_dollars += dollars_per_request + its_billed_ms * dollars_per_ms[group]
            at += 1
        ran = at - first - throttled
        if several is None:
            invoked[0] += ran
            billed_ms[0] += all_billed_ms
        counts[window, ARRIVALS] += at - first
        counts[window, WARM] += ran - cold
        counts[window, COLD] += cold
        counts[window, THROTTLED] += throttled
        counts[window, ERRORS] += errors
        partial[window, BUSY_WARM] = busy_warm_s
        dollars[window] = its_dollars
        window += 1


@njit(cache=True, nogil=True)
def count_ended(
    environments: Environments, ring: Ring, functions: Functions, windows: Windows, account: Account, settings: Settings
) -> None:
    """At the end of the run, count the end of every environment that expired by then, be it idle or in the ring."""
    for chains in (functions.newest_idle, ring.head):
        count_chains(chains, environments, windows, account, settings)


@njit(cache=True, nogil=True)
def count_chains(
    chains: Places, environments: Environments, windows: Windows, account: Account, settings: Settings
) -> None:
    """The same for the environments of some chains, given by their heads."""
    expiry_s, created_s, link = environments.expiry_s, environments.created_s, environments.link
    partial, steps, integers, floats = windows.partial, windows.steps, account.integers, account.floats
    for first in chains:
        e = first
        while e >= 0:
            if expiry_s[e] < settings.seconds:
                step(partial, steps, ENVIRONMENTS, expiry_s[e], -1, settings.window_s, settings.seconds)
                floats[LIFETIME_S] += expiry_s[e] - created_s[e]
                integers[ENDED] += 1
            e = link[e]
