"""The outcome that is made of records, and what a result says of its machine: by records made by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.outcome_of_records import means, outcome_of, window_count

RUN: dict[str, Any] = {
    "late_ms": 0.1,
    "latency_ms": 500.0,
    "status": "ok",
    "queued_ms": 0.0,
    "init_ms": np.nan,
    "duration_ms": 500.0,
    "billed_ms": 500.0,
    "cold": False,
    "cost": 1e-6,
    "environment_id": "one",
}
ABSENT = {"arrived_s": np.nan, "queued_ms": np.nan, "duration_ms": np.nan, "billed_ms": np.nan, "cost": np.nan}
ABSENT |= {"environment_id": None}


def row(due_s: float, **changes: Any) -> dict[str, Any]:
    return RUN | {"due_s": due_s, "arrived_s": due_s} | changes


def outcome(rows: list[dict[str, Any]], seconds: float = 10.0, **more: Any) -> Any:
    given: dict[str, Any] = {"over_s": seconds, "alive": {"one"}, "keep_alive_s": 600} | more
    return outcome_of(pd.DataFrame(rows), seconds, **given)


def test_counts_by_the_window_in_which_a_request_was_due() -> None:
    rows = [
        row(0.05, cold=True, init_ms=100.0),
        row(0.15, status="error"),
        row(0.16, status="throttled", **ABSENT),
        row(0.17, status="lost", latency_ms=np.nan, **ABSENT),
        row(9.95),
    ]
    made = outcome(rows)
    assert made.window_s == pytest.approx(0.1)
    assert {name: made.count(name) for name in ("arrivals", "warm", "cold", "throttled", "errors")} == {
        "arrivals": 5,
        "warm": 2,
        "cold": 1,
        "throttled": 1,
        "errors": 1,
    }
    assert list(made.windows.iloc[1][["arrivals", "warm", "cold", "throttled", "errors"]]) == [3, 1, 0, 1, 1]
    assert made.windows["arrivals"].iloc[-1] == 1
    assert (made.billed_ms, made.cost) == (1500, pytest.approx(3e-6))
    assert made.windows["cost"].sum() == pytest.approx(3e-6)
    assert sum(made.latency.values()) == sum(made.duration.values()) == 3
    assert sum(made.latency_by_window, start=type(made.latency)()) == made.latency
    assert made.latency_ms(50) == pytest.approx(500, rel=0.01)


def test_means_are_integrals_cut_off_at_the_stream_s_end() -> None:
    made = outcome([row(1.0, cold=True, init_ms=1000.0), row(4.0), row(9.75, duration_ms=60_000.0)])
    assert made.mean("busy_cold") * 10 == pytest.approx(1.5)
    assert made.mean("busy_warm") * 10 == pytest.approx(0.75)
    assert made.windows["busy_warm"].iloc[40:45].tolist() == pytest.approx([1.0] * 5)


def test_means_meet_a_sum_by_hand() -> None:
    random = np.random.default_rng(1)
    starts = random.uniform(0, 10, 500)
    ends = starts + random.exponential(1.0, 500)
    edges = np.linspace(0, 10, 41)
    by_hand = [np.clip(np.minimum(ends, b) - np.maximum(starts, a), 0, None).sum() / 0.25 for a, b in pairwise(edges)]
    assert means(starts, ends, edges) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("cold", "alive", "keep_alive_s", "lived_s"),
    [
        (True, {"one"}, 600, 8.0),  # from its start at 2 to the end
        (False, {"one"}, 600, 10.0),  # it was there before
        (True, set(), 3.0, 3.5),  # it expired: 0.5 busy, 3 idle
        (True, set(), 600, 0.5),  # it went earlier: crashed, or made room
        (True, set(), {"law": "exponential", "mean_s": 1}, 0.5),  # nobody knows when
        (True, {"one"}, {"law": "exponential", "mean_s": 1}, 8.0),
    ],
)
def test_how_long_an_environment_exists(cold: bool, alive: set[str], keep_alive_s: Any, lived_s: float) -> None:
    made = outcome([row(2.0, cold=cold)], alive=alive, keep_alive_s=keep_alive_s)
    assert made.mean("environments") * 10 == pytest.approx(lived_s)


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(0.03, 1), (1, 10), (10, 100), (30, 150), (60, 120), (7.3, 73), (3600, 120), (100_000, 83), (864_000, 120)],
)
def test_windows(seconds: float, count: int) -> None:
    assert window_count(seconds) == count


def result(late_ms: float = 0.1, **shares: float) -> LoadResult:
    frame = pd.DataFrame([row(n / 100, late_ms=late_ms) for n in range(100)])
    machine = pd.DataFrame([{"machine": 0.5, "executor": 0.2, "loader": 0.1} | shares] * 5)
    return LoadResult("f", pd.Timestamp(0, tz="UTC"), 10.0, frame, outcome(frame.to_dict("records")), machine)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (result(late_ms=5.0), "1 % of the requests were sent more than 5.0 ms after they were due"),
        (result(machine=0.99), "the machine's processors were busy 100% of the time"),
        (result(executor=0.97), "the executor used up its core 100% of the time"),
        (result(loader=0.97), "the load's own process used up its core 100% of the time"),
    ],
)
def test_it_says_when_the_machine_was_the_limit(made: LoadResult, told: str) -> None:
    assert made.limited_by == told
    assert made.summary()["limited_by"] == told
    assert told in repr(made)
    assert told.replace("'", "&#x27;") in made._repr_html_()


def test_it_says_nothing_when_the_machine_was_not() -> None:
    made = result()
    assert made.limited_by is None
    assert "Limited" not in repr(made)
    assert repr(made).startswith("<LoadResult of f: 100 requests in 10 s, p50 ")
