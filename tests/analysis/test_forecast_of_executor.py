"""What is forecast from a real run's profile is what that run was: the simulator against the executor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import lambdanb
from lambdanb.analysis.load import load
from lambdanb.analysis.simulate import simulate
from lambdanb.streams import Poisson, Replay

SLEEPS = """
import time

def lambda_handler(event, context):
    time.sleep(0.1)
"""
SECONDS, SEED, RUNS = 3.0, 5, 20


@pytest.fixture
def function(home: Path) -> Iterator[lambdanb.Function]:
    """A function that sleeps 100 ms, and has no environment yet."""
    function = lambdanb.deploy("sleeps", SLEEPS, memory=256, timeout=10, keep_alive=600)
    yield function
    function.delete()


def test_a_forecast_of_a_run_from_its_own_profile_is_that_run(function: lambdanb.Function) -> None:
    """Not of another run: however slow the machine is meanwhile, the durations are those that it had. What is left is
    that durations are drawn, and with them who finds an idle environment."""
    stream = Poisson(25)
    measured = load(function, stream, SECONDS, seed=SEED)
    profile = function.profile()
    records = measured.records
    assert set(records["status"]) == {"ok"}
    assert profile.settings["keep_alive_s"] == 600
    arrivals = Replay(stream.times(SECONDS, SEED))
    forecast = simulate(profile, arrivals, seconds=SECONDS, seed=SEED, runs=RUNS).summary()["mean"]
    seen = measured.outcome.figures()
    assert forecast["invocations"] == seen["invocations"] == len(records)
    assert forecast["throttled"] == forecast["errors"] == 0

    # Four standard deviations of a sum of as many drawn durations; of the cold starts, were they a Poisson number; and
    # what a forecast knows nothing of, the time before an event is given to its environment.
    cold, count = seen["cold_starts"], len(records)
    init_s = records["init_ms"].mean() / 1e3
    tolerance_s = 4 * math.hypot(records["duration_ms"].std() / 1e3 * math.sqrt(count), init_s * math.sqrt(cold))
    tolerance_s += records["queued_ms"].sum() / 1e3
    assert abs(forecast["cold_starts"] - cold) <= 4 * math.sqrt(cold)
    assert forecast["concurrency"] == pytest.approx(seen["concurrency"], abs=tolerance_s / SECONDS)
    # Each invocation is billed to the next millisecond.
    billed_ms = tolerance_s * 1e3 + count
    assert forecast["billed_ms"] == pytest.approx(seen["billed_ms"], abs=billed_ms)
    per_ms = (seen["cost"] - count * 0.2e-6) / seen["billed_ms"]
    assert forecast["cost"] == pytest.approx(seen["cost"], abs=billed_ms * per_ms)
    assert math.isfinite(forecast["latency_p95_ms"])
