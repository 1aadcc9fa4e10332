"""Colours, lines, axes, legends and captions that all figures share.

Colours are Okabe and Ito's (Color Universal Design, 2008), chosen so that those which meet in one figure differ in
luminance too; lines differ in dashes or width besides. What was measured is drawn thin and dark, what was simulated
wide and light: so one can lie over the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

Dashes: TypeAlias = str | tuple[int, tuple[float, ...]]

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#595959"
LIGHT_GREY = "#D0D0D0"

WARM, COLD, THROTTLED = ORANGE, BLUE, BLACK
BUSY, WARMING, IDLE = ORANGE, BLUE, LIGHT_GREY
HATCH, HATCH_COLOR = "/////", "#00263D"
"""Over what is cold or warming: in grey too it is told from its neighbours."""

DASHES: tuple[Dashes, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
MARKERS = "os^DvPX*"
MAP = LinearSegmentedColormap.from_list("lambdanb", [colormaps["Blues"](step / 20) for step in range(4, 21)])
"""From light to dark in one hue; its lightest is still told from the paper."""


@dataclass(frozen=True)
class Line:
    """How one line of several is drawn."""

    color: str
    dashes: Dashes
    width: float
    order: float

    def keywords(self) -> dict[str, Any]:
        """For `Axes.plot` and `Axes.stairs`."""
        return {"color": self.color, "linestyle": self.dashes, "linewidth": self.width, "zorder": self.order}


_THIN = (BLACK, VERMILLION, BLUE, GREEN)
_WIDE = (SKY, ORANGE, PURPLE, LIGHT_GREY)


def line(measured: bool, place: int = 0) -> Line:
    """The line of the `place`-th of the outcomes that are measured (or of those that are simulated).

    Sixteen of a kind differ in colour or in dashes.
    """
    colors = _THIN if measured else _WIDE
    dashes = DASHES[(place + place // len(DASHES)) % len(DASHES)]
    return Line(colors[place % len(colors)], dashes, *((1.4, 3.0) if measured else (3.6, 2.0)))


def ramp(count: int) -> list[str]:
    """`count` colours from dark to light for lines that have an order, such as keep-alives: cividis, the same for every
    kind of colour vision (Nuñez, Anderton, Renslow, PLoS ONE 13, 2018)."""
    return [to_hex(colormaps["cividis"](0.88 * step / max(count - 1, 1))) for step in range(count)]


def new_axes(ax: Axes | None, width: float = 6.4, height: float = 3.4) -> Axes:
    """`ax`, or the Axes of a new Figure (inches), with the frame that all figures have."""
    if ax is None:
        ax = Figure(figsize=(width, height), layout="constrained").subplots()
    frame(ax)
    return ax


def new_panels(axes: Sequence[Axes] | None, count: int, height: float) -> tuple[Axes, ...]:
    """`axes`, which must be `count`, or those of a new Figure, one above the other over the same x axis."""
    if axes is None:
        axes = list(Figure(figsize=(6.4, height), layout="constrained").subplots(count, 1, sharex=True))
    if len(axes) != count:
        raise ValueError(f"axes: {len(axes)} given, this figure has {count} panels")
    for ax in axes:
        frame(ax)
    return tuple(axes)


def frame(ax: Axes) -> None:
    """Two spines and a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


_KINDS = {True: "measured", False: "simulated"}


def kind(measured: bool) -> str:
    """The word for it."""
    return _KINDS[measured]


def caption(ax: Axes, measured: Iterable[bool]) -> None:
    """Say in the upper right corner whether it is measured or simulated, or both if both were drawn here."""
    said = set(ax.get_title(loc="right").split(" over ")) & set(_KINDS.values())
    said.update(map(kind, measured))
    ax.set_title(" over ".join(sorted(said)), loc="right", fontsize="small", color=GREY, style="italic")


def stack(ax: Axes, edges: Any, layers: Iterable[tuple[Any, str, str | None, str]]) -> None:
    """Steps over each other, between the same edges: (height by step, colour, hatch, label) of each, lowest first."""
    base = np.zeros(len(edges) - 1)
    for layer, color, hatch, label in layers:
        ax.stairs(
            base + layer,
            edges,
            baseline=base,
            fill=True,
            facecolor=color,
            edgecolor=HATCH_COLOR,
            linewidth=0.0,
            hatch=hatch,
            label=label,
        )
        base = base + layer


