"""The cost calculator: a month's bill line by line, under both sets of rules side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.analysis.bill_table import dollars
from lambdanb.analysis.cost_curve import CostCurve, cost_curve
from lambdanb.analysis.figures import style
from lambdanb.analysis.month_bill import ARCHITECTURES, Month, MonthBill, month_bill
from lambdanb.model.rules import RULES, TODAY
from lambdanb.notebook.bill_html import bills_html
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.controls import choice, number, tick, whole_number, whole_slider
from lambdanb.notebook.explorer import Explorer
from lambdanb.notebook.panels import Panel, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Calculated:
    """A month, its bill under each set of rules, and what other numbers of requests would cost."""

    month: Month
    bills: tuple[MonthBill, ...]
    curve: CostCurve


def calculate(month: Month) -> Calculated:
    """All that the calculator shows of a month."""
    return Calculated(month, tuple(month_bill(month, rules) for rules in RULES.values()), cost_curve(month))


def month_of(values: Mapping[str, Any]) -> Month:
    """The month that the controls say. ValueError for what can't be, and for what AWS doesn't sell."""
    settings = dict(values)
    for name in ("cold", "provisioned"):
        percent = settings.pop(f"{name}_percent")
        if not 0 <= percent <= 100:
            raise ValueError(f"{name}_percent is {percent!r}: it must be a number from 0 to 100")
        settings[f"{name}_share"] = percent / 100
    return Month(**settings)


PANELS = (
    Panel(
        "cost over requests",
        "a month's cost ($)",
        (Series("today", style.BLACK, width=2.0), Series("preview-2014", style.ORANGE, (6, 3), 2.0)),
        x="requests a month (million)",
        log_x=True,
        log_y=True,
    ),
)


def points(answer: Calculated) -> tuple[dict[str, list[Any]], dict[str, float | None]]:
    """What the chart draws: its columns, and where the month's requests are marked, which have their point in them."""
    (panel,) = PANELS
    requests, curve = answer.month.requests, answer.curve
    place = int(np.searchsorted(curve.requests, requests))
    columns = [np.insert(curve.requests, place, requests) / 1e6]
    for bill, costs in zip(answer.bills, curve.month_usd.values(), strict=True):
        columns.append(np.insert(costs, place, math.nan if bill.bill is None else float(bill.bill.total)))
    return {panel.name: columns}, {panel.name: requests / 1e6}


class CostCalculator(Explorer[Calculated]):
    """What `calculate_cost` gives. `answer.bills` are the bills of what the controls say."""

    title = "Cost calculator"

    def __init__(self, month: Month) -> None:
        memory, tmp = TODAY.memory_mb, TODAY.tmp_mb
        controls = {
            "requests": whole_number("requests a month", month.requests, "invocations; throttled ones cost nothing"),
            "duration_ms": number("duration (ms)", month.duration_ms, "of the handler, each time"),
            "memory_mb": whole_slider("memory (MB)", month.memory_mb, memory.minimum, memory.maximum, memory.range),
            "tmp_mb": whole_slider("/tmp (MB)", month.tmp_mb, tmp.minimum, tmp.maximum, "512 MB of it cost nothing"),
            "cold_percent": number("cold starts (%)", 100 * month.cold_share, "of the requests that run on demand"),
            "init_ms": number("init (ms)", month.init_ms, "of a cold start; billed since August 2025"),
            "provisioned": whole_number("provisioned", month.provisioned, "environments kept ready; 0 for none"),
            "provisioned_hours": number(
                "kept ready (h)", month.provisioned_hours, "of the month's 730 h, in steps of 5 minutes"
            ),
            "provisioned_percent": number(
                "runs on these (%)", 100 * month.provisioned_share, "of the requests; the others run on demand"
            ),
            "architecture": choice("architecture", month.architecture, ARCHITECTURES, "2014 had x86_64 alone"),
            "snap_start": tick("SnapStart", month.snap_start, "not with provisioned concurrency or a larger /tmp"),
            "free_tier": tick("free tier", month.free_tier, "1 million requests and 400,000 GB-s a month"),
        }
        self.chart = Chart(PANELS, label=self.title)
        super().__init__(controls, [self.chart])

    def compute(self, values: Mapping[str, Any]) -> Calculated:
        """The bills at these values."""
        return calculate(month_of(values))

    def show(self, answer: Calculated) -> str:
        """The bills, and the curve."""
        self.chart.replace(*points(answer))
        return bills_html(answer.bills)

    def figure(self) -> Figure:
        """The bills by their charges, and cost over requests."""
        from lambdanb.analysis.figures.month_cost import month_cost

        answer = self.answer
        return month_cost(answer.bills, answer.curve, answer.month.requests)[0].figure  # type: ignore[return-value]

    def sentence(self) -> str:
        """What the month costs."""
        totals = [(each.rules.name, each.cents()) for each in self.answer.bills]
        told = ", ".join(f"{name} {'none' if cents is None else dollars(cents.total)}" for name, cents in totals)
        month = self.answer.month
        return (
            f"{month.requests:,} requests of {month.duration_ms:,.6g} ms at {month.memory_mb:,} MB: {told} a month "
            "(computed from list prices)"
        )


def calculate_cost(**month: Any) -> CostCalculator:
    """A month's bill, line by line and to the cent, under both sets of rules side by side, with controls.

    Begins with what is given, else with a million requests of 100 ms at 512 MB: `requests`, `duration_ms`, `memory_mb`,
    `tmp_mb`, `architecture` ("x86_64", "arm64"), `cold_share` (0 to 1), `init_ms`, `provisioned`, `provisioned_hours`,
    `provisioned_share` (0 to 1), `snap_start`, `free_tier`: the fields of `lambdanb.analysis.month_bill.Month`, which
    tells what each is.

    Computed from list prices, in exact decimals. In the result, `.answer.bills` are the bills, `.figure()` is a picture
    of them and of cost over requests, `.set(requests=...)` changes controls, and `.close()` ends it. A script has
    `lambdanb.analysis.month_bill.month_bill`.

    Raises ValueError for a value out of range, and for what AWS doesn't sell.
    """
    known = [each.name for each in fields(Month)]
    unknown = [name for name in month if name not in known]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: a month has {', '.join(known)}")
    return CostCalculator(Month(**month))
