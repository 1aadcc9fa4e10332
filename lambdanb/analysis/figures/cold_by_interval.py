"""The probability of a cold start against the interval between two calls: the keep-alive, seen from outside."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import columns_of_numbers, need_band, need_positive, need_shares


def cold_by_interval(
    interval_s: ArrayLike,
    cold_share: ArrayLike,
    *,
    measured: bool,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """P(cold) in percent, over the time since the call before (log). Simulated: a line; measured: points. Draw the one
    and then, with the same `ax`, the other to lay it over.

    interval_s  seconds between two calls, in any order
    cold_share  of the calls at that interval, 0 to 1
    low, high   their 95 % band, both or neither
    measured    whether the numbers come from real runs; else they were simulated

    Raises ValueError for numbers that aren't of one length, for an interval that isn't above 0, a share that isn't from
    0 to 1 or outside of its band.
    """
    if (low is None) != (high is None):
        raise ValueError("low and high: only one of them given; a band has both")
    banded = low is not None and high is not None
    intervals, shares, lows, highs = columns_of_numbers(
        interval_s=interval_s,
        cold_share=cold_share,
        low=cold_share if low is None else low,
        high=cold_share if high is None else high,
    )
    need_positive("interval_s", intervals)
    for name, values in (("cold_share", shares), ("low", lows), ("high", highs)):
        need_shares(name, values)
    need_band(lows, shares, highs, ("low", "cold_share", "high"))
    order = np.argsort(intervals, kind="stable")
    x, y, lows, highs = (values[order] for values in (intervals, 100 * shares, 100 * lows, 100 * highs))
    ax = style.new_axes(ax)
    line = style.line(measured)
    label = style.kind(measured)
    if measured:
        ax.errorbar(
            x,
            y,
            yerr=np.stack((y - lows, highs - y)) if banded else None,
            fmt="o",
            color=line.color,
            markersize=4.5,
            elinewidth=1.0,
            capsize=2.0,
            zorder=line.order,
            label=label,
        )
    else:
        if banded:
            ax.fill_between(x, lows, highs, color=line.color, alpha=0.3, linewidth=0.0)
        ax.plot(x, y, label=label, **line.keywords())
    ax.set_xscale("log")
    style.log_ticks(ax, "x")
    ax.set(xlabel="interval between calls (s)", ylabel="probability of a cold start (%)")
    ax.set_ylim(-3, 103)
    if len(ax.get_legend_handles_labels()[1]) > 1:
        style.legend_beside(ax)
    style.caption(ax, [measured])
    return ax
