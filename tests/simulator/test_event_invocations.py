"""Event invocations as the simulator has them: retries, back-off and age by hand, and shares by chance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_streams import GivenTimes, PoissonArrivals

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.simulate import simulate
from lambdanb.model.rules import TODAY
from lambdanb.simulator.function_model import EventInvocations, Simulated
from lambdanb.simulator.laws import Exponential

FREE = replace(TODAY, growth_per_10s=None, requests_per_environment_per_s=None)


def queue(found: Forecast, name: str = "function") -> dict[str, Any]:
    return {str(key): value for key, value in found.runs[0].queues.loc[name].items()}


def test_a_failing_event_is_tried_three_times_after_one_and_two_minutes() -> None:
    model = Simulated(warm=1.0, error_share=1.0, event=EventInvocations())
    found = simulate(model, GivenTimes([5.0]), seconds=300, windows=300)
    arrivals = found.outcome.windows["arrivals"]
    assert arrivals[arrivals > 0].index.tolist() == [5, 66, 187]
    told = queue(found)
    assert (told["events"], told["retried"], told["retries_exhausted"], told["succeeded"]) == (1, 2, 1, 0)
    assert found.outcome.billed_ms == 3000


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_retries_as_are_allowed(retries: int) -> None:
    model = Simulated(warm=1.0, error_share=1.0, event=EventInvocations(maximum_retry_attempts=retries))
    found = simulate(model, GivenTimes([0.0, 0.0]), seconds=1000)
    assert found.outcome.count("arrivals") == 2 * (1 + retries)
    assert queue(found)["retries_exhausted"] == 2


def test_an_event_that_is_too_old_is_given_up() -> None:
    """The first retry, 61 s after the event, is allowed no more."""
    model = Simulated(warm=1.0, error_share=1.0, event=EventInvocations(maximum_event_age_s=60))
    told = queue(simulate(model, GivenTimes([0.0]), seconds=1000))
    assert (told["age_exceeded"], told["retries_exhausted"], told["waiting"]) == (1, 0, 0)


def test_what_waits_at_the_end_is_told() -> None:
    model = Simulated(warm=1.0, error_share=1.0, event=EventInvocations())
    assert queue(simulate(model, GivenTimes([0.0]), seconds=30))["waiting"] == 1


def test_a_throttled_event_backs_off_twice_as_long_each_time() -> None:
    """The first takes the only environment for 10 s; the second is tried at 0, 1, 3, 7 and 15 s."""
    model = Simulated(warm=10.0, event=EventInvocations())
    found = simulate(model, GivenTimes([0.0, 0.0]), seconds=30, windows=30, concurrency=1)
    throttled = found.outcome.windows["throttled"]
    assert throttled[throttled > 0].index.tolist() == [0, 1, 3, 7]
    told = queue(found)
    assert (told["events"], told["succeeded"], told["throttled"]) == (2, 2, 4)
    assert told["age_p99_ms"] == pytest.approx(15_000, rel=0.01)


def test_back_off_ends_at_five_minutes_and_with_the_age() -> None:
    model = Simulated(warm=1.0, reserved=0, event=EventInvocations())
    found = simulate(model, GivenTimes([0.0]), seconds=40_000)
    # 1 + 2 + ... + 256 = 511 s, then every 300 s up to 21,600 s.
    assert queue(found)["throttled"] == 1 + 9 + (21_600 - 511) // 300
    assert queue(found)["age_exceeded"] == 1


def test_events_beside_a_function_that_is_invoked_synchronously() -> None:
    models = [
        Simulated(name="by event", warm=0.2, event=EventInvocations()),
        Simulated(name="synchronous", warm=0.2),
    ]
    found = simulate(models, [PoissonArrivals(20), PoissonArrivals(20)], seconds=200, concurrency=8)
    functions = found.runs[0].functions
    assert functions["throttled"].min() > 0
    assert found.runs[0].queues.index.tolist() == ["by event"]
    told = queue(found, "by event")
    assert told["events"] == told["succeeded"] + told["waiting"]
    assert functions.loc["by event", "invocations"] == told["succeeded"]


def test_shares_of_attempts_and_of_events_given_up() -> None:
    """With a share p of failures, an event is tried 1 + p + p² times on average, and given up with p³."""
    share, events = 0.3, 50_000
    model = Simulated(warm=0.1, error_share=share, event=EventInvocations())
    found = simulate(model, GivenTimes(np.arange(events) / 50), seconds=1500, runs=16, rules=FREE)
    for figure, expected in (
        ([run.queues.loc["function", "retries_exhausted"] / events for run in found.runs], share**3),
        ([run.outcome.count("arrivals") / events for run in found.runs], 1 + share + share**2),
    ):
        error = np.std(figure, ddof=1) / 4
        assert abs(np.mean(figure) - expected) < 3 * error


def test_what_is_queued_runs_in_the_end() -> None:
    """Twice the account's capacity for a minute: all are run once there is room, and late by the queue's back-off."""
    times = np.sort(np.random.default_rng(1).random(1200) * 60)
    model = Simulated(warm=1.0, event=EventInvocations())
    found = simulate(model, GivenTimes(times), seconds=3000, concurrency=10)
    told = queue(found)
    assert (told["events"], told["succeeded"], told["waiting"]) == (1200, 1200, 0)
    assert told["age_p99_ms"] > 30_000


def test_compiled_and_uncompiled_agree_and_threads_change_nothing() -> None:
    model = Simulated(warm=Exponential(0.5), init=0.2, error_share=0.2, event=EventInvocations())
    found = [
        simulate(model, PoissonArrivals(30), seconds=120, concurrency=14, runs=2, **more)
        for more in ({}, {"compiled": False}, {"threads": 1})
    ]
    for other in found[1:]:
        for a, b in zip(found[0].runs, other.runs, strict=True):
            assert a.queues.equals(b.queues)
            assert a.outcome.windows.equals(b.outcome.windows)
    assert found[0].outcome.count("throttled") > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"maximum_retry_attempts": 3}, "maximum_retry_attempts is 3: it must be 0, 1 or 2"),
        ({"maximum_event_age_s": 59}, "maximum_event_age_s is 59: it must be from 60 to 21,600"),
    ],
)
def test_what_aws_does_not_allow_is_told(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        EventInvocations(**arguments)
    assert told in str(caught.value)
