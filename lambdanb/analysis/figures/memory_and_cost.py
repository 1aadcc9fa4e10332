"""Time and cost against memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, columns_of_numbers, need_columns, need_positive

if TYPE_CHECKING:
    from pandas import DataFrame

_LEAST_SPAN = 1.6
COLUMNS = ("memory_mb", "p50_ms", "p95_ms", "p99_ms", "cost_per_million")


def memory_and_cost(sizes: DataFrame, *, measured: bool, axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """The quantiles of an invocation's time, and below them its cost, at each memory size (log).

    sizes     one row per memory size, in any order: `memory_mb`; `p50_ms`, `p95_ms`, `p99_ms`; `cost_per_million`,
              dollars of a million invocations; and, if known, `cost_low` and `cost_high`, its 95 % band
    measured  whether the numbers come from real runs; else they were simulated
    axes      two: time, cost

    Raises ValueError where a column or all rows are missing, or a memory size or a time isn't above 0.
    """
    need_columns(sizes, COLUMNS, "sizes")
    ordered = sizes.sort_values("memory_mb")
    numbers = dict(zip(COLUMNS, columns_of_numbers(**{name: ordered[name] for name in COLUMNS}), strict=True))
    for name in COLUMNS[:-1]:
        need_positive(name, numbers[name])
    given = axes is not None
    axes = style.new_panels(axes, 2, height=4.6)
    time, cost = axes
    memory_mb = numbers["memory_mb"]
    ends = []
    for name, color, dashes, marker in zip(
        COLUMNS[1:4], (style.BLACK, style.VERMILLION, style.SKY), style.DASHES, style.MARKERS, strict=False
    ):
        time.plot(memory_mb, numbers[name], color=color, linestyle=dashes, marker=marker, markersize=4.5)
        ends.append((memory_mb[-1], numbers[name][-1], name.removesuffix("_ms"), style.BLACK))
    cost.plot(memory_mb, numbers["cost_per_million"], color=style.BLACK, marker="o", markersize=4.5)
    if {"cost_low", "cost_high"} <= set(ordered.columns):
        low, high = columns_of_numbers(cost_low=ordered["cost_low"], cost_high=ordered["cost_high"])
        cost.fill_between(memory_mb, low, high, color=style.LIGHT_GREY, linewidth=0.0)
    for ax in axes:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(_ticks(memory_mb)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(style.grouped))
    time.set_yscale("log")
    # Times that hardly differ are to look as if they hardly did.
    fastest, slowest = time.get_ylim()
    time.set_ylim(min(fastest, slowest / _LEAST_SPAN), max(slowest, fastest * _LEAST_SPAN))
    style.log_ticks(time, "y")
    style.label_ends(time, ends)
    time.set(xlabel="memory (MB)", ylabel="time (ms)")
    if not given:
        time.label_outer()
    cost.set(xlabel="memory (MB)", ylabel="cost ($ per million)")
    style.from_zero(cost)
    style.caption(time, [measured])
    return axes


def _ticks(memory_mb: Floats) -> list[float]:
    """Powers of two within the sizes; the sizes themselves where fewer than two are."""
    low, high = memory_mb[0], memory_mb[-1]
    powers = [2.0**power for power in range(20) if low <= 2**power <= high]
    return powers if len(powers) > 1 else sorted(set(memory_mb.tolist()))
