"""Arrivals, environments and latency over time, what was measured laid over what was forecast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, outcome_list, outcome_names, places, window_edges
from lambdanb.model.histogram import percentile_ms
from lambdanb.model.outcome import QUANTILES, Outcome

_MOST_STEPS = 60


def windows_over_time(
    outcomes: Outcome | Sequence[Outcome], names: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> tuple[Axes, ...]:
    """Three panels over the time since the stream's start, a step for each window: arrivals per second, environments,
    and the latency's quantiles (log), p99 above p95 above p50. A gap is where there were no answers. Latencies of many
    windows are put together to at most 60: a high quantile of few answers tells nothing.

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
    given = axes is not None
    axes = style.new_panels(axes, 3, height=5.8)
    arrivals, environments, latency = axes
    end_s = max(float(its_edges[-1]) for its_edges in edges)
    unit_s = style.time_unit(end_s)
    keys = []
    ends: list[tuple[float, float, str, str]] = []
    for label, place, outcome, its_edges in zip(labels, places(outcomes), outcomes, edges, strict=True):
        keywords = style.line(outcome.measured, place).keywords()
        keys.append(Line2D([], [], label=label, **keywords))
        windows = outcome.windows
        rates = windows["arrivals"].to_numpy(dtype=np.float64) / np.diff(its_edges)
        existing = windows["environments"].to_numpy(dtype=np.float64)
        arrivals.stairs(rates, its_edges / unit_s, baseline=None, **keywords)
        environments.stairs(existing, its_edges / unit_s, baseline=None, **keywords)
        histograms, at_s = _merged(outcome, its_edges)
        for percent in QUANTILES:
            values = _quantile(histograms, percent)
            latency.stairs(values, at_s / unit_s, baseline=None, **keywords)
            known = values[np.isfinite(values)]
            if known.size and len(ends) < len(QUANTILES):
                ends.append((at_s[-1] / unit_s, float(known[-1]), f"p{percent:g}", style.BLACK))
    for ax in (arrivals, environments):
        style.from_zero(ax)
    for ax in axes:
        style.time_axis(ax, 0.0, end_s, unit_s)
        if not given:
            ax.label_outer()
    arrivals.set_ylabel("arrivals (per s)")
    environments.set_ylabel("environments (mean)")
    latency.set(ylabel="latency (ms)", yscale="log")
    style.log_ticks(latency, "y")
    style.label_ends(latency, ends)
    if len(outcomes) > 1 or names is not None:
        style.legend_beside(arrivals, handles=keys)
    style.caption(arrivals, [outcome.measured for outcome in outcomes])
    return axes


def _merged(outcome: Outcome, edges: Floats) -> tuple[list[Counter[int]], Floats]:
    """The latencies of neighbouring windows put together until at most _MOST_STEPS remain, and those windows' edges."""
    histograms = outcome.latency_by_window
    group = -(-len(histograms) // _MOST_STEPS)
    merged: list[Counter[int]] = []
    for first in range(0, len(histograms), group):
        together: Counter[int] = Counter()
        for histogram in histograms[first : first + group]:
            together.update(histogram)
        merged.append(together)
    return merged, np.append(edges[:-1:group], edges[-1])


def _quantile(histograms: Sequence[Counter[int]], percent: float) -> Floats:
    """The quantile of each, nan where there are no answers."""
    found = (percentile_ms(histogram, percent) for histogram in histograms)
    return np.array([math.nan if value is None else value for value in found])
