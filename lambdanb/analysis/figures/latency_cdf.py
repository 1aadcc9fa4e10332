"""How many answers keep within a latency: the whole distribution, its tail readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, Run, outcome_list, outcome_names, places
from lambdanb.model.histogram import GROWTH


def latency_cdf(outcomes: Run | Sequence[Run], names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """The share of answers within each latency, of one outcome or several laid over each other.

    Both axes are logarithmic; the vertical one by the share that is slower: 50 %, 90 %, 99 %, 99.9 % are about as far
    from one another, as in HdrHistogram's plots. Each line ends in a dot at its slowest answer. The histogram's buckets
    are 1 % wide; a step stands at the upper end of its bucket.

    names   for the legend; "measured" and "simulated" without them

    Raises ValueError where an outcome has no answers.
    """
    outcomes = outcome_list(outcomes)
    labels = outcome_names(outcomes, names)
    for label, outcome in zip(labels, outcomes, strict=True):
        if not outcome.latency.total():
            raise ValueError(f"outcome.latency of {label}: no answers, so there is nothing to draw")
    ax = style.new_axes(ax)
    least = 1.0
    for label, place, outcome in zip(labels, places(outcomes), outcomes, strict=True):
        line = style.line(outcome.measured, place)
        latency_ms, slower = _steps(outcome.latency)
        ax.plot(latency_ms, slower, drawstyle="steps-post", label=label, **line.keywords())
        ax.plot(latency_ms[-1], slower[-1], "o", color=line.color, markersize=2.5 + line.width, zorder=line.order)
        least = min(least, slower[-1])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(1.0, min(least * 0.7, 0.3))  # from 0 % at the bottom upwards
    ax.yaxis.set_major_locator(
        FixedLocator([1.0, *([0.5] if least > 1e-5 else []), *(10.0**-power for power in range(1, 13))])
    )
    ax.yaxis.set_major_formatter(FuncFormatter(_within))
    ax.yaxis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    ax.yaxis.set_minor_formatter(NullFormatter())
    style.log_ticks(ax, "x")
    ax.set(xlabel="latency (ms)", ylabel="answers within the latency (%)")
    if len(outcomes) > 1 or names is not None:
        style.legend_beside(ax)
    style.caption(ax, [outcome.measured for outcome in outcomes])
    return ax


def _steps(latency: Counter[int]) -> tuple[Floats, Floats]:
    """(ms, share of the answers that are slower) at each step; the last but one repeats: nothing is slower than all."""
    buckets = np.array(sorted(latency), dtype=np.int64)
    counts = np.array([latency[bucket] for bucket in buckets.tolist()], dtype=np.float64)
    # The start of the first bucket, where all are slower; then each bucket's end.
    ends_ms = GROWTH ** np.append(buckets[0], buckets + 1).astype(np.float64)
    slower = np.append(counts[::-1].cumsum()[::-1], 0.0) / counts.sum()
    slower[-1] = slower[-2]
    return ends_ms, slower


def _within(slower: float, _position: int | None = None) -> str:
    """0.001 slower: 99.9 % within."""
    return f"{100 * (1 - slower):.12g}"
