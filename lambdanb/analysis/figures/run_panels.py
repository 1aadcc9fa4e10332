"""A whole run on one page, measured or simulated; and other runs laid over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.concurrency import concurrency
from lambdanb.analysis.figures.inputs import Run, outcome_list, outcome_names, places, window_edges
from lambdanb.analysis.figures.latency_cdf import latency_cdf
from lambdanb.analysis.figures.windows_over_time import windows_over_time
from lambdanb.analysis.told import dollars, short
from lambdanb.model.outcome import Outcome

PANELS = 6


def run_panels(
    outcomes: Run | Sequence[Run], names: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> tuple[Axes, ...]:
    """Six panels: arrivals per second by what became of them, concurrency, environments; how many answers keep within a
    latency, the latency's quantiles over time, cost so far.

    Of several outcomes the first one is drawn in full, and what is stacked of it (arrivals and concurrency) has the
    others' sums laid over as lines.

    names   for the legend above, which says of each whether it is measured or simulated
    axes    six: arrivals, concurrency, environments, CDF, latency, cost; the legend is then left to who gives them

    Raises ValueError for what isn't an outcome, and for one without windows or whose windows lack a column.
    """
    outcomes = outcome_list(outcomes)
    labels = outcome_names(outcomes, names)
    if names is not None:
        labels = [f"{label}, {style.kind(outcome.measured)}" for label, outcome in zip(labels, outcomes, strict=True)]
    lines = [style.line(outcome.measured, place) for outcome, place in zip(outcomes, places(outcomes), strict=True)]
    given = axes is not None
    if axes is None:
        figure = Figure(figsize=(10.4, 7.6), layout="constrained")
        axes = list(figure.subplots(3, 2).T.flat)
        keys = [Line2D([], [], **line.keywords()) for line in lines]
        told = [f"{label}: {_told(outcome)}" for label, outcome in zip(labels, outcomes, strict=True)]
        figure.legend(keys, told, loc="outside upper left", frameon=False, alignment="left", handlelength=2.8)
    elif len(axes) != PANELS:
        raise ValueError(f"axes: {len(axes)} given, this figure has {PANELS} panels")
    for ax in axes:
        style.frame(ax)
    arriving, under_way, existing, distribution, latency, cost = axes
    windows_over_time(outcomes, labels, axes=(arriving, existing, latency))
    _fates(arriving, outcomes[0])
    concurrency(outcomes[0], under_way)
    for outcome, line in zip(outcomes[1:], lines[1:], strict=True):
        busy = outcome.windows["busy_warm"] + outcome.windows["busy_cold"]
        edges = window_edges(outcome) / style.time_unit(outcomes[0].seconds)
        # White beside it: the stack may be of the line's own colour.
        cased = [withStroke(linewidth=line.width + 2, foreground="white")]
        values = busy.to_numpy(dtype=np.float64)
        under_way.stairs(values, edges, baseline=None, path_effects=cased, **line.keywords())
    style.from_zero(under_way)
    answered = [place for place, outcome in enumerate(outcomes) if outcome.latency.total()]
    if answered:
        latency_cdf([outcomes[place] for place in answered], [labels[place] for place in answered], distribution)
    else:
        distribution.set(xlabel="latency (ms)", xticks=[], yticks=[])
        style.nothing_here(distribution, "no answers")
    distribution.set_ylabel("answers within it (%)")
    _costs(cost, outcomes, lines)
    end_s = max(float(window_edges(outcome)[-1]) for outcome in outcomes)
    for ax in (under_way, cost):
        style.time_axis(ax, 0.0, end_s, style.time_unit(end_s))
    for ax in axes:
        ax.set_title("", loc="right")
    for ax in (arriving, under_way, latency):
        ax.set_xlabel("")
    for ax in (arriving, under_way):
        style.legend_above(ax)
    for ax in (existing, distribution):
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
    if given:
        style.caption(arriving, [outcome.measured for outcome in outcomes])
    return tuple(axes)


def _fates(ax: Axes, outcome: Outcome) -> None:
    """Arrivals per second, stacked by what became of them, under the lines that are there already."""
    edges = window_edges(outcome)
    counts = {
        name: outcome.windows[name].to_numpy(dtype=np.float64)
        for name in ("arrivals", "warm", "cold", "throttled", "errors")
    }
    ran = counts["warm"] + counts["cold"]
    layers = (
        ("succeeded", ran - counts["errors"], style.LIGHT_GREY, None),
        ("failed", counts["errors"], style.VERMILLION, style.HATCH),
        ("throttled", counts["throttled"], style.THROTTLED, None),
        ("refused or lost", counts["arrivals"] - ran - counts["throttled"], style.PURPLE, None),
    )
    widths = np.diff(edges)
    rates = [(layer / widths, color, hatch, label) for label, layer, color, hatch in layers if layer.any()]
    style.stack(ax, edges / style.time_unit(outcome.seconds), rates)


def _costs(ax: Axes, outcomes: Sequence[Outcome], lines: Sequence[style.Line]) -> None:
    """Dollars so far, at each window's end; of little money in millionths."""
    sums = [np.append(0.0, np.cumsum(outcome.windows["cost"].to_numpy(dtype=np.float64))) for outcome in outcomes]
    most = max(float(its[-1]) for its in sums)
    unit, told = (1.0, "$") if most >= 0.01 or most == 0 else (1e-6, "10⁻⁶ $")
    unit_s = style.time_unit(max(outcome.seconds for outcome in outcomes))
    for outcome, its, line in zip(outcomes, sums, lines, strict=True):
        ax.plot(window_edges(outcome) / unit_s, its / unit, **line.keywords())
    style.from_zero(ax)
    ax.set_ylabel(f"cost so far ({told})")


def _told(outcome: Outcome) -> str:
    """The run in a line: what the panels don't tell at a glance."""
    figures = outcome.figures()
    parts = [f"{figures['invocations']:,} requests in {style.span(outcome.seconds)}"]
    troubles = (("throttled", "throttled"), ("errors", "failed"))
    parts += [f"{figures[name]:,} {word}" for name, word in troubles if figures[name]]
    parts.append(f"{figures['cold_starts']:,} cold")
    for percent in (50, 99):
        latency_ms = figures[f"latency_p{percent}_ms"]
        if latency_ms is not None:
            parts.append(f"p{percent} {short(latency_ms)} ms")
    return ", ".join([*parts, dollars(outcome.cost)])
