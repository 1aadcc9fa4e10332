"""A study of the keep-alive: the curve's numbers, their bounds, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lambdanb.analysis.keep_alive_study import MOST_INVOCATIONS, keep_alive_study
from lambdanb.simulator.laws import Exponential, Fixed
from lambdanb.simulator.theory import keep_alive_law
from lambdanb.streams import Poisson, Replay


def test_the_exact_law_lies_between_the_two_bounds() -> None:
    """Of 16 seeds, the mean of each bound is at most 3 standard errors on the wrong side of the law."""
    exact = keep_alive_law(rate_per_s=5, service_s=0.3, keep_alive_s=30)
    found = [keep_alive_study(Poisson(5), Exponential(0.3), seconds=4_000, seed=seed).at(30) for seed in range(16)]
    above = np.array([one.cold_share for one in found]) - exact.cold_share
    below = exact.cold_share - np.array([one.later_share for one in found])
    for gap in (above, below):
        assert gap.mean() > -3 * gap.std(ddof=1) / 4
    kept = np.array([one.environments for one in found])
    assert abs(kept.mean() - exact.environments) < 3 * kept.std(ddof=1) / 4 + 0.02


def test_one_environment_that_is_kept_or_not() -> None:
    """Three invocations of 1 s, 10 s apart: one gap of 9 s, then another."""
    study = keep_alive_study(Replay([0.0, 10.0, 20.0]), Fixed(1.0), seconds=21)
    kept, dropped = study.at(9), study.at(8.9)
    assert (kept.cold_starts, kept.filling, kept.idle) == (1, 1, pytest.approx(18 / 21))
    assert (dropped.cold_starts, dropped.cold_share, dropped.later_share) == (3, 1.0, pytest.approx(2 / 3))
    assert kept.environments == pytest.approx(1.0)
    assert kept.idle_share == pytest.approx(18 / 21)
    assert (np.diff(study.cold_share) <= 0).all()
    assert (np.diff(study.idle) >= 0).all()


def test_nothing_arrives() -> None:
    study = keep_alive_study(Poisson(0), Fixed(1.0), seconds=10)
    nothing = study.at(60)
    assert (nothing.cold_share, nothing.environments, nothing.idle_share) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="no invocations"):
        study.plot()


def test_too_many_to_be_answered_at_once() -> None:
    with pytest.raises(ValueError, match=f"more than {MOST_INVOCATIONS:,} invocations in 86,400 s.*fewer seconds"):
        keep_alive_study(Poisson(1000), Fixed(1.0), seconds=86_400)


def test_a_length_of_nothing() -> None:
    with pytest.raises(ValueError, match="seconds is 0"):
        keep_alive_study(Poisson(1), Fixed(1.0), seconds=0)


@pytest.mark.parametrize("duration_s", [0.01, 3.0])
def test_no_legend_lies_over_the_curves(duration_s: float) -> None:
    """With long durations the environments stay near the top."""
    axes = keep_alive_study(Poisson(5), Fixed(duration_s), seconds=5_000).plot(60)
    figure = axes[0].get_figure(root=True)
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    for ax in axes[:2]:
        legend = ax.get_legend()
        assert legend is not None
        assert not legend.get_window_extent().overlaps(ax.get_window_extent())
        assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_the_figure_marks_the_keep_alive() -> None:
    study = keep_alive_study(Poisson(1), Fixed(1.0), seconds=5_000)
    cold, kept, pareto = study.plot(60)
    assert cold.get_ylabel() == "cold starts (%)"
    assert kept.get_ylabel() == "environments (mean)"
    assert pareto.get_xlabel() == "idle environments (mean)"
    assert [float(line.get_xdata()[0]) for line in cold.lines][-1] == 60
    assert len(study.plot()[0].lines) == len(cold.lines) - 1
