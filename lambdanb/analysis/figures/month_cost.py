"""A month's cost against its requests, under each set of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.memory_study_panels import RULES_LINES

if TYPE_CHECKING:
    from lambdanb.analysis.cost_curve import CostCurve


def month_cost(curve: CostCurve, requests: int | None = None, ax: Axes | None = None) -> Axes:
    """Dollars over requests, both log; a line begins where the free tier ends. A number of requests is marked."""
    ax = style.new_axes(ax)
    for name, dollars in curve.month_usd.items():
        paid = dollars > 0
        if paid.any():
            color, line = RULES_LINES[name]
            ax.plot(curve.requests[paid] / 1e6, dollars[paid], color=color, linestyle=line, linewidth=2.0, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    style.log_ticks(ax, "y")
    ax.set(xlabel="requests a month (million)", ylabel="a month's cost ($)")
    ax.set_xlim(curve.requests[0] / 1e6, curve.requests[-1] / 1e6)
    style.log_ticks(ax, "x")
    if requests:
        ax.axvline(requests / 1e6, color=style.VERMILLION, linewidth=1.2)
    style.legend_beside(ax)
    ax.set_title("computed from list prices", loc="right", fontsize="small", color=style.GREY)
    return ax
