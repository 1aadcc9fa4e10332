"""Colours are told apart with red-green blindness and in grey; times and numbers are written as people write them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lambdanb.analysis.figures import style

# Machado, Oliveira, Fernandes (IEEE TVCG 15, 2009), severity 1.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TOGETHER = {
    "concurrency": (style.WARM, style.COLD, style.THROTTLED, "#FFFFFF"),
    "environments": (style.BUSY, style.WARMING, style.IDLE, "#FFFFFF"),
    "measured over simulated": (style.line(True).color, style.line(False).color, "#FFFFFF"),
    "the second pair": (style.line(True, 1).color, style.line(False, 1).color, "#FFFFFF"),
    "quantiles": (style.BLACK, style.VERMILLION, style.SKY, "#FFFFFF"),
    "keep-alives": (*style.ramp(5), "#FFFFFF"),
}


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour, after `seen` was applied to its linear light."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(np.maximum(XYZ @ np.clip(seen @ linear, 0, 1) / (0.9505, 1.0, 1.089), 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", TOGETHER)
def test_colours_that_meet_are_told_apart(name: str) -> None:
    colors = TOGETHER[name]
    for place, one in enumerate(colors):
        for other in colors[:place]:
            assert abs(lab(one, np.eye(3))[0] - lab(other, np.eye(3))[0]) > 10, f"{one} and {other} in grey"
            assert math.dist(lab(one, DEUTERANOPIA), lab(other, DEUTERANOPIA)) > 14, f"{one} and {other}"


def test_the_map_darkens_all_the_way() -> None:
    lightness = [lab(style.MAP(step / 20), np.eye(3))[0] for step in range(21)]
    assert np.all(np.diff(lightness) < 0)
    assert lightness[0] < 93  # a single answer is seen on white paper


def test_sixteen_lines_of_a_kind_differ_and_no_measured_one_is_as_wide_as_a_forecast() -> None:
    for measured in (True, False):
        lines = [style.line(measured, place) for place in range(16)]
        assert len({(line.color, line.dashes) for line in lines}) == 16
    assert style.line(True).width < style.line(False).width / 2


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.1, "0.1 s"), (30, "30 s"), (60, "1 min"), (5400, "1.5 h"), (172800, "2 d")]
)
def test_a_span_in_words(seconds: float, told: str) -> None:
    assert style.span(seconds) == told


@pytest.mark.parametrize(("low", "high"), [(9.9, 10.1), (10, 39), (60, 480), (1, 400), (0.01, 900_000)])
def test_a_log_axis_has_numbers_however_narrow_it_is(low: float, high: float) -> None:
    ax = style.new_axes(None)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    style.log_ticks(ax, "y")
    ax.get_figure(root=True).canvas.draw()  # type: ignore[union-attr]
    within = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert 3 <= len(within) <= 12


def test_labels_at_line_ends_are_moved_apart() -> None:
    ax = style.new_axes(None)
    ax.set_ylim(0, 100)
    style.label_ends(ax, [(1, 50, "p50", style.BLACK), (1, 50.1, "p95", style.BLACK), (1, 50.2, "p99", style.BLACK)])
    ax.get_figure(root=True).canvas.draw()  # type: ignore[union-attr]
    tops = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == ["p50", "p95", "p99"]
    assert all(lower.y0 < upper.y0 - 5 for lower, upper in pairwise(tops))
