"""Tuning: real invocations at real sizes, and recommendations that follow from what was measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import lambdanb
from lambdanb.analysis.tune import tune
from lambdanb.analysis.tuning import Tried, Tuning

SPINS = """
import time

def lambda_handler(event, context):
    until = time.process_time() + event["cpu_s"]
    while time.process_time() < until:
        pass
    return event
"""
HUNGRY = """
def lambda_handler(event, context):
    held = bytearray(200_000_000)
    for place in range(0, len(held), 4096):
        held[place] = 1
    return len(held)
"""


def tried(memory_mb: int, duration_ms: float, cost: float, **different: object) -> Tried:
    values: dict[str, object] = {
        "event": 0, "at_s": 0.0, "cold": False, "error": None, "init_ms": None, "max_memory_mb": 40,
    }  # fmt: skip
    return Tried(memory_mb=memory_mb, duration_ms=duration_ms, cost=cost, **(values | different))  # type: ignore[arg-type]


def tuning(*tries: Tried, weights: tuple[float, ...] = (1.0,)) -> Tuning:
    return Tuning("resize", weights, tries, interrupted=False)


def test_a_spinning_function_is_faster_with_more_memory(home: Path) -> None:
    function = lambdanb.deploy("spins", SPINS, timeout=20)
    result = tune(function, {"cpu_s": 0.02}, memory=[128, 1769], invocations=4, cold_starts=2)
    table = result.table.set_index("memory_mb")
    assert list(table.index) == [128, 1769]
    assert (table["invocations"] == 6).all()
    assert (table["failed"] == 0).all()
    assert (table["cold_starts"] == 2).all()
    assert (table["init_ms"] > 0).all()
    assert table.loc[128, "p50_ms"] > 3 * table.loc[1769, "p50_ms"], "it has 7 % of a processor"
    assert (table["p50_ms"] <= table["p95_ms"]).all()
    assert (table["max_memory_used_mb"] < 60).all()
    fastest = result.recommend("speed")
    assert (fastest.memory_mb, fastest.confidence, fastest.rival_mb) == (1769, 1.0, None)
    assert "1769 MB (speed)" in str(fastest)
    assert [each.name for each in lambdanb.functions()] == ["spins"], "the copies are gone"
    assert function.description["configuration"]["memory_mb"] == 128
    assert len(function.records()) == 0, "the function itself wasn't invoked"


def test_a_size_that_is_too_small_is_told_and_not_recommended(home: Path) -> None:
    function = lambdanb.deploy("hungry", HUNGRY, timeout=30)
    result = tune(function, memory=[128, 1024], invocations=2, cold_starts=1)
    table = result.table.set_index("memory_mb")
    assert table.loc[128, "failed"] == 3
    assert "signal: killed" in table.loc[128, "error"]
    assert math.isnan(table.loc[128, "cost_per_million"])
    assert table.loc[1024, "max_memory_used_mb"] == pytest.approx(205, rel=0.1)
    for strategy in ("cost", "speed", "balanced"):
        assert result.recommend(strategy).memory_mb == 1024  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"128 MB: Runtime\.ExitError"):
        tune(function, memory=[128], invocations=2, cold_starts=0).recommend()


def test_strategies() -> None:
    """512 MB takes a quarter of the time for twice the cost: cheap, fast, and what lies between by weight."""
    result = tuning(
        *(tried(128, 100.0, 1e-6) for _ in range(5)),
        *(tried(256, 52.0, 1.1e-6) for _ in range(5)),
        *(tried(512, 25.0, 2e-6) for _ in range(5)),
    )
    assert result.recommend("cost").memory_mb == 128
    assert result.recommend("speed").memory_mb == 512
    assert result.recommend().memory_mb == 512  # 0.5 x 2 + 0.5 x 1 = 1.5, where 256 MB has 1.59 and 128 MB 2.5
    assert result.recommend(weight=0.3).memory_mb == 256
    assert result.recommend(weight=0.0).memory_mb == 128


def test_confidence_says_when_two_sizes_can_t_be_told_apart() -> None:
    """The same law at both sizes: no measurement of ten can tell which is cheaper."""
    costs = [1.0e-6, 1.4e-6, 0.8e-6, 1.2e-6, 1.1e-6, 0.9e-6, 1.3e-6, 1.0e-6, 1.5e-6, 0.7e-6]
    result = tuning(*(tried(256, 50.0, cost) for cost in costs), *(tried(512, 50.0, cost * 1.001) for cost in costs))
    recommended = result.recommend("cost")
    assert recommended.memory_mb == 256
    assert 0.4 < recommended.confidence < 0.7
    assert recommended.rival_mb == 512
    assert recommended == result.recommend("cost"), "the same answer each time"


def test_events_count_by_their_weights() -> None:
    """Nine in ten events are short."""
    result = tuning(
        *(tried(128, 10.0, 1e-6, event=0) for _ in range(4)),
        *(tried(128, 1000.0, 11e-6, event=1) for _ in range(4)),
        weights=(9.0, 1.0),
    )
    (row,) = result.table.to_dict("records")
    assert row["duration_ms"] == pytest.approx(109.0)
    assert row["cost_per_million"] == pytest.approx(2.0)
    assert (row["p50_ms"], row["p95_ms"]) == (10.0, 1000.0)


def test_cold_starts_stand_apart() -> None:
    result = tuning(
        *(tried(128, 10.0, 1e-6) for _ in range(3)),
        tried(128, 30.0, 9e-6, cold=True, init_ms=200.0),
        tried(128, 40.0, 11e-6, cold=True, init_ms=300.0),
    )
    (row,) = result.table.to_dict("records")
    assert (row["p99_ms"], row["cost_per_million"]) == (10.0, pytest.approx(1.0))
    assert (row["cold_starts"], row["init_ms"], row["cold_duration_ms"]) == (2, 250.0, 35.0)
    assert row["cold_cost_per_million"] == pytest.approx(10.0)


def test_it_is_shown() -> None:
    result = tuning(*(tried(128, 10.0, 1e-6) for _ in range(3)))
    assert repr(result).startswith("<Tuning of resize: 128 MB (balanced, 0.5 for speed): 10.0 ms, $1.00 per million")
    assert "<table" in result._repr_html_()
    broken = tuning(tried(128, 10.0, 1e-6, error="KeyError: <x>"))
    assert "no size of resize can be recommended: 128 MB: KeyError" in repr(broken)
    assert "&lt;x&gt;" in broken._repr_html_()
    with pytest.raises(ValueError, match="nothing to draw of resize"):
        broken.plot()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"memory": []}, "names no size"),
        ({"invocations": 1}, "2 warm invocations at least"),
        ({"events": []}, "nothing to invoke with"),
        ({"events": [(0, "x")]}, "a number above 0, not 0"),
        ({"event": 1, "events": [(1, 2)]}, "not both"),
    ],
)
def test_mistakes(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tune(lambdanb.Function("none"), **arguments)  # type: ignore[arg-type]


def test_a_size_out_of_range_is_refused_in_aws_s_words(home: Path) -> None:
    function = lambdanb.deploy("echo", "def lambda_handler(event, context): return event\n")
    with pytest.raises(lambdanb.ServiceError, match="64"):
        tune(function, memory=[512, 64])
    assert [each.name for each in lambdanb.functions()] == ["echo"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("cheap",), "one of cost, speed, balanced, not 'cheap'"),
        (("balanced", 1.5), "from 0 to 1, not 1.5"),
        (("cost", 0.3), "the strategy cost has no weight"),
    ],
)
def test_mistakes_in_a_recommendation(arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tuning(*(tried(128, 10.0, 1e-6) for _ in range(3))).recommend(*arguments)  # type: ignore[arg-type]
