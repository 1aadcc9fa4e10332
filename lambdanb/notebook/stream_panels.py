"""The panels of the stream dashboard, one for each of what `analysis.live_view` gives."""

from __future__ import annotations

from lambdanb.analysis.figures import style
from lambdanb.analysis.live_view import PANELS, Points
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.panels import Panel, Series

_NAMES = dict(
    zip(PANELS, ("Arrivals", "Concurrency", "Latency", "Environments", "Cost so far", "Failures"), strict=True)
)


def panels(measured: bool) -> list[Panel]:
    """The six of them. Of a forecast's environments only how many there are is known: its rows are levels."""
    kinds = ("idle", "warming", "busy") if measured else ("idle", "cold", "busy")
    return [
        Panel(_NAMES["arrivals"], "arrivals (per s)", [Series("arrivals", style.BLACK)]),
        Panel(
            _NAMES["concurrency"],
            "invocations under way",
            [
                Series("warm", style.WARM),
                Series("cold", style.COLD, hatched=True),
                Series("throttled, had they run", style.THROTTLED),
            ],
            draw="stack",
        ),
        Panel(
            _NAMES["latency"],
            "latency (ms)",
            [
                Series("p50", style.GREEN, width=2.2),
                Series("p95", style.BLUE, dashes=(6, 3)),
                Series("p99", style.VERMILLION, dashes=(2, 2)),
            ],
            log_y=True,
        ),
        Panel(
            _NAMES["environments"],
            "environment" if measured else "environments (levels)",
            [
                Series(kinds[0], style.IDLE),
                Series(kinds[1], style.WARMING, hatched=True),
                Series(kinds[2], style.BUSY),
            ],
            draw="boxes",
        ),
        Panel(_NAMES["cost"], "cost (US$)", [Series("list price", style.BLACK)]),
        Panel(
            _NAMES["failures"],
            "failures (per s)",
            [Series("errors", style.VERMILLION, width=2.2), Series("throttled", style.BLACK, dashes=(6, 3))],
        ),
    ]


def show(chart: Chart, points: Points) -> None:
    """Add the points of a look to the chart."""
    if points:
        chart.append({_NAMES[key]: columns for key, columns in points.items()})
