"""A forecast, played as if it ran: what the stream dashboard shows of a simulated run.

A forecast takes milliseconds, so it is made at once for all of the time, and shown as time goes by, as fast as one
likes. A change of the stream makes it anew with what was due before the change as it was: with the same seed, so that
what has been shown stays true.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.analysis.environment_boxes import Box, LevelBoxes, columns
from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.live_view import Points
from lambdanb.analysis.simulate import simulate
from lambdanb.model.histogram import percentile_ms
from lambdanb.model.outcome import QUANTILES
from lambdanb.model.rules import TODAY, Rules
from lambdanb.simulator.function_model import Simulated
from lambdanb.streams.replay import Replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRAME_S = 0.2
_LEAST_WINDOWS, _MOST_WINDOWS = 100, 2_000
_TRAILING = 5
_SHORTEST_S = 1e-3


class ForecastView:
    """A forecast of a function, `speed` seconds of it in each second.

    concurrency  the account's
    """

    measured = False

    def __init__(
        self,
        function: Simulated,
        due_s: NDArray[Any],
        seconds: float,
        *,
        speed: float = 1.0,
        rules: Rules = TODAY,
        concurrency: int | None = None,
    ) -> None:
        self.seconds = seconds
        self._function = function
        self._speed = speed
        self._rules = rules
        self._concurrency = concurrency
        self._windows = min(max(math.ceil(seconds / (speed * _FRAME_S)), _LEAST_WINDOWS), _MOST_WINDOWS)
        self._due_s = due_s
        self._forecast = self._simulated(due_s)
        self._boxes = LevelBoxes()
        self._shown = 0
        self._stopped_s: float | None = None
        self._start_s = time.monotonic()

    @property
    def now_s(self) -> float:
        """Seconds of the stream that have gone by."""
        if self._stopped_s is not None:
            return self._stopped_s
        return min((time.monotonic() - self._start_s) * self._speed, self.seconds)

    @property
    def ended(self) -> bool:
        """Whether the last has been shown."""
        return self._stopped_s is not None or self._shown == self._windows

    def change(self, from_s: float, due_s: NDArray[Any]) -> None:
        """Other requests from `from_s` on."""
        planned = np.concatenate([self._due_s[: np.searchsorted(self._due_s, from_s)], due_s])
        self._forecast, self._due_s = self._simulated(planned), planned

    def stop(self) -> None:
        """Let no more time go by."""
        self._stopped_s = self.now_s

    def result(self) -> Forecast:
        """The forecast; of one that was stopped, until then."""
        if self._stopped_s is None:
            return self._forecast
        seconds = max(self._stopped_s, _SHORTEST_S)
        return self._simulated(self._due_s[: np.searchsorted(self._due_s, seconds)], seconds)

    def close(self) -> None:
        """There is nothing to be left."""

    def look(self) -> Points:
        """The points of the windows that have gone by since the last look."""
        outcome = self._forecast.outcome
        width_s = outcome.window_s
        end = min(math.floor(self.now_s / width_s + 1e-9), self._windows)
        first, self._shown = self._shown, max(end, self._shown)
        if end <= first:
            return {}
        windows = {name: outcome.windows[name].to_numpy(dtype=float) for name in outcome.windows}
        new = slice(first, end)
        times_s = width_s * np.arange(first + 1, end + 1)
        per_s = {name: _trailing(windows[name], first, end) / width_s for name in ("arrivals", "errors", "throttled")}
        accepted = windows["warm"].sum() + windows["cold"].sum()
        busy = windows["busy_warm"] + windows["busy_cold"]
        under_way_s = width_s * busy.sum() / accepted if accepted else 0.0
        boxes: list[Box] = []
        for at in range(first, end):
            cold, all_busy, existing = windows["busy_cold"][at], busy[at], windows["environments"][at]
            boxes += self._boxes.window(width_s * at, width_s * (at + 1), cold, all_busy, existing)
        latency = [
            _quantiles(outcome.latency_by_window[max(at - _TRAILING + 1, 0) : at + 1]) for at in range(first, end)
        ]
        return {
            "arrivals": (times_s, per_s["arrivals"]),
            "concurrency": (
                times_s,
                windows["busy_warm"][new],
                windows["busy_cold"][new],
                windows["throttled"][new] / width_s * under_way_s,
            ),
            "latency": (times_s, *np.array(latency).T),
            "environments": columns(boxes),
            "cost": (times_s, np.cumsum(windows["cost"])[new]),
            "failures": (times_s, per_s["errors"], per_s["throttled"]),
        }

    def _simulated(self, due_s: NDArray[Any], seconds: float | None = None) -> Forecast:
        return simulate(
            self._function,
            Replay(due_s),
            seconds=seconds or self.seconds,
            windows=self._windows,
            rules=self._rules,
            concurrency=self._concurrency,
        )


def _trailing(counts: NDArray[Any], first: int, end: int) -> NDArray[Any]:
    """The mean of each window and the _TRAILING - 1 before it."""
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    ends = np.arange(first + 1, end + 1)
    starts = np.maximum(ends - _TRAILING, 0)
    mean: NDArray[Any] = (sums[ends] - sums[starts]) / (ends - starts)
    return mean


def _quantiles(histograms: list[Counter[int]]) -> list[float]:
    together: Counter[int] = Counter()
    for histogram in histograms:
        together.update(histogram)
    found = (percentile_ms(together, percent) for percent in QUANTILES)
    return [math.nan if value is None else value for value in found]
