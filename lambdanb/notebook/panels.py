"""What a live chart is made of: panels, each a set of axes with its series. Plain data, in the house's colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Draw = Literal["lines", "steps", "bars", "stack", "boxes"]
BOX = ("row", "start_s", "end_s", "kind")
"""The columns of a panel of boxes."""


@dataclass(frozen=True)
class Series:
    """One line, layer of a stack, set of bars, or kind of box.

    color    of `analysis.figures.style`; dark pages get their own shade of it
    dashes   lengths in pixels, drawn and not; () is solid
    width    of a line, in pixels
    hatched  a fill with the house's hatch, so that it is told from its neighbours in grey too
    """

    name: str
    color: str
    dashes: tuple[float, ...] = ()
    width: float = 1.6
    hatched: bool = False


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    name    its heading, by which `Chart.append` and `replace` take its points
    y       the vertical axis with its unit: "latency (ms)"
    series  what is drawn, from the first to the last; of a stack, from the lowest layer up
    draw    "lines" from point to point; "steps", a value that holds until the next point; "bars"; "stack", layers one
            on the other, in steps; "boxes", rows over time, of which each series is a kind (BOX has the columns)
    x       the horizontal axis with its unit; without one it is time in seconds, told in the unit that suits
    ticks_x places on the horizontal axis with what is written there: (600, "10 min"); without any, numbers
    log_x, log_y  in powers of ten; values that aren't over 0 are left out
    """

    name: str
    y: str
    series: Sequence[Series]
    draw: Draw = "lines"
    x: str | None = None
    ticks_x: Sequence[tuple[float, str]] = ()
    log_x: bool = False
    log_y: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """What `Chart.append` wants of it, in this order."""
        return BOX if self.draw == "boxes" else ("x", *(each.name for each in self.series))

    def to_wire(self) -> dict[str, Any]:
        """As the page gets it."""
        return asdict(self)
