"""Arrivals, environments and latency over time, what was measured laid over what was forecast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, Run, outcome_list, outcome_names, places, window_edges
from lambdanb.model.histogram import percentile_ms
from lambdanb.model.outcome import QUANTILES, Outcome

_MOST_STEPS = 60
_LEAST_STEPS = 12
_ANSWERS_A_STEP = 100


def windows_over_time(
    outcomes: Run | Sequence[Run], names: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> tuple[Axes, ...]:
    """Three panels over the time since the stream's start, a step for each window: arrivals per second, environments,
    and the latency's quantiles (log), p99 above p95 above p50. A gap is where there were no answers. Latencies of
    neighbouring windows are put together, to 100 answers a step where that leaves 12 steps, and to at most 60 steps: a
    high quantile of few answers tells nothing.

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
    if not ends:  # without any answer the axis would have no limits of its own
        latency.set_ylim(1, 1000)
    style.log_ticks(latency, "y")
    style.label_ends(latency, ends)
    if len(outcomes) > 1 or names is not None:
        style.legend_beside(arrivals, handles=keys)
    style.caption(arrivals, [outcome.measured for outcome in outcomes])
    return axes


def _merged(outcome: Outcome, edges: Floats) -> tuple[list[Counter[int]], Floats]:
    """The latencies of neighbouring windows put together, and those windows' edges."""
    histograms = outcome.latency_by_window
    steps = min(max(outcome.latency.total() // _ANSWERS_A_STEP, _LEAST_STEPS), _MOST_STEPS)
    bounds = np.unique(np.linspace(0, len(histograms), steps + 1).round().astype(int))
    merged: list[Counter[int]] = []
    for first, end in pairwise(bounds):
        together: Counter[int] = Counter()
        for histogram in histograms[first:end]:
            together.update(histogram)
        merged.append(together)
    return merged, edges[bounds]


def _quantile(histograms: Sequence[Counter[int]], percent: float) -> Floats:
    """The quantile of each, nan where there are no answers."""
    found = (percentile_ms(histogram, percent) for histogram in histograms)
    return np.array([math.nan if value is None else value for value in found])
