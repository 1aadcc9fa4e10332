"""Outcomes to draw, built as the load generator and the simulator build them, from made-up invocations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from lambdanb.model.histogram import bucket
from lambdanb.model.outcome import COUNTS, MEANS, Outcome
from lambdanb.model.records import COLUMNS

QUANTITIES = (*COUNTS, *MEANS, "cost")


def empty_outcome(measured: bool = True, windows: int = 0) -> Outcome:
    """Windows in which nothing happened, or none at all."""
    frame = pd.DataFrame(0.0, index=np.arange(windows, dtype=float), columns=list(QUANTITIES))
    return Outcome(
        measured=measured,
        seconds=float(windows or 30),
        windows=frame,
        latency_by_window=[Counter() for _ in range(windows)],
    )


def outcome(
    windows: int = 60,
    *,
    measured: bool = True,
    seed: int = 1,
    rate: float = 40.0,
    window_s: float = 1.0,
    limit: int = 12,
) -> Outcome:
    """A run with a burst in its middle third: cold starts as it comes, throttles while it lasts."""
    random = np.random.default_rng(seed)
    start = np.arange(windows) * window_s
    burst = (start >= start[-1] / 3) & (start < start[-1] * 2 / 3)
    arrivals = random.poisson(np.where(burst, 4 * rate, rate) * window_s)
    asked = arrivals / window_s * 0.1
    busy = np.minimum(asked, limit)
    throttled = np.rint(arrivals * (1 - busy / np.maximum(asked, 1e-9))).astype(int)
    accepted = arrivals - throttled
    starts = burst & ~np.roll(burst, 1)
    share = np.where(starts, 0.4, 0.01)
    cold = random.binomial(accepted, share)
    latencies = []
    for its_cold, its_warm in zip(cold, accepted - cold, strict=True):
        slow = 80 * random.lognormal(0, 0.35, its_warm)
        slower = 400 * random.lognormal(0, 0.2, its_cold)
        latencies.append(Counter(bucket(value) for value in np.concatenate((slow, slower)).tolist()))
    frame = pd.DataFrame(
        {
            "arrivals": arrivals,
            "warm": accepted - cold,
            "cold": cold,
            "throttled": throttled,
            "errors": 0,
            "busy_warm": busy * (1 - share),
            "busy_cold": busy * share,
            "environments": np.maximum.accumulate(busy) * 1.2,
            "cost": accepted * 2e-6,
        },
        index=start,
    )
    latency: Counter[int] = sum(latencies, Counter())
    return Outcome(
        measured=measured,
        seconds=windows * window_s,
        windows=frame,
        latency=latency,
        latency_by_window=latencies,
        duration=latency,
        billed_ms=int(accepted.sum()) * 85,
        cost=float(frame["cost"].sum()),
    )


def records(count: int = 60, environments: int = 6, throttled: int = 3, seed: int = 1) -> pd.DataFrame:
    """The records of a run on so many environments, most recently used first."""
    random = np.random.default_rng(seed)
    rows = []
    free_at: list[float] = []
    now = 1_700_000_000_000.0
    for number in range(count):
        now += float(random.exponential(60.0))
        free = [place for place, at in enumerate(free_at) if at <= now]
        cold = not free
        if cold and len(free_at) == environments:
            now = min(free_at)
            free, cold = [free_at.index(now)], False
        place = len(free_at) if cold else max(free, key=lambda each: free_at[each])
        init = float(random.uniform(150, 250)) if cold else None
        duration = float(random.lognormal(5.2, 0.5))
        end = now + 2 + (init or 0.0) + duration
        if cold:
            free_at.append(end)
        else:
            free_at[place] = end
        rows.append(_row(number, f"env-{place}", now, init, duration, "ok"))
    rows += [_row(count + number, "", now, None, 0.0, "throttled") for number in range(throttled)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(number: int, environment_id: str, at: float, init: float | None, duration: float, status: str) -> dict:
    row = dict.fromkeys(COLUMNS, 0)
    return row | {
        "request_id": str(number),
        "function": "f",
        "version": "$LATEST",
        "environment_id": environment_id,
        "arrived_ms": at,
        "queued_ms": 2.0,
        "init_ms": init,
        "duration_ms": duration,
        "cold": init is not None,
        "status": status,
    }
