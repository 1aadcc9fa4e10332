"""`simulate`: windows, the rules of the account, failures, keep-alives and the bill, by hand-made cases."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from plain_streams import GivenTimes, PoissonArrivals

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.outcome_of_records import window_count
from lambdanb.analysis.simulate import simulate
from lambdanb.model.histogram import bucket
from lambdanb.model.rules import PREVIEW_2014, TODAY
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Exponential, LogNormal, Sample, Uniform
from lambdanb.simulator.policies import KeepAlivePolicyError, Window
from lambdanb.streams import Poisson

GB = 1024


def columns(found: Forecast, *names: str) -> list[list[float]]:
    return [found.outcome.windows[name].tolist() for name in names]


def row(found: Forecast, name: str) -> dict[str, int]:
    return {str(key): int(value) for key, value in found.runs[0].functions.loc[name].items()}


# Windows


def test_three_invocations_by_hand() -> None:
    """A cold start of 1 + 2 s at 0.5 s; a warm one of 2 s at 4 s; at 9 s its environment (2 s idle) has gone."""
    found = simulate(
        Simulated(warm=2.0, init=1.0, keep_alive_s=2.0), GivenTimes([0.5, 4.0, 9.0]), seconds=10, windows=5
    )
    assert not found.outcome.measured
    assert found.outcome.windows.index.tolist() == [0, 2, 4, 6, 8]
    arrivals, cold, warm = columns(found, "arrivals", "cold", "warm")
    assert (arrivals, cold, warm) == ([1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 1, 0, 0])
    busy_cold, busy_warm, environments = columns(found, "busy_cold", "busy_warm", "environments")
    assert busy_cold == pytest.approx([0.75, 0.75, 0, 0, 0.5])
    assert busy_warm == pytest.approx([0, 0, 1, 0, 0])
    assert environments == pytest.approx([0.75, 1, 1, 1, 0.5])
    assert found.outcome.latency == {bucket(3000): 2, bucket(2000): 1}
    assert found.outcome.latency_by_window[2] == {bucket(2000): 1}
    assert found.outcome.duration == {bucket(2000): 3}
    assert found.outcome.billed_ms == 8000
    assert (found.runs[0].ended, found.runs[0].life_span_s) == (1, pytest.approx(7.5))


def test_a_handler_s_first_time_by_hand() -> None:
    """Cold at 0 s, 1 s of init and 3 s of handler, where a warm one takes 2 s, as that at 5 s does."""
    model = Simulated(warm=2.0, init=1.0, first=3.0)
    found = simulate(model, GivenTimes([0.0, 5.0]), seconds=10, windows=1)
    assert columns(found, "busy_cold", "busy_warm") == [[pytest.approx(0.4)], [pytest.approx(0.2)]]
    assert found.outcome.latency == {bucket(4000): 1, bucket(2000): 1}
    assert found.outcome.duration == {bucket(3000): 1, bucket(2000): 1}
    assert found.outcome.billed_ms == 6000


def test_the_way_of_request_and_answer_is_part_of_the_latency_alone() -> None:
    model = Simulated(warm=2.0, init=1.0, outside_s=0.5)
    found, without = (
        simulate(each, GivenTimes([0.0, 5.0]), seconds=10, windows=1) for each in (model, replace(model, outside_s=0))
    )
    assert found.outcome.latency == {bucket(3500): 1, bucket(2500): 1}
    assert found.outcome.duration == without.outcome.duration == {bucket(2000): 2}
    assert found.outcome.windows.equals(without.outcome.windows)
    assert found.cost() == without.cost()


def test_windows_sum_up_to_the_whole() -> None:
    model = Simulated(warm=Exponential(0.5), init=0.3, error_share=0.1, memory_mb=GB)
    found = simulate(model, PoissonArrivals(20), seconds=1000, concurrency=12)
    outcome = found.outcome
    ran = outcome.count("warm") + outcome.count("cold")
    assert outcome.count("throttled") > 0
    assert ran + outcome.count("throttled") == outcome.count("arrivals")
    assert (
        sum(outcome.latency.values()) == sum(outcome.duration.values()) == ran == row(found, "function")["invocations"]
    )
    assert sum(sum(each.values()) for each in outcome.latency_by_window) == ran
    assert outcome.windows["cost"].sum() == pytest.approx(outcome.cost, rel=1e-9)


def test_nothing_arrives() -> None:
    found = simulate(Simulated(warm=1.0), GivenTimes([]), seconds=10)
    assert found.outcome.figures()["invocations"] == 0
    assert found.outcome.latency_ms(50) is None
    assert found.cost().total == 0


# Replications


def test_the_summary_has_a_mean_and_a_band() -> None:
    found = simulate(Simulated(warm=Exponential(1.0)), PoissonArrivals(10), seconds=200, runs=8)
    concurrency = found.summary().loc["concurrency"]
    values = [run.outcome.figures()["concurrency"] for run in found.runs]
    assert concurrency["mean"] == pytest.approx(np.mean(values))
    assert concurrency["standard_error"] == pytest.approx(np.std(values, ddof=1) / 8**0.5)
    assert concurrency["low"] < min(values) < max(values) < concurrency["high"]


def test_a_single_run_has_no_band() -> None:
    summary = simulate(Simulated(warm=1.0), PoissonArrivals(1), seconds=10).summary()
    assert summary["mean"].notna().all()
    assert summary[["standard_error", "low", "high"]].isna().all(axis=None)


# The account


def test_reserved_concurrency_is_a_floor_and_a_ceiling() -> None:
    """Of an account of 10, 4 are reserved: the other function gets 6, however idle the first is, and the first 4."""
    at_once = GivenTimes(np.zeros(20))
    found = simulate(
        [Simulated(name="reserved", warm=1.0, reserved=4), Simulated(name="other", warm=1.0)],
        [at_once, at_once],
        seconds=10,
        concurrency=10,
    )
    assert (row(found, "reserved")["invocations"], row(found, "reserved")["throttled"]) == (4, 16)
    assert (row(found, "other")["invocations"], row(found, "other")["throttled"]) == (6, 14)


def test_reserving_nothing_stops_a_function() -> None:
    found = simulate(Simulated(warm=1.0, reserved=0), GivenTimes([0.0, 5.0]), seconds=10)
    assert row(found, "function")["throttled"] == 2


def test_provisioned_environments_are_warm_and_taken_out_of_the_unreserved() -> None:
    at_once = GivenTimes(np.zeros(20))
    found = simulate(
        [Simulated(name="ready", warm=1.0, init=1.0, provisioned=3), Simulated(name="other", warm=1.0)],
        [GivenTimes([0.5] * 5), at_once],
        seconds=10,
        concurrency=10,
    )
    # The other takes 7 of 10 at 0 s; of five at 0.5 s three find provisioned environments, two find the account full.
    assert row(found, "other")["invocations"] == 7
    ready = row(found, "ready")
    assert (ready["invocations"], ready["provisioned"], ready["cold"], ready["throttled"]) == (3, 3, 0, 2)


def test_what_provisioned_concurrency_has_no_room_for_spills_over() -> None:
    found = simulate(Simulated(warm=1.0, init=1.0, provisioned=3), GivenTimes([0.0] * 5), seconds=10)
    assert row(found, "function") | {"billed_ms": 0} == {
        "invocations": 5,
        "cold": 2,
        "throttled": 0,
        "errors": 0,
        "timeouts": 0,
        "provisioned": 3,
        "billed_ms": 0,
    }
    assert found.outcome.windows["environments"].iloc[-1] == 5


def test_growth_in_ten_seconds() -> None:
    """1,000 environments at once, then 100 more each second; unlimited in 2014."""
    times = np.concatenate([np.zeros(1500), np.full(500, 2.0)])
    model = Simulated(warm=100.0)
    found = simulate(model, GivenTimes(times), seconds=10, concurrency=5000, windows=10)
    assert found.outcome.windows["cold"].tolist()[:3] == [1000, 0, 200]
    of_2014 = simulate(model, GivenTimes(times), seconds=10, concurrency=5000, rules=PREVIEW_2014)
    assert of_2014.outcome.count("cold") == 2000


def test_ten_requests_per_environment_and_second() -> None:
    """Short invocations never come near the concurrency of 20, but 300 a second pass its 200."""
    found = simulate(Simulated(warm=1e-3), GivenTimes(np.arange(30_000) / 300), seconds=100, concurrency=20)
    # 200 saved up at the start, and 200 a second.
    assert found.outcome.count("warm") + found.outcome.count("cold") == pytest.approx(20_200, abs=2)
    of_2014 = simulate(
        Simulated(warm=1e-3), GivenTimes(np.arange(30_000) / 300), seconds=100, concurrency=20, rules=PREVIEW_2014
    )
    assert of_2014.outcome.count("throttled") == 0


def test_a_rate_of_its_own_comes_with_reserved_concurrency() -> None:
    times = GivenTimes(np.arange(3_000) / 30)
    found = simulate(
        [Simulated(name="reserved", warm=1e-3, reserved=1), Simulated(name="other", warm=1e-3)],
        [times, times],
        seconds=100,
        concurrency=20,
    )
    assert row(found, "reserved")["invocations"] == pytest.approx(1_010, abs=2)
    assert row(found, "other")["throttled"] == 0


def test_merged_streams_lose_nothing_and_stay_apart() -> None:
    """Together in one account that is large enough, each function fares as it would alone."""
    models = [Simulated(name=f"f{n}", warm=0.1, init=0.2, keep_alive_s=1.0) for n in range(3)]
    streams = [GivenTimes(np.sort(np.random.default_rng(n).random(500 * (n + 1)) * 100), 64) for n in range(3)]
    together = simulate(models, streams, seconds=100)
    for model, stream in zip(models, streams, strict=True):
        alone = simulate(model, stream, seconds=100)
        assert row(together, model.name) == row(alone, model.name)


# Failures


def test_a_share_of_invocations_fails() -> None:
    found = simulate(Simulated(warm=0.01, error_share=0.2), PoissonArrivals(100), seconds=1000)
    share = found.outcome.count("errors") / found.outcome.count("arrivals")
    assert share == pytest.approx(0.2, abs=3 * (0.2 * 0.8 / 100_000) ** 0.5)


def test_a_timeout_clips_the_duration_and_ends_the_environment() -> None:
    found = simulate(Simulated(warm=9.0, timeout_s=3.0), GivenTimes([0.0, 5.0]), seconds=10)
    assert row(found, "function") | {"provisioned": 0} == {
        "invocations": 2,
        "cold": 2,
        "throttled": 0,
        "errors": 2,
        "timeouts": 2,
        "provisioned": 0,
        "billed_ms": 6000,
    }
    assert found.outcome.mean("environments") == pytest.approx(0.6)


# Keep-alive


def test_each_function_has_its_own_keep_alive() -> None:
    times = GivenTimes([0.0, 10.0, 20.0])
    models = [Simulated(name=f"{keep_s:g} s", warm=1.0, keep_alive_s=keep_s) for keep_s in (5.0, 9.5)]
    found = simulate(models, [times, times], seconds=30)
    assert found.runs[0].functions["cold"].tolist() == [3, 1]


@pytest.mark.parametrize(
    ("keep_alive", "cold"),
    [
        ({"law": "uniform", "low_s": 5.0, "high_s": 15.0}, 0.5),
        ({"law": "exponential", "mean_s": 10.0}, 1 - np.exp(-1.0)),
        (LogNormal(10.0, 1.0), 0.5),
    ],
)
def test_a_keep_alive_drawn_for_each_idle_period(keep_alive: Any, cold: float) -> None:
    """Calls 10 s apart, of no length to speak of: cold are those whose environment drew less than that."""
    calls = 40_000
    model = Simulated(warm=0.0, keep_alive_s=keep_alive)
    found = simulate(model, GivenTimes(np.arange(calls) * 10.0), seconds=calls * 10)
    error = (cold * (1 - cold) / calls) ** 0.5
    assert found.outcome.count("cold") / calls == pytest.approx(cold, abs=3 * error)


# The bill


def test_first_example_of_2014() -> None:
    """512 MB, 3 million invocations of 1 s: $18.74 with the free tier."""
    model = Simulated(warm=1.0, init=5.0, memory_mb=512)
    found = simulate(model, GivenTimes(np.arange(3_000_000) * 0.2), seconds=600_000, rules=PREVIEW_2014)
    bill = found.cost(free_tier=True).cents()
    assert (bill.duration, bill.requests, bill.total) == (Decimal("18.34"), Decimal("0.40"), Decimal("18.74"))


def test_both_roundings() -> None:
    """A million invocations of 31 ms at 128 MB: $0.208 in steps of 100 ms, $0.0646 in steps of 1 ms."""
    stream = GivenTimes(np.arange(1_000_000) * 0.1)
    coarse, fine = (
        simulate(Simulated(warm=0.031), stream, seconds=100_000, rules=rules).cost().duration
        for rules in (replace(TODAY, billing_step_ms=100), TODAY)
    )
    assert (coarse, fine) == (Decimal("0.20833375"), Decimal("0.0645834625"))


def test_provisioned_concurrency() -> None:
    """1,000 x 1 GB for 2 hours: $30.00; 1.2 million invocations of 1 s on it: $11.67, and $0.24 for the requests."""
    model = Simulated(warm=1.0, memory_mb=GB, provisioned=1000)
    found = simulate(model, GivenTimes(np.arange(1_200_000) * 0.005), seconds=7200)
    bill = found.cost().cents()
    assert (bill.provisioned, bill.duration, bill.requests) == (Decimal("30.00"), Decimal("11.67"), Decimal("0.24"))
    assert found.outcome.windows["cost"].sum() == pytest.approx(found.outcome.cost, rel=1e-9)


def test_init_is_billed_where_the_rules_say_so() -> None:
    model = Simulated(warm=0.25, init=1.0)
    today, of_2014 = (simulate(model, GivenTimes([0.0]), seconds=10, rules=rules) for rules in (TODAY, PREVIEW_2014))
    assert (today.outcome.billed_ms, of_2014.outcome.billed_ms) == (1250, 300)


def test_snap_start_restores_instead_of_init() -> None:
    model = Simulated(warm=1.0, init=9.0, restore=0.1, snap_start=True, memory_mb=GB, keep_alive_s=0.0)
    found = simulate(model, GivenTimes(np.arange(100) * 10.0), seconds=1000)
    assert set(found.outcome.latency) == {bucket(1100)}
    # 100 restores of 1 GB, and the snapshot's cache for its least of 3 hours.
    assert found.cost().snap_start == Decimal("0.0001397998") * 100 + Decimal("0.0000015046") * 10_800
    assert found.outcome.windows["cost"].sum() == pytest.approx(found.outcome.cost, rel=1e-9)


# Bad input


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Exponential(-1.0), "Exponential: mean_s is -1.0"),
        (lambda: Uniform(3.0, 2.0), "low_s is 3, which must not be more than high_s, 2"),
        (lambda: Sample([]), "at least one number"),
        (lambda: Sample([1.0, -2.0]), "1 of 2 numbers aren't finite or under 0, such as -2"),
        (lambda: Simulated(warm=-0.5), "function: warm is -0.5 s"),
        (lambda: Simulated(warm={"law": "pareto"}), "one of the laws exponential"),  # type: ignore[dict-item]
        (lambda: Simulated(warm=1.0, keep_alive_s=-1.0), "keep_alive_s is -1 s"),
        (lambda: Simulated(warm=1.0, error_share=1.5), "error_share is 1.5: it must be from 0 to 1"),
        (lambda: Simulated(warm=1.0, timeout_s=0.0), "timeout_s is 0.0"),
        (lambda: Simulated(warm=1.0, reserved=-1), "reserved is -1"),
        (lambda: Simulated(warm=1.0, reserved=1, provisioned=2), "provisioned is 2, more than the 1 reserved"),
        (lambda: Simulated(warm=1.0, init=1.0, cold=2.0), "give it or init, not both"),
        (lambda: Simulated(warm=1.0, first=1.0, cold=2.0), "give it or init, not both"),
        (lambda: Simulated(warm=1.0, first=-1.0), "first is -1 s"),
        (lambda: Simulated(warm=1.0, outside_s=-1.0), "outside_s is -1.0: it must be a finite number from 0"),
        (lambda: Simulated(warm=1.0, snap_start=True), "restore is not given"),
    ],
)
def test_a_model_that_cannot_be_is_told(make: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"functions": []}, "functions is empty"),
        ({"functions": [Simulated(warm=1.0)] * 2}, "1 streams for 2 functions"),
        ({"seconds": -1}, "seconds is -1"),
        ({"reuse": "oldest"}, "reuse is 'oldest': it must be one of most-recently-used, newest-created"),
        ({"windows": 0}, "windows is 0: it must be a whole number from 1 to 10,000"),
        ({"runs": 0}, "runs is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"functions": Simulated(warm=1.0, reserved=11), "concurrency": 10}, "11 environments are reserved"),
    ],
)
def test_arguments_that_cannot_be_are_told(arguments: dict[str, Any], told: str) -> None:
    given = {"functions": Simulated(warm=1.0), "stream": GivenTimes([0.0]), "seconds": 10} | arguments
    with pytest.raises(ValueError) as caught:
        simulate(**given)
    assert told in str(caught.value)


def test_a_changed_rule_keeps_its_prices() -> None:
    found = simulate(Simulated(warm=1.0), GivenTimes([0.0, 0.0]), seconds=10, rules=replace(TODAY, concurrency=1))
    assert found.outcome.count("throttled") == 1
    assert found.cost().requests == Decimal("0.0000002")


def test_a_forecast_is_shown_as_what_it_is() -> None:
    told = simulate(Simulated(warm=0.1), GivenTimes([0.0, 1.0, 2.0]), seconds=10, runs=2)
    assert repr(told).startswith("<Forecast, simulated: 3 invocations in 10 s, p50 ")
    assert repr(told).endswith(", 1 cold, 0 throttled, $0.00000123, the first of 2 runs>")
    assert "<table" in told._repr_html_()


class Endless:
    """Has more and more times; when some have been taken, somebody presses Ctrl-C."""

    def __init__(self, gives_up_at: int, pressed_at: int | None = None) -> None:
        self.gives_up_at, self.pressed_at = gives_up_at, pressed_at
        self.taken = 0

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Any]:
        while self.taken < self.gives_up_at:
            yield self.taken + np.linspace(0.0, 0.9, 1_000)
            self.taken += 1
            if self.taken == self.pressed_at:
                os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_a_forecast() -> None:
    stream = Endless(20_000, pressed_at=5)
    with pytest.raises(KeyboardInterrupt):
        simulate(Simulated(warm=0.01), stream, seconds=1e9)
    assert stream.taken < stream.gives_up_at


def test_a_run_that_fails_ends_the_others() -> None:
    class FailsTheSecondTime:
        made = 0

        def __init__(self) -> None:
            FailsTheSecondTime.made += 1
            self.number = FailsTheSecondTime.made

        def observe(self, idle_s: float) -> None:
            pass

        def window(self) -> Window:
            if self.number == 2:
                raise ValueError("the second")
            return Window(0.0, 600.0)

    stream = Endless(2_000)
    with pytest.raises(KeepAlivePolicyError, match="the second"):
        simulate(Simulated(warm=0.0001, keep_alive=FailsTheSecondTime), stream, seconds=1e9, runs=2, threads=2)
    assert stream.taken < stream.gives_up_at


def test_windows_are_as_a_load_test_has_them() -> None:
    for seconds in (8.0, 60.0, 3_600.0):
        assert len(simulate(Simulated(warm=0.1), Poisson(1), seconds=seconds).outcome.windows) == window_count(seconds)
