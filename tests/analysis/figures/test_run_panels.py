"""A run on one page: what is stacked, what is laid over it, and what the legend above says."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from outcomes import empty_outcome, outcome

from lambdanb.analysis.figures import run_panels
from lambdanb.analysis.told import dollars
from lambdanb.model.outcome import Outcome


def page(*outcomes: Outcome, names: list[str] | None = None) -> tuple[Figure, tuple[Axes, ...]]:
    axes = run_panels(list(outcomes), names)
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    return figure, axes


def told(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def with_troubles(measured: bool = True) -> Outcome:
    """In each window one invocation failed and one was lost."""
    found = outcome(30, measured=measured)
    found.windows["errors"] = 1
    found.windows["arrivals"] += 1
    return found


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome()],
        [outcome(1)],
        [outcome(3000, rate=5.0)],
        [outcome(30), outcome(45, measured=False, seed=2)],
        [outcome(30, measured=False), outcome(30, measured=False, seed=2), with_troubles()],
        [empty_outcome(windows=10)],
    ],
    ids=["one", "one window", "thousands", "measured over simulated", "three", "nothing came"],
)
def test_it_draws_with_units_and_no_legend_lies_over_the_data(outcomes: list[Outcome]) -> None:
    figure, axes = page(*outcomes)
    assert len(axes) == 6
    assert [ax.get_ylabel() for ax in axes[:5]] == [
        "arrivals (per s)",
        "concurrent invocations",
        "environments (mean)",
        "answers within it (%)",
        "latency (ms)",
    ]
    assert axes[5].get_ylabel().startswith("cost so far (")
    assert [ax.get_xlabel().split(" (")[0] for ax in axes] == ["", "", "time", "latency", "", "time"]
    legends = [*figure.legends, *(ax.get_legend() for ax in axes)]
    boxes = [legend.get_window_extent() for legend in legends if legend is not None]
    for box in boxes:
        assert not any(box.overlaps(ax.get_window_extent()) for ax in axes)
        assert not any(box.overlaps(other) for other in boxes if other is not box)
        assert figure.bbox.padded(1).containsx(box.x1), "the legend is cut off"


def test_the_legend_says_what_is_measured_and_what_came_of_it() -> None:
    run = with_troubles()
    figure, _ = page(run, outcome(30, measured=False))
    measured, simulated = told(figure)
    assert measured.startswith(
        f"measured: {run.count('arrivals'):,} requests in 30 s, {run.count('throttled'):,} thrott"
    )
    assert "30 failed" in measured
    assert f"{run.count('cold'):,} cold, p50 " in measured
    assert measured.endswith(dollars(run.cost))
    assert simulated.startswith("simulated: ")
    assert "failed" not in simulated


def test_names_do_not_hide_what_is_measured() -> None:
    figure, _ = page(outcome(), outcome(measured=False), names=["today", "2014"])
    assert [each.split(":")[0] for each in told(figure)] == ["today, measured", "2014, simulated"]


def test_arrivals_are_stacked_by_what_became_of_them() -> None:
    run = with_troubles()
    _, axes = page(run)
    labels = axes[0].get_legend_handles_labels()[1]
    assert labels == ["succeeded", "failed", "throttled", "refused or lost"]
    layers = [patch for patch in axes[0].patches if patch.get_label() in labels]
    tops = [patch.get_data().values for patch in layers]
    assert np.allclose(tops[-1], run.windows["arrivals"]), "a window is a second long"
    assert np.allclose(tops[1], run.windows["warm"] + run.windows["cold"])


def test_what_has_no_answers_says_so() -> None:
    _, axes = page(empty_outcome(windows=10))
    assert [text.get_text() for text in axes[3].texts] == ["no answers"]


def test_cost_runs_up_to_the_whole() -> None:
    run = outcome()
    _, axes = page(run)
    unit = {"cost so far ($)": 1.0, "cost so far (10⁻⁶ $)": 1e-6}[axes[5].get_ylabel()]
    assert axes[5].lines[0].get_ydata()[-1] * unit == pytest.approx(run.cost)  # type: ignore[index]


def test_into_axes_that_one_has() -> None:
    axes = list(Figure(figsize=(10, 8), layout="constrained").subplots(3, 2).flat)
    assert run_panels(outcome(), axes=axes)[0].get_title(loc="right") == "measured"
    with pytest.raises(ValueError, match="axes: 2 given, this figure has 6 panels"):
        run_panels(outcome(), axes=axes[:2])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "$0.00"), (12.345, "$12.35"), (1234.5, "$1,234.50"), (0.5, "$0.500"), (4.17e-4, "$0.000417")],
)
def test_dollars(value: float, shown: str) -> None:
    assert dollars(value) == shown
