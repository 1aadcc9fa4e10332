"""Arrivals, environments and latency over time, what was measured laid over what was forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, outcome_list, outcome_names, places, window_edges
from lambdanb.model.histogram import percentile_ms
from lambdanb.model.outcome import QUANTILES, Outcome


def windows_over_time(
    outcomes: Outcome | Sequence[Outcome], names: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> tuple[Axes, ...]:
    """Three panels over the time since the stream's start, a step for each window: arrivals per second, environments,
    and the latency's quantiles (log; a gap where a window had no answers).

    names   for the legend; "measured" and "simulated" without them
    axes    three: arrivals, environments, latency

    Raises ValueError for an outcome without windows, whose windows lack a column, or whose latencies aren't one
    histogram for each window.
    """
    outcomes = outcome_list(outcomes)
    labels = outcome_names(outcomes, names)
    edges = [window_edges(outcome) for outcome in outcomes]
    for label, outcome in zip(labels, outcomes, strict=True):
        if len(outcome.latency_by_window) != len(outcome.windows):
            raise ValueError(
                f"outcome.latency_by_window of {label}: {len(outcome.latency_by_window)} histograms for "
                f"{len(outcome.windows)} windows"
            )
    axes = style.new_panels(axes, 3, height=5.8)
    arrivals, environments, latency = axes
    unit_s, unit = style.time_unit(max(its_edges[-1] for its_edges in edges))
    keys = []
    ends: list[tuple[float, float, str, str]] = []
    for label, place, outcome, its_edges in zip(labels, places(outcomes), outcomes, edges, strict=True):
        line = style.line(outcome.measured, place)
        at = its_edges / unit_s
        windows = outcome.windows
        for ax, values in (
            (arrivals, windows["arrivals"].to_numpy(dtype=np.float64) / np.diff(its_edges)),
            (environments, windows["environments"].to_numpy(dtype=np.float64)),
        ):
            ax.stairs(values, at, baseline=None, **line.keywords())  # type: ignore[arg-type]
        keys.append(Line2D([], [], label=label, **line.keywords()))  # type: ignore[arg-type]
        for percent, dashes in zip(QUANTILES, style.DASHES, strict=False):
            values = _quantile(outcome, percent)
            latency.stairs(values, at, baseline=None, **{**line.keywords(), "linestyle": dashes})  # type: ignore[arg-type]
            known = values[np.isfinite(values)]
            if known.size and not (ends and len(ends) >= len(QUANTILES)):
                ends.append((at[-1], float(known[-1]), f"p{percent:g}", style.BLACK))
    for ax in (arrivals, environments):
        ax.set_ylim(0, None)
        style.group_digits(ax, "y")
    for ax in axes:
        ax.set_xlim(0, max(its_edges[-1] for its_edges in edges) / unit_s)
    arrivals.set_ylabel("arrivals (per s)")
    environments.set_ylabel("environments (mean)")
    latency.set(xlabel=f"time ({unit})", ylabel="latency (ms)", yscale="log")
    style.log_ticks(latency, "y")
    style.label_ends(latency, ends)
    style.legend_beside(arrivals, handles=keys)
    style.caption(arrivals, [outcome.measured for outcome in outcomes])
    return axes


def _quantile(outcome: Outcome, percent: float) -> Floats:
    """The quantile of each window, nan where it has no answers."""
    found = (percentile_ms(histogram, percent) for histogram in outcome.latency_by_window)
    return np.array([math.nan if value is None else value for value in found])
