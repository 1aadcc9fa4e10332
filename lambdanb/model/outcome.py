"""What came of a stream of invocations, measured or simulated: the same numbers either way, so that one can be laid
over the other.

`analysis.load` makes one from records, the simulator from its counts. Times of a window are from the stream's start.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambdanb.model.histogram import percentile_ms

if TYPE_CHECKING:
    from pandas import DataFrame

COUNTS = ("arrivals", "warm", "cold", "throttled", "errors")
"""Columns of `windows` that count invocations, by the time at which they arrived; `errors` are among warm and cold."""

MEANS = ("busy_warm", "busy_cold", "environments")
"""Columns of `windows` that are means over the window: invocations under way in environments that were warm when they
came, and in those that had to be started for them; environments that exist, busy or idle."""

QUANTILES = (50.0, 95.0, 99.0)


@dataclass
class Outcome:
    """One run.

    measured    whether it happened on this machine; else it was simulated
    seconds     how long the stream was
    windows     one row per window of time, indexed by its start in seconds: COUNTS, MEANS, `cost` in dollars
    latency     bucket (`model.histogram`) -> answers; from the time at which a request was due to its answer, in ms
    latency_by_window   the same for each window, in their order
    duration    bucket -> answers: REPORT's Duration
    billed_ms   the sum of all billed durations
    cost        dollars at list price, without free tier: what it costs per window is in `windows`
    """

    measured: bool
    seconds: float
    windows: DataFrame
    latency: Counter[int] = field(default_factory=Counter)
    latency_by_window: list[Counter[int]] = field(default_factory=list)
    duration: Counter[int] = field(default_factory=Counter)
    billed_ms: int = 0
    cost: float = 0.0

    @property
    def window_s(self) -> float:
        """How wide a window is, in seconds."""
        return float(self.windows.index[1] - self.windows.index[0]) if len(self.windows) > 1 else self.seconds

    def count(self, column: str) -> int:
        """The sum of one of COUNTS over all windows."""
        return int(self.windows[column].sum())

    def mean(self, column: str) -> float:
        """The mean of one of MEANS over the whole time."""
        return float(self.windows[column].mean())

    def latency_ms(self, percent: float) -> float | None:
        """The latency that `percent` of the answers kept to, within 1 %; None without answers."""
        return percentile_ms(self.latency, percent)

    def figures(self) -> dict[str, Any]:
        """The run in a few numbers, by name; `summary()` of a result shows them."""
        arrivals, cold, warm = (self.count(name) for name in ("arrivals", "cold", "warm"))
        accepted = cold + warm
        return {
            "invocations": arrivals,
            "throttled": self.count("throttled"),
            "errors": self.count("errors"),
            "cold_starts": cold,
            "cold_share": cold / accepted if accepted else 0.0,
            "concurrency": self.mean("busy_warm") + self.mean("busy_cold"),
            "environments": self.mean("environments"),
            **{f"latency_p{percent:g}_ms": self.latency_ms(percent) for percent in QUANTILES},
            "billed_ms": self.billed_ms,
            "cost": self.cost,
        }