def legend_beside(
    ax: Axes, title: str | None = None, *, handles: Sequence[Artist] | None = None, upwards: bool = False
) -> None:
    """A legend right of the axes, for the handles or else for what has a label; `upwards` for stacks, whose first
    layer is the lowest."""
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    ax.legend(
        handles=handles[::-1] if upwards else handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize="small",
        title=title,
        title_fontsize="small",
        alignment="left",
        handlelength=2.8,
    )


def legend_above(ax: Axes) -> None:
    """A legend in a row above the axes, for what has a label: where a column of panels has no room beside them."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        [label.replace("\n", " ") for label in labels],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        frameon=False,
        fontsize="small",
        ncols=len(labels),
        columnspacing=1.2,
        handlelength=1.6,
        handletextpad=0.5,
    )


def nothing_here(ax: Axes, why: str) -> None:
    """Say in the middle of axes without data why there are none."""
    ax.annotate(why, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY)


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write right of the axes what the lines are that end there: (x, y, text, colour) each, moved apart where they
    would touch. The limits of `ax` must have been settled."""
    points_high = ax.get_window_extent().height * 72 / ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    line_high = 10.5
    to_axes = ax.transData + ax.transAxes.inverted()
    free = -math.inf
    for x, y, text, color in sorted(ends, key=lambda end: end[1]):
        at = float(to_axes.transform((x, y))[1]) * points_high
        place = max(at, free + line_high)
        free = place
        ax.annotate(
            text,
            xy=(1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(5, place - at),
            textcoords="offset points",
            color=color,
            fontsize="small",
            va="center",
            annotation_clip=False,
        )


def grouped(value: float, _position: int | None = None) -> str:
    """1234567.0 as 1,234,567, 0.25 as it is, and 1e-05 as 0.00001."""
    if 0 < abs(value) < 1e-4:
        return f"{value:.10f}".rstrip("0")
    return f"{value:,.10g}"


def linear_ticks(ax: Axes, which: Literal["x", "y"]) -> None:
    """Ticks at 1, 2 or 5 times a power of ten, written as 10,000: never as an offset or a power."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(grouped))


def from_zero(ax: Axes) -> None:
    """The vertical axis from 0 to a little above the data, in plain numbers."""
    ax.set_ylim(0, 1.08 * float(ax.dataLim.y1) or 1.0)
    linear_ticks(ax, "y")


def log_ticks(ax: Axes, which: Literal["x", "y"]) -> None:
    """Plain numbers on a log axis: 1, 10, 100 over many decades, 1, 2, 5, 10 over a few, closer ones within one.

    Call it when the data are drawn: it looks at the limits.
    """
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = sorted(ax.get_xlim() if which == "x" else ax.get_ylim())
    if high / low < 4:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_minor_locator(NullLocator())
    elif high / low < 12:
        axis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.set_minor_locator(NullLocator())
    elif high / low < 500:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    else:
        axis.set_major_locator(LogLocator())
        axis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    axis.set_major_formatter(FuncFormatter(grouped))
    axis.set_minor_formatter(NullFormatter())


_UNITS = ((1.0, "s", 300.0), (60.0, "min", 3 * 3600.0), (3600.0, "h", 4 * 86400.0), (86400.0, "days", math.inf))


def time_unit(seconds: float) -> float:
    """The seconds of the unit in which so long a time is told: seconds up to 5 min, minutes up to 3 h, hours, days."""
    return next(size for size, _, upto in _UNITS if seconds <= upto)


def time_axis(ax: Axes, begin_s: float, end_s: float, unit_s: float, since: str = "time") -> None:
    """The horizontal axis in a unit of `time_unit`, from one time to another: "time (h)"."""
    unit = next(name for size, name, _ in _UNITS if size == unit_s)
    ax.set_xlim(begin_s / unit_s, end_s / unit_s)
    ax.set_xlabel(f"{since} ({unit})")
    # Minutes and hours go by 6 and 12, not by 5 and 10.
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 3, 6, 10] if unit in ("min", "h") else [1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(grouped))


def span(seconds: float) -> str:
    """A keep-alive in words: 30 s, 10 min, 1.5 h, 2 days."""
    for size, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s"
