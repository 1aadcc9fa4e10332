"""What a load test came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from lambdanb.analysis.bill_of_records import bill_of
from lambdanb.analysis.told import dollars, short
from lambdanb.model.billing import Bill, provisioned_concurrency
from lambdanb.model.outcome import Outcome
from lambdanb.model.rules import TODAY, Rules

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series, Timestamp

    from lambdanb.analysis.run_plot import Plotted

LATE_MS = 2.0
"""The loader keeps its schedule within 1 ms (99 % of the requests) on a machine that carries the load: twice that, and
it doesn't."""
BUSY_CORE = 0.9
BUSY_MACHINE = 0.95
BUSY_SHARE = 0.1
"""Of the samples: so much of the time at such a share of the CPU is a limit."""


@dataclass(repr=False)
class LoadResult:
    """A load test.

    function    its name
    started     when the stream started, UTC
    seconds     how long the stream was; until the stop, when it was stopped
    records     one row per request, in the order in which they were due:
                due_s, sent_s, answered_s   in seconds from the stream's start
                late_ms         sent after it was due: how well the schedule was kept
                latency_ms      from the time at which it was due to its answer
                status          "ok"; "error" (the function failed, timed out or crashed: see error_type); "throttled";
                                "refused" (by the service, as when the function was deleted); "lost" (no answer came)
                error_type      why it isn't "ok"
                request_id, arrived_s (at the executor) and the executor's record of it: version, environment_id,
                queued_ms, init_ms, duration_ms, billed_ms, memory_mb, max_memory_mb, cpu_ms, cold, cost, provisioned;
                NaN for what didn't run
    outcome     the run in windows of time, comparable to a simulated one
    machine     CPU shares while it ran, a row per sample: "machine" (1: every core is busy), "executor" and "loader"
                (1: a whole core)
    stopped     why it ended before its time; None if it didn't
    rules, memory_mb, tmp_mb, architecture      under which it ran, and what is billed
    provisioned     how many environments were kept ready for it
    """

    function: str
    started: Timestamp
    seconds: float
    records: DataFrame
    outcome: Outcome
    machine: DataFrame
    stopped: str | None = None
    rules: Rules = TODAY
    memory_mb: int = 128
    tmp_mb: int = 512
    architecture: str = "x86_64"
    provisioned: int = 0

    @property
    def late_p99_ms(self) -> float:
        """99 % of the requests were sent at most so long after they were due; NaN when none was."""
        late_ms = self.records["late_ms"].dropna()
        return float(late_ms.quantile(0.99)) if len(late_ms) else math.nan

    @property
    def limited_by(self) -> str | None:
        """How this machine, and not the function, was the limit; None if it wasn't.

        Then latencies say more about the machine than about the function, and fewer requests a second are to be asked
        of it.
        """
        reasons = []
        if self.late_p99_ms > LATE_MS:
            reasons.append(f"1 % of the requests were sent more than {self.late_p99_ms:.1f} ms after they were due")
        limits = (
            ("machine", BUSY_MACHINE, "the machine's processors were busy"),
            ("executor", BUSY_CORE, "the executor used up its core"),
            ("loader", BUSY_CORE, "the load's own process used up its core"),
        )
        for column, limit, told in limits:
            share = float((self.machine[column] >= limit).mean()) if len(self.machine) else 0.0
            if share >= BUSY_SHARE:
                reasons.append(f"{told} {share:.0%} of the time")
        return "; ".join(reasons) or None

    def summary(self) -> Series[Any]:
        """The run in a few numbers, by name: `Outcome.figures()`, and what only a measured run has."""
        from pandas import Series

        counts = self.records["status"].value_counts()
        return Series(
            {
                **self.outcome.figures(),
                "refused": int(counts.get("refused", 0)),
                "lost": int(counts.get("lost", 0)),
                "late_p99_ms": self.late_p99_ms,
                "limited_by": self.limited_by,
                "stopped": self.stopped,
            },
            name=self.function,
            dtype=object,
        )

    def cost(self, *, free_tier: bool = False) -> Bill:
        """What AWS would ask for these invocations, exact, as if they were all of their month: `.cents()` rounds as AWS
        does. Provisioned concurrency is billed for the time of the test, in its steps of 5 minutes."""
        kept = provisioned_concurrency(
            self.provisioned, self.seconds, self.memory_mb, rules=self.rules, architecture=self.architecture
        )
        return bill_of(
            self.records,
            self.rules,
            tmp_mb=self.tmp_mb,
            architecture=self.architecture,
            kept=kept if self.provisioned else None,
            free_tier=free_tier,
        )

    @property
    def notes(self) -> list[str]:
        """What has to be known of it to read its numbers: that it was stopped, that the machine was the limit."""
        notes = [f"Stopped: {self.stopped}."] if self.stopped else []
        return notes + ([f"Limited by this machine: {self.limited_by}."] if self.limited_by else [])

    def plot(self, *others: Plotted, names: Sequence[str] | None = None) -> Figure:
        """The run on a page: arrivals, concurrency, environments, latency and cost.

        others  results or forecasts to lay over it: `result.plot(forecast)`
        names   one for each in the legend, this one first; it says anyhow what was measured and what simulated
        """
        from lambdanb.analysis.run_plot import plot_runs

        return plot_runs([self, *others], names)

    def __repr__(self) -> str:
        told = [f"{len(self.records):,} requests in {short(self.seconds)} s"]
        for status, count in self.records["status"].value_counts().items():
            if status != "ok":
                told.append(f"{count:,} {'errors' if status == 'error' else status}")
        for percent in (50.0, 99.0):
            latency_ms = self.outcome.latency_ms(percent)
            if latency_ms is not None:
                told.append(f"p{percent:g} {short(latency_ms)} ms")
        told.append(dollars(self.outcome.cost))
        return "\n".join([f"<LoadResult of {self.function}: {', '.join(told)}>", *self.notes])

    def _repr_html_(self) -> str:
        first, *notes = repr(self).splitlines()
        shown = self.summary().drop(["limited_by", "stopped"]).map(_figure)
        parts = [f"<b>{escape(first.strip('<>'))}</b>", *(f"<b>{escape(note)}</b>" for note in notes)]
        return "<br>".join(parts) + str(shown.to_frame().to_html(header=False))


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
