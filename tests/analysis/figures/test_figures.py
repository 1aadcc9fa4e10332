"""Every figure, drawn from several shapes of input: units on its axes, nothing over its data, no warnings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from outcomes import empty_outcome, outcome, records

from lambdanb.analysis import figures

SIZES = pd.DataFrame(
    {
        "memory_mb": [1024, 128, 512],
        "p50_ms": [20.0, 160.0, 40.0],
        "p95_ms": [24.0, 190.0, 50.0],
        "p99_ms": [30.0, 240.0, 70.0],
        "cost_per_million": [0.6, 0.53, 0.55],
    }
)
SHARES = pd.DataFrame(
    [
        {"rate_per_s": rate, "keep_alive_s": keep_alive, "cold_share": float(np.exp(-rate * keep_alive))}
        for keep_alive in (30.0, 60.0, 300.0, 600.0, 3600.0)
        for rate in np.logspace(-4, 1, 40)
    ]
)
KEEP_ALIVES = np.logspace(0, 4, 300)
INTERVALS = np.array([10.0, 100.0, 1000.0])
P_COLD = np.array([0.0, 0.1, 1.0])


def pareto(**keywords: Any) -> Axes:
    share, idle = 1 / (1 + KEEP_ALIVES), np.log1p(KEEP_ALIVES)
    return figures.keep_alive_pareto(KEEP_ALIVES, share, idle, measured=False, **keywords)


def estimates(measured: bool = False, **keywords: Any) -> Axes:
    names, means, low, high = ["p50", "p95"], [80.0, 150.0], [78.0, 140.0], [83.0, 170.0]
    return figures.estimates(names, means, low, high, quantity="latency (ms)", measured=measured, **keywords)


def cold_by_interval(measured: bool = True, **keywords: Any) -> Axes:
    band = {"low": np.clip(P_COLD - 0.05, 0, 1), "high": np.clip(P_COLD + 0.05, 0, 1)}
    return figures.cold_by_interval(INTERVALS, P_COLD, measured=measured, **band, **keywords)


def overlaid(draw: Callable[..., Axes], **keywords: Any) -> Axes:
    return draw(True, ax=draw(False, **keywords))


FORECAST = [outcome(30), outcome(30, measured=False, seed=2)]
DRAWN: dict[str, Callable[..., Any]] = {
    "memory_and_cost": lambda **k: figures.memory_and_cost(SIZES, measured=True, **k),
    "memory_and_cost, one size": lambda **k: figures.memory_and_cost(SIZES[:1], measured=True, **k),
    "concurrency": lambda **k: figures.concurrency(outcome(), **k),
    "concurrency, one window": lambda **k: figures.concurrency(outcome(1), **k),
    "concurrency, nothing came": lambda **k: figures.concurrency(empty_outcome(windows=10), **k),
    "concurrency, thousands": lambda **k: figures.concurrency(outcome(3000, measured=False, window_s=30.0), **k),
    "latency_cdf": lambda **k: figures.latency_cdf(outcome(), **k),
    "latency_cdf, one window": lambda **k: figures.latency_cdf(outcome(1), **k),
    "latency_cdf, overlaid": lambda **k: figures.latency_cdf(FORECAST, **k),
    "latency_heatmap": lambda **k: figures.latency_heatmap(outcome(), **k),
    "latency_heatmap, one window": lambda **k: figures.latency_heatmap(outcome(1), **k),
    "latency_heatmap, thousands": lambda **k: figures.latency_heatmap(outcome(3000, rate=5.0), **k),
    "cold_share_by_rate": lambda **k: figures.cold_share_by_rate(SHARES, measured=False, **k),
    "keep_alive_pareto": pareto,
    "cold_by_interval": cold_by_interval,
    "cold_by_interval, overlaid": lambda **k: overlaid(cold_by_interval, **k),
    "environments": lambda **k: figures.environments(records(), measured=True, **k),
    "environments, one": lambda **k: figures.environments(records(1, 1, 0), measured=True, **k),
    "environments, thousands": lambda **k: figures.environments(records(3000, 60), measured=True, **k),
    "estimates": estimates,
    "estimates, overlaid": lambda **k: overlaid(estimates, **k),
    "windows_over_time": lambda **k: figures.windows_over_time(outcome(), **k),
    "windows_over_time, one window": lambda **k: figures.windows_over_time(outcome(1), **k),
    "windows_over_time, nothing came": lambda **k: figures.windows_over_time(empty_outcome(windows=10), **k),
    "windows_over_time, overlaid": lambda **k: figures.windows_over_time(FORECAST, **k),
    "windows_over_time, thousands": lambda **k: figures.windows_over_time(outcome(3000, rate=5.0), **k),
}
PANELS = {"memory_and_cost": 2, "windows_over_time": 3}


def panels(drawn: Any) -> tuple[Axes, ...]:
    return drawn if isinstance(drawn, tuple) else (drawn,)


def render(axes: tuple[Axes, ...]) -> Figure:
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    return figure


@pytest.mark.parametrize("name", DRAWN)
def test_it_draws_with_units_and_nothing_lies_over_the_data(name: str) -> None:
    axes = panels(DRAWN[name]())
    figure = render(axes)
    assert len(axes) == PANELS.get(name.split(",")[0], 1)
    assert "measured" in axes[0].get_title(loc="right") or "simulated" in axes[0].get_title(loc="right")
    assert axes[-1].get_xlabel()
    for ax in axes:
        assert ax.get_ylabel() or name.startswith("estimates")
        shown = [tick.get_text() for tick in ax.get_yticklabels() if tick.get_text()]
        assert len(shown) >= 1, f"{ax.get_ylabel()}: no ticks are named"
        box = ax.get_window_extent()
        legend = ax.get_legend()
        if legend is not None:
            assert not legend.get_window_extent().overlaps(box)
            assert figure.bbox.padded(1).containsx(legend.get_window_extent().x1), "the legend is cut off"
        if not name.startswith("keep_alive"):
            for text in ax.texts:
                assert text.get_window_extent().x0 >= box.x1


@pytest.mark.parametrize("name", DRAWN)
def test_it_draws_into_the_axes_given(name: str) -> None:
    count = PANELS.get(name.split(",")[0], 1)
    axes = Figure(figsize=(8, 8), layout="constrained").subplots(count, 1, squeeze=False)[:, 0]
    drawn = panels(DRAWN[name](axes=list(axes)) if count > 1 else DRAWN[name](ax=axes[0]))
    assert list(drawn) == list(axes)
    render(drawn)
    assert all(ax.get_xlabel() for ax in drawn)


def test_the_keep_alives_are_written_beside_the_curve_and_not_over_each_other() -> None:
    ax = pareto()
    render((ax,))
    boxes = [text.get_window_extent() for text in ax.texts]
    assert {"1 min", "10 min", "1 h"} <= {text.get_text() for text in ax.texts}
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    curve = ax.transData.transform(np.asarray(ax.lines[0].get_xydata()))
    assert not any(box.contains(x, y) for box in boxes for x, y in curve)


def test_measured_and_simulated_are_told() -> None:
    assert figures.concurrency(outcome(5)).get_title(loc="right") == "measured"
    assert figures.concurrency(outcome(5, measured=False)).get_title(loc="right") == "simulated"
    assert figures.latency_cdf(FORECAST).get_title(loc="right") == "measured over simulated"
    assert overlaid(estimates).get_title(loc="right") == "measured over simulated"
    legend = figures.latency_cdf(FORECAST).get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["measured", "simulated"]


def test_the_stack_is_the_concurrency_that_was_asked_for() -> None:
    """Ten a second of 0.1 s for 10 s; in the second half ten more are throttled: they add as much as ten that ran."""
    run = empty_outcome(windows=10)
    run.windows["arrivals"] = [10.0] * 5 + [20.0] * 5
    run.windows["warm"] = 10.0
    run.windows["throttled"] = [0.0] * 5 + [10.0] * 5
    run.windows["busy_warm"] = 1.0
    top = figures.concurrency(run).patches[-1].get_data().values  # type: ignore[attr-defined]
    assert top == pytest.approx([1.0] * 5 + [2.0] * 5)


def test_all_throttled_is_said_as_no_height_can_be() -> None:
    run = empty_outcome(windows=3)
    run.windows[["arrivals", "throttled"]] = 7.0
    legend = figures.concurrency(run).get_legend()
    assert legend is not None
    assert "throttled:\n21, none ran" in [text.get_text() for text in legend.get_texts()]


def test_the_cdf_passes_through_the_outcomes_own_quantiles() -> None:
    run = outcome()
    latency_ms, slower = figures.latency_cdf(run).lines[0].get_data()
    for percent in (50.0, 95.0, 99.0, 99.9):
        at = np.asarray(latency_ms)[np.argmax(np.asarray(slower) <= 1 - percent / 100)]
        assert at == pytest.approx(run.latency_ms(percent), rel=0.011)


def test_the_heatmap_loses_no_answer() -> None:
    for run in (outcome(), outcome(3000, rate=5.0)):
        assert figures.latency_heatmap(run).collections[0].get_array().sum() == run.latency.total()


def test_environments_boxes_are_the_records() -> None:
    """One environment: 0.1 s of init and 0.2 s of work from 0.05 s on, idle until it works again from 1 s on."""
    frame = pd.DataFrame(
        {
            "environment_id": ["a", "a", None],
            "arrived_ms": [5000.0, 6000.0, 6100.0],
            "queued_ms": [50.0, 0.0, 0.0],
            "init_ms": [100.0, None, None],
            "duration_ms": [200.0, 300.0, 0.0],
        }
    )
    ax = figures.environments(frame[::-1], measured=True)
    idle, busy, warming = (
        [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in each.get_paths()] for each in ax.collections
    )
    assert np.allclose(warming, [(0.05, 0.15)])
    assert np.allclose(busy, [(0.15, 0.35), (1.0, 1.3)])
    assert np.allclose(idle, [(0.35, 1.0)])


def test_pyplot_is_never_loaded() -> None:
    code = "import lambdanb.analysis.figures, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
