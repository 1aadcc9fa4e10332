"""Latency by time: how many answers took how long, when."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, Run, one_outcome, window_edges
from lambdanb.model.histogram import GROWTH
from lambdanb.model.outcome import Outcome

# More cells than this would be narrower than what a screen or a page shows.
_MOST_ROWS = 50
_MOST_COLUMNS = 240


def latency_heatmap(outcome: Run, ax: Axes | None = None) -> Axes:
    """A map of `outcome.latency_by_window`: time to the right, latency upwards (log), darker where there are more
    answers (log). White: none. Neighbouring windows and buckets are summed until a cell can be seen; the scale beside
    the map tells how large a cell is.

    Raises ValueError where there are no answers, or not one histogram for each window.
    """
    outcome = one_outcome(outcome)
    edges_s = window_edges(outcome)
    histograms = outcome.latency_by_window
    if len(histograms) != len(outcome.windows):
        raise ValueError(f"outcome.latency_by_window: {len(histograms)} histograms for {len(outcome.windows)} windows")
    if not any(histogram.total() for histogram in histograms):
        raise ValueError("outcome.latency_by_window: no answers, so there is nothing to draw")
    unit_s = style.time_unit(outcome.seconds)
    counts, edges_ms, windows, buckets = _cells(outcome)
    columns_s = np.append(edges_s[:-1:windows], edges_s[-1])
    ax = style.new_axes(ax)
    mesh = ax.pcolormesh(
        columns_s / unit_s,
        edges_ms,
        np.ma.masked_equal(counts, 0.0),
        cmap=style.MAP,
        norm=LogNorm(1, max(10.0, float(counts.max()))),
        rasterized=True,
    )
    ax.set_yscale("log")
    ax.set_ylabel("latency (ms)")
    style.time_axis(ax, edges_s[0], edges_s[-1], unit_s)
    ax.set_ylim(edges_ms[0], edges_ms[-1])
    style.log_ticks(ax, "y")
    ax.grid(False)
    bar = ax.get_figure(root=True).colorbar(mesh, ax=ax, pad=0.02)  # type: ignore[union-attr]
    cell = f"{style.span(windows * outcome.window_s)} by {100 * (GROWTH**buckets - 1):.2g} %"
    bar.set_label(f"answers in a cell\nof {cell}", fontsize="small")
    style.log_ticks(bar.ax, "y")
    bar.outline.set_visible(False)
    style.caption(ax, [outcome.measured])
    return ax


def _cells(outcome: Outcome) -> tuple[Floats, Floats, int, int]:
    """(answers by latency and time, the rows' edges in ms, windows a column, buckets a row)."""
    histograms = outcome.latency_by_window
    first = min(min(histogram) for histogram in histograms if histogram)
    last = max(max(histogram) for histogram in histograms if histogram)
    # At least a few rows, so that one single bucket is a line and not the whole picture.
    first, last = min(first, last - 10), max(last, first + 10)
    buckets = -(-(last - first + 1) // _MOST_ROWS)
    rows = -(-(last - first + 1) // buckets)
    windows = -(-len(histograms) // _MOST_COLUMNS)
    counts = np.zeros((rows, -(-len(histograms) // windows)))
    for place, histogram in enumerate(histograms):
        for bucket, count in histogram.items():
            counts[(bucket - first) // buckets, place // windows] += count
    edges_ms = GROWTH ** (first + buckets * np.arange(rows + 1, dtype=np.float64))
    return counts, edges_ms, windows, buckets
