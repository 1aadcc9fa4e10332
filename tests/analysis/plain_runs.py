"""A load test's result that nobody measured, and a forecast of little."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.outcome_of_records import outcome_of
from lambdanb.analysis.simulate import simulate
from lambdanb.simulator.function_model import Simulated
from lambdanb.streams import Poisson


def result(*, stopped: str | None = None, late_ms: float = 0.1) -> LoadResult:
    """Two environments, ten requests a second for six seconds; the first is cold."""
    due_s = np.arange(60) * 0.1
    cold = np.arange(60) == 0
    records = pd.DataFrame(
        {
            "due_s": due_s,
            "sent_s": due_s + late_ms / 1e3,
            "answered_s": due_s + 0.06,
            "late_ms": late_ms,
            "latency_ms": 60.0,
            "status": "ok",
            "error_type": None,
            "arrived_s": due_s,
            "environment_id": np.where(np.arange(60) % 2, "a", "b"),
            "queued_ms": 0.0,
            "init_ms": np.where(cold, 200.0, 0.0),
            "duration_ms": 55.0,
            "billed_ms": 55,
            "cold": cold,
            "cost": 1e-7,
        }
    )
    outcome = outcome_of(records, 6.0, over_s=6.0, alive={"a", "b"}, keep_alive_s=600.0)
    machine = pd.DataFrame({"machine": [0.2], "executor": [0.1], "loader": [0.1]})
    return LoadResult("plain", pd.Timestamp("2026-01-01", tz="UTC"), 6.0, records, outcome, machine, stopped)


def forecast(*, runs: int = 1, seed: int = 1) -> Forecast:
    """The same rate, simulated."""
    return simulate(Simulated(warm=0.055, init=0.2), Poisson(10), seconds=6, runs=runs, seed=seed)
