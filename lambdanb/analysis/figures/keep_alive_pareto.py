"""What a keep-alive buys: cold starts against the environments that idle for it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, columns_of_numbers, need_shares

# Keep-alives that one would choose, in seconds: the marks on the curve.
_MARKS = (0.1, 1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0, 604800.0)
_FEW = 10
# In points, of the small type in which the keep-alives are written.
_LINE_HIGH, _LETTER_WIDE = 13.0, 6.0


def keep_alive_pareto(
    keep_alive_s: ArrayLike,
    cold_share: ArrayLike,
    idle_environments: ArrayLike,
    *,
    measured: bool,
    ax: Axes | None = None,
) -> Axes:
    """The curve over all keep-alives: to the right, environments that idle (the mean); upwards, cold starts in percent
    (log). Left and below is better. The keep-alives that one would choose are marked.

    keep_alive_s       the keep-alives, in any order
    cold_share         of the invocations, 0 to 1; a keep-alive without any cold start has no place on a log axis and
                       isn't drawn
    idle_environments  the mean number of idle environments: idle seconds, summed over environments, by the run's length
    measured           whether the numbers come from real runs; else they were simulated

    Raises ValueError for numbers that aren't of one length, aren't finite, or make no sense.
    """
    keep_alives, shares, idle = columns_of_numbers(
        keep_alive_s=keep_alive_s, cold_share=cold_share, idle_environments=idle_environments
    )
    need_shares("cold_share", shares)
    for name, values in (("keep_alive_s", keep_alives), ("idle_environments", idle)):
        if values.min() < 0:
            raise ValueError(f"{name}: {values.min():g} is below 0")
    drawn = np.argsort(keep_alives, kind="stable")
    drawn = drawn[shares[drawn] > 0]
    if not drawn.size:
        raise ValueError("cold_share: all are 0, so there is nothing to draw")
    keep_alives, percent, idle = keep_alives[drawn], 100 * shares[drawn], idle[drawn]
    ax = style.new_axes(ax)
    line = style.line(measured)
    ax.plot(idle, percent, **line.keywords())
    ax.set_yscale("log")
    ax.set(xlabel="idle environments (mean)", ylabel="cold starts (%)")
    ax.set_xlim(0, max(float(idle.max()) * 1.12, 1e-9))
    ax.set_ylim(percent.min() / 1.5, min(percent.max() * 2, 200))
    style.linear_ticks(ax, "x")
    style.log_ticks(ax, "y")
    _mark(ax, keep_alives, percent, idle)
    style.caption(ax, [measured])
    return ax


def _mark(ax: Axes, keep_alives: Floats, percent: Floats, idle: Floats) -> None:
    """A dot and its keep-alive, as far as there is room: at each if they are few, else at _MARKS, between those given.

    The curve falls, so the room above it and to the right is free.
    """
    marks = keep_alives
    if len(keep_alives) > _FEW:
        marks = np.array([mark for mark in _MARKS if keep_alives[0] <= mark <= keep_alives[-1]])
    x = np.interp(marks, keep_alives, idle)
    y = np.exp(np.interp(marks, keep_alives, np.log(percent)))
    points = ax.transData.transform(np.column_stack((x, y))) * 72 / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    taken_to = (-_LINE_HIGH, np.inf)
    for mark, at_x, at_y, (right, up) in zip(marks.tolist(), x, y, points.tolist(), strict=True):
        if right < taken_to[0] and abs(up - taken_to[1]) < _LINE_HIGH:
            continue
        text = style.span(mark)
        taken_to = (right + _LETTER_WIDE * len(text), up)
        ax.plot(at_x, at_y, "o", color=style.BLACK, markersize=4.5, zorder=4)
        ax.annotate(
            text, xy=(at_x, at_y), xytext=(4, 4), textcoords="offset points", fontsize="small", annotation_clip=False
        )
