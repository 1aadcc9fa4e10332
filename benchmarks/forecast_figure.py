"""The figure of `forecast.py`: for each pair latency and concurrency, measured laid over forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, LogLocator

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.latency_cdf import latency_cdf
from lambdanb.analysis.forecast import Forecast
from lambdanb.model.outcome import Outcome

BAND = (2.5, 97.5)
MEASURED, SIMULATED = style.line(True), style.line(False)


def draw(pairs: Sequence[tuple[str, Outcome, Forecast]], path: Path) -> None:
    """One row for each pair of (name, measured, its forecast with the same arrivals): latency, concurrency."""
    figure = Figure(figsize=(8.3, 1.0 + 1.75 * len(pairs)), layout="constrained", dpi=150)
    rows = figure.subplots(len(pairs), 2, squeeze=False, width_ratios=(1, 1.5))
    for (left, right), (name, measured, forecast) in zip(rows, pairs, strict=True):
        _latency(left, measured, forecast)
        _concurrency(right, measured, forecast)
        left.set_title(name, loc="left", fontsize="medium", fontweight="bold")
    for column in rows.T:
        for ax in column[:-1]:
            ax.set_xlabel("")
    for ax in rows.flat:
        ax.tick_params(labelsize="small")
    keys = [
        Line2D([], [], label="measured", **MEASURED.keywords()),
        Line2D([], [], label=f"forecast ({len(pairs[0][2].runs)} runs)", **SIMULATED.keywords()),
        Patch(color=SIMULATED.color, alpha=0.3, linewidth=0, label="95 % of the runs"),
    ]
    figure.legend(handles=keys, loc="outside upper right", ncols=3, frameon=False, fontsize="small", handlelength=2.8)
    figure.savefig(path)


def _latency(ax: Axes, measured: Outcome, forecast: Forecast) -> None:
    """Of the forecast all runs' answers together: its line is smooth where the measured one is steps."""
    together: Counter[int] = sum((run.outcome.latency for run in forecast.runs), Counter())
    latency_cdf([replace(forecast.outcome, latency=together), measured], ax=ax)
    legend = ax.get_legend()
    assert legend is not None
    legend.remove()
    ax.set_title("", loc="right")
    # No further up than the measured answers tell: what is rarer than one of them isn't compared.
    ax.set_ylim(1.0, 0.5 / measured.latency.total())
    ax.yaxis.set_major_locator(FixedLocator([1.0, 0.5, 0.1, 0.05, 0.01, 0.001]))
    low, high = ax.get_xlim()
    if high / low >= 4:  # else the ticks are linear, and few already
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 30 else (1.0, 3.0)))
    ax.set_ylabel("answers within (%)")


def _concurrency(ax: Axes, measured: Outcome, forecast: Forecast) -> None:
    style.frame(ax)
    runs = np.array([_busy(run.outcome) for run in forecast.runs])
    edges = np.append(measured.windows.index.to_numpy(dtype=np.float64), measured.seconds)
    unit_s = style.time_unit(measured.seconds)
    low, high = np.percentile(runs, BAND, axis=0)
    ax.stairs(high, edges / unit_s, baseline=low, fill=True, color=SIMULATED.color, alpha=0.3, linewidth=0)
    for values, line in ((runs.mean(axis=0), SIMULATED), (_busy(measured), MEASURED)):
        ax.stairs(values, edges / unit_s, baseline=None, **line.keywords())
    ax.set_ylabel("concurrency")
    style.time_axis(ax, 0.0, measured.seconds, unit_s)
    style.from_zero(ax)


def _busy(outcome: Outcome) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Invocations under way, the mean of each window."""
    busy: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        outcome.windows[["busy_warm", "busy_cold"]].sum(axis=1).to_numpy(dtype=np.float64)
    )
    return busy
