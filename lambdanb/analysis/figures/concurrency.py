"""Concurrency over time, stacked: warm, cold, throttled."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Run, one_outcome, window_edges


def concurrency(outcome: Run, ax: Axes | None = None) -> Axes:
    """Invocations under way over time: the mean of each window.

    Warm: in environments that were there when the invocations came. Cold: in those that had to be started for them.
    Throttled: what would have been under way besides, had the throttled invocations run as long as the others did on
    average (Little's law); so the height of the stack is the concurrency that was asked for.

    Raises ValueError for an outcome without windows, or whose windows lack a column.
    """
    outcome = one_outcome(outcome)
    edges = window_edges(outcome)
    unit_s = style.time_unit(outcome.seconds)
    ax = style.new_axes(ax)
    windows = outcome.windows
    warm, cold, throttled = (
        windows[name].to_numpy(dtype=np.float64) for name in ("busy_warm", "busy_cold", "throttled")
    )
    widths = np.diff(edges)
    accepted = outcome.count("warm") + outcome.count("cold")
    under_way_s = float(((warm + cold) * widths).sum()) / accepted if accepted else 0.0
    asked = "throttled,\nhad they run" if accepted else f"throttled:\n{outcome.count('throttled'):,}, none ran"
    layers = [(warm, style.WARM, None, "warm"), (cold, style.COLD, style.HATCH, "cold")]
    if throttled.any():
        layers.append((throttled / widths * under_way_s, style.THROTTLED, None, asked))
    style.stack(ax, edges / unit_s, layers)
    ax.set_ylabel("concurrent invocations")
    style.time_axis(ax, edges[0], edges[-1], unit_s)
    style.from_zero(ax)
    style.legend_beside(ax, upwards=True)
    style.caption(ax, [outcome.measured])
    return ax
