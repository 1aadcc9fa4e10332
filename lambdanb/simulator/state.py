"""The kernel's state: structures of arrays, in proportion to environments, functions and windows, never to invocations.

An environment is a place in `Environments`, and on exactly one of three kinds of chain, all of which go by its `link`:
the free places, a bucket of the ring of departures while it is busy, or a list of idle environments. -1 ends a chain.

Each function has two *groups* of environments, with a list of idle ones each: `2 * f` on demand, `2 * f + 1`
provisioned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambdanb.model.histogram import bucket
from lambdanb.model.rules import Rules
from lambdanb.simulator.bill import Rates
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Fixed, Floats

Integers = NDArray[np.int64]
Places = NDArray[np.int32]

FIRST_BUCKET = bucket(0.0)
BACKOFF_S = 1.0
"""After which a throttled event is tried again the first time."""
LONGEST_MS = 86_400_000.0
BUCKETS = bucket(LONGEST_MS) - FIRST_BUCKET + 1
"""Buckets of `model.histogram` in the dense arrays: all up to a day, in the last of which is also what is longer."""

# Places in Account.integers
FREE, BUSY, UNRESERVED_TAKEN, WORD_AT, ENDED = range(5)

# Places in Account.floats
LIFETIME_S, QUIET_UNTIL_S = range(2)

# Bits of an outcome; 0: it was throttled.
RAN, COLD_START, FAILED, TIMED_OUT, ON_PROVISIONED = 1, 2, 4, 8, 16

# Columns of Windows.counts: Outcome's COUNTS in their order.
ARRIVALS, WARM, COLD, THROTTLED, ERRORS = range(5)

# Columns of Windows.partial and Windows.steps: Outcome's MEANS in their order.
BUSY_WARM, BUSY_COLD, ENVIRONMENTS = range(3)


class Environments(NamedTuple):
    """One entry per place."""

    departure_s: Floats
    """When its invocation is over, or was."""
    expiry_s: Floats
    """When it ends if nothing comes after this invocation."""
    created_s: Floats
    loaded_s: Floats
    """By a keep-alive policy: from when on it can be reused. Otherwise nothing."""
    group: Places
    link: Places


class Functions(NamedTuple):
    """One entry per function; `newest_idle`, `invoked`, `billed_ms` and `dollars_per_ms` one per group."""

    newest_idle: Places
    in_flight: Integers
    reserved: Integers
    """-1: none."""
    provisioned: Integers
    keep_alive_s: Floats
    timeout_s: Floats
    outside_s: Floats
    start_s: Floats
    """Functions x draws: what cold starts will take before the handler. Refilled where `start_at` comes to the end."""
    first_s: Floats
    """As many: how long the handler then runs; -1: as long as it would in a warm environment."""
    start_at: Integers
    growth_tokens: Floats
    growth_updated_s: Floats
    request_tokens: Floats
    """One entry more, the account's."""
    request_updated_s: Floats
    request_burst: Floats
    cold: Integers
    throttled: Integers
    errors: Integers
    timeouts: Integers
    invoked: Integers
    billed_ms: Integers
    dollars_per_ms: Floats
    dollars_per_start: Floats
    """What a cold start costs by itself: the restore of a snapshot."""


class Outcomes(NamedTuple):
    """What became of each invocation of a chunk, from the kernel to `counting`."""

    outcome: NDArray[np.uint8]
    whole_s: Floats
    """From its arrival to its end. Of one that was throttled it means nothing."""


class Windows(NamedTuple):
    """Windows of time, all as wide. `steps` and `partial` are how means are kept: see `counting.step`."""

    counts: Integers
    partial: Floats
    steps: Integers
    dollars: Floats
    latency: Integers
    """Windows x BUCKETS."""
    run_moved: Integers
    """BUCKETS, of the whole time: what to add to the sum of `latency` to get the histogram of the durations, without
    init."""


class Account(NamedTuple):
    """What is one for all functions."""

    integers: Integers
    floats: Floats
    """The sum of the life spans of the environments that ended; until when no departure is due."""


class Settings(NamedTuple):
    """What doesn't change during a run."""

    seconds: float
    window_s: float
    unreserved: int
    growth_per_s: float
    """Below 0: no limit."""
    growth_burst: float
    requests_per_environment_per_s: float
    """Below 0: no limit."""
    billing_step_ms: float
    init_billed: bool
    dollars_per_request: float
    newest_created_first: bool


class Ring(NamedTuple):
    """Departures by time: see `ring`."""

    head: Places
    """One entry per slot, -1 for an empty one."""
    bits: Integers
    """One bit per slot, BITS_PER_WORD of them in each entry."""
    slots_per_s: float


