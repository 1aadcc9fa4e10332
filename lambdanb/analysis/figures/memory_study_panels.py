"""A study of the memory size in two panels: time, and a month's cost under both sets of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lambdanb.analysis.figures import style

if TYPE_CHECKING:
    from lambdanb.analysis.memory_study import MemoryStudy

_TICKS_MB = (128, 256, 512, 1024, 1769, 3008, 5120, 10_240)
RULES_LINES = {"today": (style.BLACK, "-"), "preview-2014": (style.ORANGE, (0, (5, 2)))}


def memory_study_panels(study: MemoryStudy, memory_mb: int | None = None) -> tuple[Axes, ...]:
    """Mean and p99 of the duration over memory (log), and below them a month's cost. A memory size is marked."""
    axes = style.new_panels(None, 2, height=4.6)
    time, cost = axes
    marker = "o" if study.measured else None
    x = study.memory_mb
    for values, color, dashes, label in (
        (study.mean_ms, style.BLACK, "-", "mean"),
        (study.p99_ms, style.SKY, (0, (5, 2)), "p99"),
    ):
        time.plot(x, values, color=color, linestyle=dashes, marker=marker, linewidth=2.0, label=label)
    time.set_yscale("log")
    style.log_ticks(time, "y")
    time.set_ylabel("duration (ms)")
    for name, values in study.month_usd.items():
        if not np.isnan(values).all():
            color, line = RULES_LINES[name]
            cost.plot(x, values, color=color, linestyle=line, marker=marker, linewidth=2.0, label=name)
    style.from_zero(cost)
    cost.set(xlabel="memory (MB)", ylabel="a month's cost ($)")
    for ax in axes:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator([float(tick) for tick in _TICKS_MB]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(style.grouped))
        ax.set_xlim(0.95 * float(x[0]), 1.05 * float(x[-1]))
        if memory_mb is not None:
            ax.axvline(memory_mb, color=style.VERMILLION, linewidth=1.2)
        style.legend_beside(ax)
    time.set_title("measured" if study.measured else "computed", loc="right", fontsize="small", color=style.GREY)
    return axes
