"""Execution environments as boxes over time: warming, busy, idle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.inputs import Floats, need_columns

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("environment_id", "arrived_ms", "queued_ms", "init_ms", "duration_ms")
# With more, the outlines of boxes would be all that one sees.
_MOST_OUTLINED = 400


def environments(records: DataFrame, *, measured: bool, ax: Axes | None = None) -> Axes:
    """One row per environment, in the order of their first invocations. An invocation's box begins when an environment
    takes it: its init (warming), then its handler (busy); between two invocations the environment is idle. How long an
    environment lived on after its last one, records don't tell.

    records   one row per invocation, in any order, as `Function.records()` has them (`lambdanb.model.records.COLUMNS`):
              `environment_id`, `arrived_ms`, `queued_ms`, `init_ms` (missing for a warm one), `duration_ms`. What has
              no environment (throttled) isn't drawn.
    measured  whether the records are of real runs; else they were simulated

    Raises ValueError where a column is missing or nothing ran.
    """
    need_columns(records, COLUMNS, "records")
    ran = records[records["environment_id"].fillna("").astype(str) != ""]
    if len(ran) == 0:
        raise ValueError("records: none has an environment_id, so nothing ran and there is nothing to draw")
    arrived, queued, init, duration = (ran[name].astype("float64").fillna(0.0).to_numpy() for name in COLUMNS[1:])
    since_s = (arrived + queued - float(records["arrived_ms"].min())) / 1000
    order = np.argsort(since_s, kind="stable")
    start = since_s[order]
    begun = start + init[order] / 1000
    end = begun + duration[order] / 1000
    row = _rows(ran["environment_id"].astype(str).to_numpy()[order])
    count = int(row.max())
    unit_s = style.time_unit(float(end.max()))
    ax = style.new_axes(ax, height=max(2.4, min(5.5, 1.2 + 0.2 * count)))
    before, after = _successions(row)
    outlined = len(ran) <= _MOST_OUTLINED
    boxes = (
        _Boxes("idle", end[before], start[after], row[before], style.IDLE, style.IDLE, 0.0, None),
        # The outline has its width on the paper: so a short invocation is seen too.
        _Boxes("busy", begun, end, row, style.BUSY, style.BLACK if outlined else style.BUSY, 0.3, None),
        _Boxes("warming", start, begun, row, style.WARMING, style.HATCH_COLOR, 0.0, style.HATCH),
    )
    for each in boxes:
        ax.add_collection(each.drawn(unit_s))
    style.time_axis(ax, 0.0, 1.01 * float(end.max()) or 1.0, unit_s, "time since the first arrival")
    ax.set_ylim(0.4, count + 0.6)
    ax.yaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
    ax.set_ylabel("environment (number)")
    ax.grid(False)
    style.legend_beside(ax, handles=[each.key() for each in reversed(boxes)])
    style.caption(ax, [measured])
    return ax


@dataclass(frozen=True)
class _Boxes:
    """What is drawn for one state: from `begin` to `end`, in seconds, in `row`."""

    label: str
    begin: Floats
    end: Floats
    row: NDArray[np.int64]
    color: str
    edge: str
    width: float
    hatch: str | None

    def drawn(self, unit_s: float) -> PolyCollection:
        seen = self.end > self.begin
        left, right, middle = self.begin[seen] / unit_s, self.end[seen] / unit_s, self.row[seen]
        low, high = middle - 0.38, middle + 0.38
        corners = np.stack((left, low, left, high, right, high, right, low), axis=1).reshape(-1, 4, 2)
        return PolyCollection(
            list(corners), facecolor=self.color, edgecolor=self.edge, linewidth=self.width, hatch=self.hatch
        )

    def key(self) -> Patch:
        """As the legend shows it."""
        return Patch(
            facecolor=self.color, edgecolor=self.edge, linewidth=self.width, hatch=self.hatch, label=self.label
        )


def _rows(ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """1 for each of the first environment's invocations, 2 for the second's, in the order in which they appear."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(its_id, len(numbers) + 1) for its_id in ids], dtype=np.int64)


def _successions(row: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(which, which comes next in the same row), places in `row`, whose invocations are in the order of time."""
    by_row = np.argsort(row, kind="stable")
    same = row[by_row[:-1]] == row[by_row[1:]]
    return by_row[:-1][same], by_row[1:][same]