def environments(places: int, account: Account) -> Environments:
    """So many free places."""
    account.integers[FREE] = 0
    link = np.arange(1, places + 1, dtype=np.int32)
    link[-1] = -1
    return Environments(
        departure_s=np.zeros(places),
        expiry_s=np.zeros(places),
        created_s=np.zeros(places),
        loaded_s=np.zeros(places),
        group=np.zeros(places, np.int32),
        link=link,
    )


def start_provisioned(environments: Environments, functions: Functions, account: Account) -> None:
    """Take places for the provisioned environments: idle from the start, until the end."""
    for f, count in enumerate(functions.provisioned):
        for _ in range(count):
            e = account.integers[FREE]
            account.integers[FREE] = environments.link[e]
            environments.group[e] = 2 * f + 1
            environments.expiry_s[e] = math.inf
            environments.link[e] = functions.newest_idle[2 * f + 1]
            functions.newest_idle[2 * f + 1] = e
        if functions.reserved[f] < 0:
            account.integers[UNRESERVED_TAKEN] += count


def with_more_places(old: Environments, account: Account) -> Environments:
    """Twice as many places; the new ones are free."""
    places = len(old.link)
    new = Environments(*(np.concatenate([array, np.zeros_like(array)]) for array in old))
    new.link[places:] = np.arange(places + 1, 2 * places + 1)
    new.link[-1] = account.integers[FREE]
    account.integers[FREE] = places
    return new


def functions(models: Sequence[Simulated], rates: Rates, settings: Settings, concurrency: int) -> Functions:
    """Functions that nothing has happened to; `concurrency` is the account's."""
    count = len(models)
    reserved = np.array([-1 if each.reserved is None else each.reserved for each in models], np.int64)
    draws = min(max(65_536 // count, 16), 4_096)
    # A function with reserved concurrency has a rate of its own; the others share the account's, in the last entry.
    burst = settings.requests_per_environment_per_s * np.append(np.maximum(reserved, 0), concurrency).astype(float)
    return Functions(
        newest_idle=np.full(2 * count, -1, np.int32),
        in_flight=np.zeros(count, np.int64),
        reserved=reserved,
        provisioned=np.array([each.provisioned for each in models], np.int64),
        keep_alive_s=np.array([_fixed_s(each) for each in models]),
        timeout_s=np.array([float(each.timeout_s) for each in models]),
        outside_s=np.array([float(each.outside_s) for each in models]),
        start_s=np.zeros((count, draws)),
        first_s=np.full((count, draws), -1.0),
        start_at=np.full(count, draws, np.int64),
        growth_tokens=np.full(count, settings.growth_burst),
        growth_updated_s=np.zeros(count),
        request_tokens=burst.copy(),
        request_updated_s=np.zeros(count + 1),
        request_burst=burst,
        cold=np.zeros(count, np.int64),
        throttled=np.zeros(count, np.int64),
        errors=np.zeros(count, np.int64),
        timeouts=np.zeros(count, np.int64),
        invoked=np.zeros(2 * count, np.int64),
        billed_ms=np.zeros(2 * count, np.int64),
        dollars_per_ms=rates.per_ms,
        dollars_per_start=rates.per_start,
    )


def _fixed_s(model: Simulated) -> float:
    """A fixed keep-alive. Of one that is drawn for each idle period the kernel never asks; a policy says later."""
    law = model.keep_alive_law
    return math.inf if model.keep_alive is not None else law.seconds if isinstance(law, Fixed) else math.nan


def windows(count: int) -> Windows:
    """Windows in which nothing has happened."""
    return Windows(
        counts=np.zeros((count, 5), np.int64),
        partial=np.zeros((count, 3)),
        steps=np.zeros((count, 3), np.int64),
        dollars=np.zeros(count),
        latency=np.zeros((count, BUCKETS), np.int64),
        run_moved=np.zeros(BUCKETS, np.int64),
    )


def settings(
    rules: Rules, rates: Rates, *, seconds: float, windows: int, unreserved: int, newest_created_first: bool
) -> Settings:
    """The rules' numbers, and the run's."""
    growth = rules.growth_per_10s
    requests = rules.requests_per_environment_per_s
    return Settings(
        seconds=float(seconds),
        window_s=seconds / windows,
        unreserved=unreserved,
        growth_per_s=-1.0 if growth is None else growth / 10,
        growth_burst=0.0 if growth is None else float(growth),
        requests_per_environment_per_s=-1.0 if requests is None else float(requests),
        billing_step_ms=float(rules.billing_step_ms),
        init_billed=rules.init_billed,
        dollars_per_request=rates.per_request,
        newest_created_first=newest_created_first,
    )
