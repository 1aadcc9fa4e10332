"""Estimates with their 95 % band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import columns_of_numbers, need_band


def estimates(
    names: Sequence[str],
    mean: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    quantity: str,
    measured: bool,
    ax: Axes | None = None,
) -> Axes:
    """One row per estimate, from the top: its band and its mean. Simulated: a wide bar with a stroke; measured: a point
    with whiskers. Draw the one and then, with the same `ax` and names, the other to lay it over.

    names           of the estimates
    mean, low, high the mean and the ends of its 95 % band, one number for each name
    quantity        what the numbers are, and their unit: "latency, p95 (ms)"
    measured        whether the numbers come from real runs; else they were simulated

    Raises ValueError for numbers that aren't one for each name, aren't finite, or a mean outside of its band.
    """
    means, lows, highs = columns_of_numbers(mean=mean, low=low, high=high)
    if len(names) != len(means):
        raise ValueError(f"names: {len(names)} given for {len(means)} estimates")
    need_band(lows, means, highs, ("low", "mean", "high"))
    if ax is not None and ax.has_data():
        there = [label.get_text() for label in ax.get_yticklabels()]
        if there != list(names):
            raise ValueError(f"names: {', '.join(names)}, but these axes have {', '.join(there)}")
    ax = style.new_axes(ax, height=max(2.0, 1.1 + 0.34 * len(names)))
    rows = np.arange(len(names))
    line = style.line(measured)
    label = style.kind(measured)
    if measured:
        ax.errorbar(
            means,
            rows,
            xerr=np.stack((means - lows, highs - means)),
            fmt="o",
            color=line.color,
            markersize=4.5,
            elinewidth=1.2,
            capsize=3.0,
            zorder=line.order,
            label=label,
        )
    else:
        ax.barh(rows, highs - lows, left=lows, height=0.5, color=line.color, zorder=line.order, label=label)
        ax.vlines(means, rows - 0.25, rows + 0.25, color=style.BLUE, linewidth=1.6, zorder=line.order + 0.1)
    ax.set_yticks(rows, list(names))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.set_xlabel(f"{quantity}: mean and 95 % band")
    ax.use_sticky_edges = False  # the bars end where they end, not where the axes do
    ax.autoscale_view(scaley=False)
    style.linear_ticks(ax, "x")
    if len(ax.get_legend_handles_labels()[1]) > 1:
        style.legend_beside(ax)
    style.caption(ax, [measured])
    return ax
