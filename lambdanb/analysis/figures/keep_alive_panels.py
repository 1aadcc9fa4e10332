"""A study of the keep-alive in three panels: cold starts, environments, and the one against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.keep_alive_pareto import keep_alive_pareto

if TYPE_CHECKING:
    from lambdanb.analysis.keep_alive_study import KeepAliveStudy

_TICKS_S = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0)


def keep_alive_panels(study: KeepAliveStudy, keep_alive_s: float | None = None) -> tuple[Axes, ...]:
    """Cold share over the keep-alive, also without the cold starts that fill the pool of a run that begins with none;
    environments over the keep-alive; and cold share over idle environments. A keep-alive is marked.

    Raises ValueError for a study without invocations.
    """
    if not study.curve.invocations:
        raise ValueError("study: it has no invocations, so there is nothing to draw")
    cold, kept, pareto = Figure(figsize=(10.5, 3.3), layout="constrained").subplots(1, 3)
    for ax in (cold, kept, pareto):
        style.frame(ax)
    x = study.keep_alive_s
    both = (
        (study.cold_share, style.BLUE, "-", "from an empty pool"),
        (study.later_share, style.SKY, (0, (5, 2)), "pool filled before"),
    )
    for share, color, dashes, label in both:
        seen = share > 0
        cold.plot(x[seen], 100 * share[seen], color=color, linestyle=dashes, linewidth=2.0, label=label)
    cold.set_yscale("log")
    style.log_ticks(cold, "y")
    cold.set_ylabel("cold starts (%)")
    kept.plot(x, study.environments, color=style.BLACK, linewidth=2.0, label="busy and idle")
    busy = study.environments - study.idle
    kept.plot(x, busy, color=style.ORANGE, linestyle=(0, (5, 2)), linewidth=2.0, label="busy")
    style.from_zero(kept)
    kept.set_ylabel("environments (mean)")
    for ax in (cold, kept):
        ax.set_xscale("log")
        ax.set_xlabel("keep-alive")
        ax.xaxis.set_major_locator(FixedLocator(_TICKS_S))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: style.span(seconds)))
        ax.tick_params(axis="x", labelsize="small")
        style.legend_above(ax)
    keep_alive_pareto(x, study.cold_share, study.idle, measured=False, ax=pareto)
    if keep_alive_s is not None:
        chosen = study.at(keep_alive_s)
        for ax in (cold, kept):
            ax.axvline(keep_alive_s, color=style.VERMILLION, linewidth=1.2)
        if chosen.cold_share > 0:
            pareto.plot(chosen.idle, 100 * chosen.cold_share, "o", color=style.VERMILLION, markersize=9, zorder=5)
            pareto.lines[-1].set_markerfacecolor("none")
    return cold, kept, pareto
