"""The simulator meets queueing theory and published tables: within 3 standard errors over 16 seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from plain_streams import PoissonArrivals

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.simulate import simulate
from lambdanb.model.rules import TODAY
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Exponential, Fixed, Law, LogNormal, Uniform
from lambdanb.simulator.result import Run

RUNS = 16
FREE_GROWTH = replace(TODAY, growth_per_10s=None, requests_per_environment_per_s=None)
WARM_UP = 10
"""Of 100 windows: what comes before isn't the stationary state that theory tells of."""


def forecast(model: Simulated, per_s: float, arrivals: int, **more: object) -> Forecast:
    return simulate(
        model,
        PoissonArrivals(per_s),
        seconds=arrivals / per_s,
        runs=RUNS,
        rules=FREE_GROWTH,
        **more,  # type: ignore[arg-type]
    )


def total(run: Run, column: str) -> float:
    return float(run.outcome.windows[column].iloc[WARM_UP:].sum())


def mean(run: Run, column: str) -> float:
    return float(run.outcome.windows[column].iloc[WARM_UP:].mean())


def throttled_share(run: Run) -> float:
    return total(run, "throttled") / total(run, "arrivals")


def cold_share(run: Run) -> float:
    return total(run, "cold") / (total(run, "cold") + total(run, "warm"))


def busy(run: Run) -> float:
    return mean(run, "busy_warm") + mean(run, "busy_cold")


def environments(run: Run) -> float:
    return mean(run, "environments")


def assert_meets(found: Forecast, figure: Callable[[Run], float], expected: float) -> None:
    values = np.array([figure(run) for run in found.runs])
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) < 3 * error, f"{values.mean()} ± {error}, where {expected} is expected"
    assert error < 0.05 * expected, "too few invocations to tell anything"


def assert_within(found: Forecast, figure: Callable[[Run], float], low: float, high: float) -> None:
    """As published, where the last digit was rounded."""
    values = np.array([figure(run) for run in found.runs])
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert low - 3 * error < values.mean() < high + 3 * error, f"{values.mean()} ± {error}, not in {low} to {high}"


@pytest.mark.parametrize("law", [Exponential(1.0), Fixed(1.0), Uniform(0.0, 2.0), LogNormal(math.exp(-0.5), 1.0)])
@pytest.mark.parametrize(("servers", "load", "loss"), [(20, 20, 0.158892), (25, 20, 0.050222), (100, 100, 0.075700)])
def test_erlang_b_for_any_law_of_service(servers: int, load: float, loss: float, law: Law) -> None:
    found = forecast(Simulated(warm=law), load, 200_000, concurrency=servers)
    assert_meets(found, throttled_share, loss)
    assert_meets(found, busy, load * (1 - loss))


def test_erlang_b_at_a_thousand() -> None:
    found = forecast(Simulated(warm=Exponential(1.0)), 2016, 400_000, concurrency=1000)
    assert_meets(found, throttled_share, 0.504455)


def test_limit_of_one() -> None:
    """P(cold | accepted) = exp(-rate keep-alive); loss = rate ES / (1 + rate ES), ES over cold and warm."""
    rate, warm_s, cold_s, keep_s = 0.5, 1.0, 3.0, 4.0
    model = Simulated(warm=Exponential(warm_s), cold=Exponential(cold_s), keep_alive_s=keep_s)
    found = forecast(model, rate, 100_000, concurrency=1)
    cold = math.exp(-rate * keep_s)
    mean_s = cold * cold_s + (1 - cold) * warm_s
    assert_meets(found, cold_share, cold)
    assert_meets(found, throttled_share, rate * mean_s / (1 + rate * mean_s))


def test_as_many_are_busy_as_with_infinitely_many_servers() -> None:
    """M/G/infinity: the number busy has the mean rate x duration; environments are then as with a keep-alive of 0."""
    model = Simulated(warm=LogNormal(2.0, 0.5), keep_alive_s=0.0)
    found = forecast(model, 20.0, 200_000)
    expected = 20.0 * 2.0 * math.exp(0.5**2 / 2)
    assert_meets(found, busy, expected)
    assert_meets(found, environments, expected)


def test_the_number_busy_is_poisson() -> None:
    """Its variance is its mean, seen in windows that are short beside a duration."""
    model = Simulated(warm=Fixed(10.0))
    found = forecast(model, 1.0, 2_000, windows=10_000)
    assert_meets(found, lambda run: float(np.var(in_windows(run)[100:])), 10.0)


def in_windows(run: Run) -> NDArray[np.float64]:
    return np.asarray(run.outcome.windows["busy_warm"] + run.outcome.windows["busy_cold"])


@pytest.mark.parametrize(
    ("rate", "duration_s", "keep_s", "cold", "exist", "arrivals"),
    [
        (0.9, 1.991, 600.0, 1.32931e-3, 7.6919, 1_000_000),
        (10.0, 2.0, 60.0, 3.76059e-3, 32.7980, 1_000_000),
        (1.0, 2.0, 10.0, 9.96998e-2, 4.5312, 200_000),
        (5.0, 0.3, 30.0, 4.95036e-3, 6.1912, 500_000),
    ],
)
def test_the_exact_keep_alive_law(
    rate: float, duration_s: float, keep_s: float, cold: float, exist: float, arrivals: int
) -> None:
    found = forecast(Simulated(warm=Exponential(duration_s), keep_alive_s=keep_s), rate, arrivals)
    assert_meets(found, cold_share, cold)
    assert_meets(found, environments, exist)
    assert_meets(found, busy, rate * duration_s)


def test_littles_law() -> None:
    """Environments = cold starts per second x life span."""
    model = Simulated(warm=Exponential(0.3), init=Exponential(1.0), keep_alive_s=30.0)
    found = forecast(model, 5.0, 500_000)
    assert_meets(
        found,
        lambda run: run.outcome.mean("environments"),
        float(np.mean([run.outcome.count("cold") / run.outcome.seconds * run.life_span_s for run in found.runs])),
    )


def test_simfaas_example() -> None:
    """Mahmoudi and Khazaei, SimFaaS (CLOSER 2021): newest created first, as it reuses environments."""
    model = Simulated(warm=Exponential(1.991), cold=Exponential(2.244), keep_alive_s=600.0)
    found = forecast(model, 0.9, 900_000, reuse="newest-created")
    assert_within(found, cold_share, 0.00125, 0.00145)
    assert_within(found, environments, 7.655, 7.695)
    assert_within(found, busy, 1.785, 1.795)
    assert_within(found, lambda run: environments(run) - busy(run), 5.865, 5.895)
    assert_within(found, lambda run: run.life_span_s, 6_335, 6_529)


def test_newest_created_first_gives_other_numbers() -> None:
    """At rate 1, 2 s, keep-alive 10 s: 9.22 % cold, where most recently used first has 9.97 %."""
    found = forecast(Simulated(warm=Exponential(2.0), keep_alive_s=10.0), 1.0, 200_000, reuse="newest-created")
    cold = np.mean([cold_share(run) for run in found.runs])
    assert cold == pytest.approx(0.0922, abs=0.0005)
