"""The explorers: what their controls ask for, what they show, and what can't be asked. Without a browser."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from html import unescape
from typing import Any

import numpy as np
import pytest

import lambdanb
from lambdanb.analysis.memory_study import MemoryLaw
from lambdanb.analysis.tuning import Tried, Tuning
from lambdanb.model.rules import RULES
from lambdanb.notebook.keep_alive_explorer import LAWS, OWN, STREAMS, Own, arrivals, durations
from lambdanb.simulator.laws import Fixed, Uniform
from lambdanb.simulator.profile import Profile
from lambdanb.streams import Burst, Diurnal, Poisson, Replay

ALL = ("explore_keep_alive", "explore_memory", "calculate_cost")


def said(explorer: Any) -> str:
    """What is written above the drawing, without its tags."""
    return unescape(re.sub(r"<[^>]*>", " ", explorer._said.value))


def tuning(error: str | None = None) -> Tuning:
    tried = [
        Tried(memory_mb=size, event=0, at_s=0.0, cold=False, error=error, duration_ms=time_ms, init_ms=None,
              max_memory_mb=40, cost=1e-6)
        for size, time_ms in ((128, 800.0), (512, 200.0), (1769, 60.0))
    ]  # fmt: skip
    return Tuning("resize", [1.0], tried, interrupted=False)


@pytest.mark.parametrize("name", ALL)
def test_an_explorer_as_text(name: str) -> None:
    explorer = getattr(lambdanb, name)()
    text = repr(explorer)
    assert text.startswith(f"<{explorer.title}: ")
    assert re.search(r"\((simulated|computed)", text)
    assert "http" not in explorer._said.value
    assert "<script" not in explorer._said.value
    for colour in re.findall(r"[^-]color: ([^\";]+)", explorer._said.value):
        assert re.match(r"var\(--jp-[\w-]+, ", colour), colour
    explorer.close()


@pytest.mark.parametrize("name", ALL)
def test_every_control_has_a_label_and_a_tooltip(name: str) -> None:
    explorer = getattr(lambdanb, name)()
    for control in explorer.controls.values():
        assert control.description
        assert control.tooltip
    explorer.close()


@pytest.mark.parametrize("name", ALL)
def test_help_is_there(name: str) -> None:
    assert "ValueError" in getattr(lambdanb, name).__doc__
    assert name in dir(lambdanb)


@pytest.mark.parametrize("name", ALL)
def test_closing(name: str) -> None:
    explorer = getattr(lambdanb, name)()
    before = explorer.sentence()
    explorer.close()
    explorer.close()
    assert repr(explorer) == f"<{explorer.title}: closed; it showed: {before}>"
    assert explorer._box.comm is None
    assert explorer.chart.comm is None
    assert all(control.comm is None for control in explorer.controls.values())


@pytest.mark.parametrize("name", ALL)
def test_what_the_figure_shows(name: str) -> None:
    explorer = getattr(lambdanb, name)()
    labels = [label for ax in explorer.figure().axes for label in (ax.get_xlabel(), ax.get_ylabel())]
    assert any(re.search(r"\((%|ms|\$)\)", label) for label in labels), labels
    explorer.close()


def test_moving_the_keep_alive_moves_along_one_curve() -> None:
    explorer = lambdanb.explore_keep_alive()
    study = explorer.answer
    explorer.controls["keep_alive_s"].value = 10
    assert explorer.answer is study, "nothing was simulated"
    assert "cold starts at 10 s" in said(explorer)
    assert explorer.sentence().startswith("10 s keep-alive: ")
    drawn = explorer.chart.points("cold starts")
    assert 100 * study.at(10).cold_share in drawn[1][drawn[0] == 10], "what is marked has its point"
    explorer.controls["rate"].value = 10
    assert explorer.answer is not study
    assert explorer.answer.curve.invocations == pytest.approx(250_000, rel=0.02)
    explorer.close()


def test_a_longer_keep_alive_has_fewer_cold_starts() -> None:
    explorer = lambdanb.explore_keep_alive(keep_alive_s=1)
    shares = []
    for keep_alive_s in (1, 10, 60, 600):
        explorer.controls["keep_alive_s"].value = keep_alive_s
        shares.append(float(explorer.sentence().split(": ")[1].split(" %")[0]))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 10 * shares[-1]
    explorer.close()


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_have_the_rate_of_the_slider(kind: str) -> None:
    stream, seconds = arrivals(kind, 2.0, Own())
    assert stream.mean_rate(seconds) == pytest.approx(2.0)
    assert 150_000 < 2.0 * seconds <= 300_000


def test_a_day_and_night_that_is_too_long_is_told_and_the_last_answer_stays() -> None:
    explorer = lambdanb.explore_keep_alive()
    explorer.controls["rate"].value = 20
    before = explorer.answer
    explorer.controls["stream"].value = "day and night"
    assert explorer.answer is before
    assert explorer.problem.startswith(
        "rate: a day and night at 20 per s has 1,728,000 invocations, more than the 300,000"
    )
    assert "At most 3.47 per s" in said(explorer)
    assert 'role="alert"' in explorer._said.value
    explorer.controls["rate"].value = 2
    assert explorer.problem == ""
    assert 'role="alert"' not in explorer._said.value
    explorer.close()


@pytest.mark.parametrize("kind", LAWS)
def test_durations_have_the_mean_of_the_slider(kind: str) -> None:
    drawn = np.empty(400_000)
    durations(kind, 0.3, Own()).draw(np.random.default_rng(1), drawn)
    assert drawn.mean() == pytest.approx(0.3, abs=3 * drawn.std() / math.sqrt(len(drawn)) + 1e-12)


def test_a_stream_and_durations_of_ones_own() -> None:
    explorer = lambdanb.explore_keep_alive(Diurnal(peak=3, trough=1), Uniform(0.1, 0.3), seconds=86_400)
    values = explorer.values
    assert (values["stream"], values["law"]) == (OWN, OWN)
    assert values["rate"] == pytest.approx(2.0)
    assert values["duration_ms"] == pytest.approx(200, rel=0.01)
    assert explorer.answer.curve.seconds == 86_400
    busy = explorer.answer.at(60).busy
    explorer.controls["rate"].value = 1
    explorer.controls["duration_ms"].value = 400
    assert explorer.answer.at(60).busy == pytest.approx(busy, rel=0.02), "half as often, twice as long"
    explorer.controls["stream"].value = "Poisson"
    explorer.close()


def test_a_stream_without_a_closed_form_is_counted() -> None:
    explorer = lambdanb.explore_keep_alive(Replay(np.arange(0, 100, 0.5)) + Burst(0, 10, 5, 2), seconds=100)
    assert explorer.values["rate"] == pytest.approx(2.2, rel=0.1)
    explorer.close()


def test_the_durations_of_a_profile() -> None:
    explorer = lambdanb.explore_keep_alive(durations=Profile.of_law(warm=80, init=300))
    assert explorer.values["duration_ms"] == pytest.approx(80)
    explorer.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"keep_alive_s": 0}, "keep_alive_s is 0: it must be a number from 0.1 to 86,400"),
        ({"keep_alive_s": math.nan}, "keep_alive_s is nan"),
        ({"stream": 5}, "stream is 5: it must be a stream of lambdanb.streams"),
        ({"stream": Poisson(0)}, "has no invocations in its first 86,400 s"),
        ({"stream": Poisson(1000)}, "more than the 300,000"),
        ({"stream": Poisson(1), "seconds": -1}, "seconds"),
        ({"durations": 5}, "durations is 5: it must be a law"),
        ({"durations": Fixed(0.0)}, "durations: all are 0 s"),
    ],
)
def test_what_keep_alive_explorers_can_not_be_made_of(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lambdanb.explore_keep_alive(**wrong)


def test_memory_by_a_law() -> None:
    explorer = lambdanb.explore_memory(MemoryLaw(duration_ms=100, cpu_share=1), requests=10_000_000, memory_mb=1769)
    assert "duration at 1,769 MB" in said(explorer)
    assert "100 ms" in said(explorer)
    explorer.set(memory_mb=884)
    assert float(explorer.answer.mean_ms[explorer.answer.nearest(884)]) == pytest.approx(200, rel=0.03)
    explorer.controls["cpu_percent"].value = 0
    assert (explorer.answer.mean_ms == 100).all()
    explorer.controls["needs_mb"].value = 2048
    assert "could run at no size" in said(explorer), "in 2014"
    explorer.close()


def test_memory_as_tuned() -> None:
    explorer = lambdanb.explore_memory(tuning(), requests=50_000_000)
    assert "duration_ms" not in explorer.controls
    assert explorer.title == "Memory and cost explorer: resize, as tuned"
    assert explorer.answer.memory_mb.tolist() == [128, 512, 1769]
    explorer.set(memory_mb=1500)
    assert "duration at 1,769 MB" in said(explorer), "the nearest that was measured"
    assert "(measured)" in repr(explorer)
    explorer.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"function": "resize"}, "function is 'resize': it must be what lambdanb.tune gives"),
        ({"function": tuning("boom")}, "no size of resize ran without failing"),
        ({"requests": 5}, "requests is 5"),
        ({"memory_mb": 100}, "memory_mb is 100: .* 128 to 10,240 MB"),
    ],
)
def test_what_memory_explorers_can_not_be_made_of(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lambdanb.explore_memory(**wrong)


def test_the_bill_of_the_slides() -> None:
    calculator = lambdanb.calculate_cost(requests=3_000_000, duration_ms=1000, memory_mb=512)
    _, preview = calculator.answer.bills
    cents = preview.cents()
    assert cents is not None
    assert cents.total == Decimal("18.74")
    text = said(calculator)
    for part in ("$18.74", "$0.00001667", "1,100,000 GB-s", "400,000 GB-s a month", "AWS's first price list, 2014"):
        assert part in text, part
    assert "no bill of AWS's" in text
    calculator.controls["memory_mb"].value = 2048
    assert "could not run: memory of 2,048 MB" in said(calculator)
    calculator.close()


def test_every_setting_of_a_month_has_its_control() -> None:
    month = {
        "requests": 5_000_000, "duration_ms": 12.5, "memory_mb": 1000, "tmp_mb": 2000, "architecture": "arm64",
        "cold_share": 0.02, "init_ms": 300.0, "provisioned": 4, "provisioned_hours": 100.0, "provisioned_share": 0.5,
        "free_tier": False,
    }  # fmt: skip
    calculator = lambdanb.calculate_cost(**month)
    made = calculator.answer.month
    assert {name: getattr(made, name) for name in month} == month
    calculator.close()


def test_what_aws_does_not_sell_is_told_beside_the_controls() -> None:
    calculator = lambdanb.calculate_cost(provisioned=3)
    calculator.controls["snap_start"].value = True
    assert "AWS has one or the other" in said(calculator)
    calculator.controls["provisioned"].value = 0
    assert "snapshot kept" in said(calculator)
    calculator.controls["requests"].value = -5
    assert "requests is -5: it must be a number from 0" in said(calculator)
    calculator.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"request": 5}, "request: a month has requests, duration_ms"),
        ({"memory_mb": 64}, "memory_mb is 64"),
        ({"snap_start": True, "provisioned": 1}, "one or the other"),
    ],
)
def test_what_calculators_can_not_be_made_of(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lambdanb.calculate_cost(**wrong)


def test_setting_controls_from_python() -> None:
    explorer = lambdanb.explore_keep_alive()
    explorer.set(rate=7.3, keep_alive_s=450)
    assert explorer.values["rate"] == 7.3
    assert explorer.sentence().startswith("7.5 min keep-alive")
    assert "7.3 per s" in repr(explorer)
    with pytest.raises(ValueError, match="speed: the controls are keep_alive_s, rate, duration_ms, stream, law"):
        explorer.set(speed=5)
    explorer.close()


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("explore_keep_alive", {"stream": "sinus"}, "stream is 'sinus': it must be one of Poisson, evenly spaced"),
        ("explore_keep_alive", {"rate": -1}, "rate is -1: it must be a number above 0"),
        ("explore_keep_alive", {"rate": "fast"}, "rate is 'fast': it must be a number"),
        ("explore_keep_alive", {"duration_ms": -5}, "duration_ms is -5: it must be a number above 0"),
        ("explore_keep_alive", {"keep_alive_s": -5}, "keep_alive_s is -5"),
        ("explore_memory", {"memory_mb": 64}, "memory_mb is 64: it must be a whole number, 128 to 10,240 MB"),
        ("explore_memory", {"threads": 1.5}, "threads is 1.5: it must be a whole number"),
        ("explore_memory", {"free_tier": "yes"}, "free_tier is 'yes': it must be True or False"),
        ("calculate_cost", {"cold_percent": 101}, "cold_percent is 101: it must be a number from 0 to 100"),
    ],
)
def test_what_controls_can_not_be_set_to(name: str, wrong: dict[str, Any], told: str) -> None:
    explorer = getattr(lambdanb, name)()
    before = explorer.values
    with pytest.raises(ValueError, match=told):
        explorer.set(**wrong)
    assert explorer.values == before
    explorer.close()


def test_both_rules_are_in_the_chart() -> None:
    explorer = lambdanb.explore_memory()
    cost = explorer.chart.points("cost")
    assert cost.shape[0] == 1 + len(RULES)
    assert np.isnan(cost[2][cost[0] > 1024]).all()
    explorer.close()
