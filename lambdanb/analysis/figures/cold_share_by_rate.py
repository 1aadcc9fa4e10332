"""The share of cold starts against the rate of invocations, one line per keep-alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import columns_of_numbers, need_columns, need_positive, need_shares

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("rate_per_s", "keep_alive_s", "cold_share")
_MOST_MARKS = 30


def cold_share_by_rate(shares: DataFrame, *, measured: bool, ax: Axes | None = None) -> Axes:
    """Cold starts in percent of the invocations, over the rate (log): dark lines are the short keep-alives.

    shares    one row per rate and keep-alive, in any order: `rate_per_s`, `keep_alive_s`, `cold_share` (0 to 1)
    measured  whether the numbers come from real runs; else they were simulated

    Raises ValueError where a column or all rows are missing, a rate isn't above 0, a share not from 0 to 1.
    """
    need_columns(shares, COLUMNS, "shares")
    rate, _, share = columns_of_numbers(**{name: shares[name] for name in COLUMNS})
    need_positive("rate_per_s", rate)
    need_shares("cold_share", share)
    ax = style.new_axes(ax)
    by_keep_alive = list(shares.sort_values("rate_per_s").groupby("keep_alive_s", sort=True))
    for place, ((keep_alive_s, rows), color) in enumerate(
        zip(by_keep_alive, style.ramp(len(by_keep_alive)), strict=True)
    ):
        apart = -(-len(rows) // _MOST_MARKS)
        ax.plot(
            rows["rate_per_s"].to_numpy(),
            100 * rows["cold_share"].to_numpy(),
            color=color,
            linestyle=style.DASHES[place % len(style.DASHES)],
            marker=style.MARKERS[place % len(style.MARKERS)],
            markersize=4.5,
            # Some marks on a line of many points, not the same ones on each.
            markevery=(place % apart, apart),
            label=style.span(float(keep_alive_s)),  # type: ignore[arg-type]
        )
    ax.set_xscale("log")
    style.log_ticks(ax, "x")
    ax.set(xlabel="rate (invocations per s)", ylabel="cold starts (%)")
    ax.set_ylim(-3, 103)
    style.legend_beside(ax, "keep-alive")
    style.caption(ax, [measured])
    return ax
