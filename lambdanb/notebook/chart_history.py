"""What a live chart shows, as the kernel holds it: for pages that are opened later, and for the chart as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lambdanb.notebook.panels import Panel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_POINTS = 20_000
"""Of a panel, which keeps the newest."""


class History(Protocol):
    """A panel's points."""

    def add(self, columns: NDArray[Any], window_s: float | None) -> None:
        """New points, after which what has left the window is let go."""

    def array(self) -> NDArray[Any]:
        """All points: a row for each column of the panel."""

    def told(self) -> str:
        """The newest in words."""


def history_of(panel: Panel) -> History:
    """An empty history for a panel."""
    return BoxHistory(panel) if panel.draw == "boxes" else LineHistory(panel)


class LineHistory:
    """Points in the order in which they came."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._parts: list[NDArray[Any]] = []

    def add(self, columns: NDArray[Any], window_s: float | None) -> None:
        self._parts.append(columns)
        if len(self._parts) > 500:
            kept = self.array()[:, -MOST_POINTS:]
            if window_s is not None and self._panel.x is None:
                kept = kept[:, kept[0] >= kept[0, -1] - window_s]
            self._parts = [kept]

    def array(self) -> NDArray[Any]:
        return np.concatenate([np.empty((len(self._panel.columns), 0)), *self._parts], axis=1)

    def told(self) -> str:
        columns = self.array()
        if not columns.shape[1]:
            return "nothing yet"
        where = f"{columns[0, -1]:.4g} s" if self._panel.x is None else f"{self._panel.x} {columns[0, -1]:.4g}"
        values = zip(self._panel.columns[1:], columns[1:, -1], strict=True)
        return f"at {where}: " + ", ".join(f"{name} {value:.4g}" for name, value in values)


class BoxHistory:
    """Boxes by row, start and kind: a box that comes again has another end."""

    def __init__(self, panel: Panel) -> None:
        self._ends: dict[tuple[float, float, float], float] = {}

    def add(self, columns: NDArray[Any], window_s: float | None) -> None:
        ends = self._ends
        for row, start_s, end_s, kind in columns.T.tolist():
            ends[row, start_s, kind] = end_s
        if len(ends) > MOST_POINTS:
            newest_s = max((end_s for end_s in ends.values() if not math.isnan(end_s)), default=0.0)
            oldest_s = -math.inf if window_s is None else newest_s - window_s
            kept = [(key, end_s) for key, end_s in ends.items() if not end_s < oldest_s]
            self._ends = dict(kept[-MOST_POINTS // 2 :])

    def array(self) -> NDArray[Any]:
        boxes = [(row, start_s, end_s, kind) for (row, start_s, kind), end_s in self._ends.items()]
        return np.array(boxes, dtype=float).reshape(len(boxes), 4).T

    def told(self) -> str:
        rows = len({row for row, _, _ in self._ends})
        return f"{rows} rows, {len(self._ends):,} boxes" if rows else "nothing yet"


def checked(panel: Panel, columns: Sequence[ArrayLike]) -> NDArray[Any]:
    """A panel's columns as rows of one array. Raises ValueError for columns that don't fit it."""
    arrays = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns]
    lengths = {len(array) for array in arrays}
    if len(arrays) != len(panel.columns) or len(lengths) > 1 or any(array.ndim > 1 for array in arrays):
        raise ValueError(
            f"{panel.name!r} takes {len(panel.columns)} columns of one length ({', '.join(panel.columns)}); "
            f"there are {len(arrays)}, of length {', '.join(str(len(array)) for array in arrays)}"
        )
    return np.stack(arrays)
