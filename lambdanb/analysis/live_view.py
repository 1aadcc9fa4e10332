"""What the stream dashboard shows of a run while it runs: measured (`LoadView`) or simulated (`ForecastView`).

Both have one face. `look()` gives the points that are new since the last look, by panel, as columns:

    arrivals      time_s, arrivals per second
    concurrency   time_s, warm, cold, throttled: invocations under way; the throttled ones as if they had run
    latency       time_s, p50, p95, p99 in ms, NaN without answers
    environments  row, start_s, end_s, kind: boxes, as `environment_boxes` tells
    cost          time_s, dollars so far
    failures      time_s, errors per second, throttled per second

Rates are those of the last second (of the last five windows of a forecast).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.analysis.environment_boxes import STARTING, EnvironmentBoxes, columns
from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.load_run import STOPPED_IN_S, LoadRun
from lambdanb.analysis.load_table import ERROR, OK, PLANNED, SENT, START_WALL_S, THROTTLED
from lambdanb.model.errors import ExecutorLost
from lambdanb.model.outcome import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

PANELS = ("arrivals", "concurrency", "latency", "environments", "cost", "failures")
Points = Mapping[str, Sequence[Any]]

_SPAN_S = 1.0
_FEW = 20
_FEW_SPAN_S = 5.0
"""Quantiles of fewer than _FEW answers in the last second are taken from the last five."""
_PAGE = 10_000


class LoadView:
    """A load test under way, from the loader's table and the executor's records."""

    measured = True

    def __init__(self, run: LoadRun, merge_s: float) -> None:
        self.run = run
        self.seconds = run.seconds
        self._boxes = EnvironmentBoxes(merge_s)
        self._after_id = run.after_id
        self._settled = 0
        self._old: set[str] | None = None
        self._recorded: set[str] = set()
        self._ran, self._under_way_s, self._cost = 0, 0.0, 0.0

    @property
    def now_s(self) -> float:
        """Seconds since the stream's start."""
        return min(self.run.now_s, self.seconds)

    @property
    def ended(self) -> bool:
        """Whether all is over, the last answers too."""
        return self.run.wait(0)

    def change(self, from_s: float, due_s: NDArray[Any]) -> None:
        """Other requests from `from_s` on."""
        self.run.change(from_s, due_s)

    def stop(self) -> None:
        """Send no more."""
        self.run.stop()

    def result(self) -> LoadResult:
        """What came of it: waits for the loader's end, which a stopped one comes to soon."""
        self.run.wait(STOPPED_IN_S)
        return self.run.result()

    def close(self) -> None:
        """Be sure that nothing of it is left."""
        self.run.close()

    def look(self) -> Points:
        """The points since the last look."""
        table, time_s = self.run.table, self.now_s
        if not time_s:
            return {}
        due_s = np.asarray(table.due_s)[: int(table.head[PLANNED])]
        arrived = np.searchsorted(due_s, time_s) - np.searchsorted(due_s, time_s - _SPAN_S)
        latency_ms, errors, throttled = self._answers(time_s)
        warm, cold = self._environments(time_s)
        asked = throttled * self._under_way_s / self._ran if self._ran else 0.0
        # A run that has just begun has no whole second behind it.
        span_s = min(_SPAN_S, time_s)
        return {
            "arrivals": ([time_s], [arrived / span_s]),
            "concurrency": ([time_s], [warm], [cold], [asked / span_s]),
            "latency": ([time_s], *([value] for value in latency_ms)),
            "environments": columns(self._boxes.changed()),
            "cost": ([time_s], [self._cost]),
            "failures": ([time_s], [errors / span_s], [throttled / span_s]),
        }

    def _answers(self, time_s: float) -> tuple[list[float], int, int]:
        """Of the last answers: the latency's quantiles in ms, errors, throttled."""
        table = self.run.table
        rows = slice(self._settled, int(table.head[SENT]))
        answered_s = np.asarray(table.answered_s)[rows]
        status = np.asarray(table.status)[rows]
        last = answered_s > time_s - _SPAN_S
        errors, throttled = (int(np.count_nonzero(last & (status == each))) for each in (ERROR, THROTTLED))
        ran = (status == OK) | (status == ERROR)
        told = last & ran
        if np.count_nonzero(told) < _FEW:
            told = ran & (answered_s > time_s - _FEW_SPAN_S)
        latency_ms = 1e3 * (answered_s - np.asarray(table.due_s)[rows])[told]
        # What is before the first row that is still of use is never looked at again.
        of_use = ~(answered_s < time_s - _FEW_SPAN_S)
        self._settled += int(np.argmax(of_use)) if of_use.any() else len(of_use)
        if not len(latency_ms):
            return [np.nan] * len(QUANTILES), errors, throttled
        return list(np.percentile(latency_ms, QUANTILES, method="inverted_cdf")), errors, throttled

    def _environments(self, time_s: float) -> tuple[int, int]:
        """Invocations under way in warm and in cold environments; boxes and cost are brought up to date."""
        try:
            found = self.run.executor.ask("environments")["environments"]
            records = self._records()
        except ExecutorLost:
            return 0, 0  # the run is over then, and its result says why
        states = {each["id"]: each["state"] for each in found if each["function"] == self.run.function.name}
        if self._old is None:
            self._old = set(states)
        start_ms = 1e3 * self.run.table.head[START_WALL_S]
        for record in records:
            init_ms = record["init_ms"] or 0.0
            self._cost += record["cost"]
            if not record["environment_id"]:
                continue
            self._ran += 1
            self._under_way_s += (init_ms + record["duration_ms"]) / 1e3
            self._recorded.add(record["environment_id"])
            taken_s = (record["arrived_ms"] + record["queued_ms"] - start_ms) / 1e3
            self._boxes.ran(record["environment_id"], taken_s, init_ms / 1e3, record["duration_ms"] / 1e3)
        self._boxes.now(time_s, states)
        warmed = self._old | self._recorded
        busy = [name for name, state in states.items() if state == "busy"]
        cold = sum(name not in warmed for name in busy) + sum(state in STARTING for state in states.values())
        return sum(name in warmed for name in busy), cold

    def _records(self) -> list[dict[str, Any]]:
        """The function's records that were written since the last look."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.run.executor.ask("records", name=self.run.function.name, after_id=self._after_id, limit=_PAGE)[
                "records"
            ]
            rows += page
            if page:
                self._after_id = page[-1]["id"]
            if len(page) < _PAGE:
                return rows
