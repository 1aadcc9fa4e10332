"""What can't be drawn is refused, and the error names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from outcomes import empty_outcome, outcome, records

from lambdanb.analysis import figures

SIZES = pd.DataFrame({"memory_mb": [128], "p50_ms": [1.0], "p95_ms": [2.0], "p99_ms": [3.0], "cost_per_million": [0.5]})
SHARES = pd.DataFrame({"rate_per_s": [1.0], "keep_alive_s": [60.0], "cold_share": [0.5]})


def lacking(column: str) -> Any:
    run = outcome(5)
    run.windows = run.windows.drop(columns=column)
    return run


def unequal() -> Any:
    run = outcome(5)
    run.latency_by_window.pop()
    return run


def estimates(**changed: Any) -> Any:
    given = {"names": ["a"], "mean": [1.0], "low": [0.5], "high": [2.0], "quantity": "time (s)", "measured": True}
    return figures.estimates(**(given | changed))


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: figures.concurrency(empty_outcome()), "outcome.windows: no rows"),
    (lambda: figures.concurrency(lacking("busy_cold")), "outcome.windows: no column busy_cold .there are: arrivals,"),
    (lambda: figures.latency_cdf(empty_outcome()), "outcome.latency of measured: no answers"),
    (lambda: figures.latency_cdf([]), "outcomes: none given"),
    (lambda: figures.latency_cdf([outcome(2), "b"]), r"outcomes\[1\] is a str"),  # type: ignore[list-item]
    (lambda: figures.run_panels(None), "outcomes is a NoneType: give an Outcome, a load test's result or"),  # type: ignore[arg-type]
    (lambda: figures.concurrency("b"), "outcome is a str: give an Outcome"),  # type: ignore[arg-type]
    (lambda: figures.latency_heatmap(SIZES), "outcome is a DataFrame: give an Outcome"),
    (lambda: figures.latency_cdf(outcome(2), names=["a", "b"]), "names: 2 given for 1 outcomes"),
    (lambda: figures.latency_heatmap(empty_outcome(windows=3)), "latency_by_window: no answers"),
    (lambda: figures.latency_heatmap(unequal()), "4 histograms for 5 windows"),
    (lambda: figures.windows_over_time(unequal()), "of measured: 4 histograms for 5 windows"),
    (lambda: figures.windows_over_time(empty_outcome()), "outcome.windows: no rows"),
    (lambda: figures.windows_over_time(outcome(2), axes=[Figure().subplots()]), "axes: 1 given, this figure has 3"),
    (lambda: figures.memory_and_cost(SIZES.drop(columns="p99_ms"), measured=True), "sizes: no column p99_ms"),
    (lambda: figures.memory_and_cost(SIZES[:0], measured=True), "sizes: no rows"),
    (lambda: figures.memory_and_cost(SIZES.assign(p50_ms=0.0), measured=True), "p50_ms: 0 has no place on a log axis"),
    (lambda: figures.memory_and_cost(SIZES.assign(p50_ms=np.nan), measured=True), "p50_ms: nan is not a finite"),
    (lambda: figures.memory_and_cost(SIZES.assign(memory_mb="much"), measured=True), "memory_mb: not numbers"),
    (lambda: figures.cold_share_by_rate(SHARES.assign(rate_per_s=-1), measured=False), "rate_per_s: -1"),
    (lambda: figures.cold_share_by_rate(SHARES.assign(cold_share=1.5), measured=False), "cold_share: 1.5 is no share"),
    (lambda: figures.keep_alive_pareto([1.0, 2.0], [0.5], [1.0], measured=False), "keep_alive_s has 2, cold_share has"),
    (lambda: figures.keep_alive_pareto([1.0], [0.0], [1.0], measured=False), "cold_share: all are 0"),
    (lambda: figures.keep_alive_pareto([-1.0], [0.5], [1.0], measured=False), "keep_alive_s: -1 is below 0"),
    (lambda: figures.keep_alive_pareto([], [], [], measured=False), r"keep_alive_s: an array of shape \(0,\)"),
    (lambda: figures.cold_by_interval([0.0], [0.5], measured=True), "interval_s: 0 has no place"),
    (lambda: figures.cold_by_interval([1.0], [0.5], low=[0.4], measured=True), "only one of them given"),
    (lambda: figures.environments(records().drop(columns="init_ms"), measured=True), "records: no column init_ms"),
    (lambda: figures.environments(records(0), measured=True), "none has an environment_id"),
    (lambda: estimates(low=[1.5]), r"mean\[0\] = 1 is outside of its band, low 1.5 to high 2"),
    (lambda: estimates(names=["a", "b"]), "names: 2 given for 1 estimates"),
    (lambda: estimates(ax=estimates(), names=["b"]), "names: b, but these axes have a"),
]


@pytest.mark.parametrize(("draw", "told"), WRONG)
def test_it_is_told(draw: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        draw()
