"""A month's bill by its charges, and its cost against the number of requests, under each set of rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lambdanb.analysis.bill_table import dollars
from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.memory_study_panels import RULES_LINES
from lambdanb.analysis.month_bill import CHARGES

if TYPE_CHECKING:
    from lambdanb.analysis.cost_curve import CostCurve
    from lambdanb.analysis.month_bill import MonthBill

_COLORS = dict(zip(CHARGES, (style.SKY, style.ORANGE, style.BLUE, style.PURPLE, style.GREEN), strict=True))


def month_cost(bills: Sequence[MonthBill], curve: CostCurve, requests: int) -> tuple[Axes, ...]:
    """Left a bar for each set of rules, made of its charges, with the total to the cent; right dollars over requests,
    both log, where a line begins when the free tier ends. The number of requests is marked."""
    bars, cost = Figure(figsize=(10.5, 3.3), layout="constrained").subplots(1, 2, width_ratios=(2, 3))
    for ax in (bars, cost):
        style.frame(ax)
    longest = 0.0
    for place, bill in enumerate(bills):
        cents, left = bill.cents(), 0.0
        for charge, color in _COLORS.items():
            amount = 0.0 if cents is None else float(getattr(cents, charge))
            if amount:
                label = CHARGES[charge] if CHARGES[charge] not in bars.get_legend_handles_labels()[1] else None
                bars.barh(place, amount, left=left, color=color, height=0.5, label=label)
                left += amount
        longest = max(longest, left)
        told = "could not run" if cents is None else dollars(cents.total)
        bars.annotate(told, (left, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize="small")
    bars.set_yticks(range(len(bills)), [each.rules.name for each in bills])
    bars.set_ylim(len(bills) - 0.4, -0.6)
    style.linear_ticks(bars, "x")
    bars.set_xlim(0, 1.3 * longest or 1.0)
    bars.set_xlabel("a month's cost ($)")
    if bars.get_legend_handles_labels()[1]:
        bars.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False, fontsize="small")
    _over_requests(cost, curve, requests)
    return bars, cost


def _over_requests(ax: Axes, curve: CostCurve, requests: int) -> None:
    for name, costs in curve.month_usd.items():
        paid = costs > 0
        if paid.any():
            color, line = RULES_LINES[name]
            ax.plot(curve.requests[paid] / 1e6, costs[paid], color=color, linestyle=line, linewidth=2.0, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(curve.requests[0] / 1e6, curve.requests[-1] / 1e6)
    style.log_ticks(ax, "x")
    style.log_ticks(ax, "y")
    ax.set(xlabel="requests a month (million)", ylabel="a month's cost ($)")
    if requests:
        ax.axvline(requests / 1e6, color=style.VERMILLION, linewidth=1.2)
    style.legend_beside(ax)
    ax.set_title("computed from list prices", loc="right", fontsize="small", color=style.GREY)
