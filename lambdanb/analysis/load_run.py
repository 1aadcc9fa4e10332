"""A load test under way: looked at, changed, stopped, and told what came of it. `load` waits for one; the stream
dashboard shows one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lambdanb.analysis.executor_records import alive, join_records, newest_id, requests_frame
from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.load_table import (
    DONE,
    ENDED_S,
    ENDING,
    EXECUTOR_LOST,
    INTERRUPTED,
    SAMPLE_VALUES,
    SAMPLED,
    SENT,
    START_MONOTONIC_S,
    START_WALL_S,
    STOPPED_S,
    UNANSWERED,
    LoadTable,
)
from lambdanb.analysis.loader_start import LoaderProcess
from lambdanb.analysis.outcome_of_records import outcome_of
from lambdanb.client.function import Function
from lambdanb.model.rules import RULES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

STOPPED_IN_S = 5.0
"""A loader that was told to stop has ended after so long."""
_SHORTEST_S = 1e-3
_ANSWERS_S = 30.0
"""Beyond the function's timeout, for the answers to the last requests: an init, and the executor's own work."""


class LoadRun:
    """One run, from its start; leave the `with` block, or `close` it, and its process is gone.

    table     what was sent and answered so far, as `load_table` tells; the loader writes it
    seconds   how long the stream is
    after_id  records of the executor that have a higher id were written since
    """

    def __init__(
        self, function: Function, due_s: NDArray[Any], payloads: Sequence[bytes], seconds: float, *, room: int = 0
    ) -> None:
        """`due_s`: when requests are due; `room`: for so many in all, should that change.

        Raises ResourceNotFoundException when there is no such function.
        """
        self.function = function
        self.seconds = seconds
        self.executor = function._executor
        described = function.description
        self._configuration = described["configuration"]
        self._provisioned = kept_ready(described)
        self._rules = RULES[self.executor.ask("settings")["rules"]]
        self.after_id = newest_id(self.executor)
        self._interrupted = False
        self._loader = LoaderProcess(
            self.executor.home,
            {"op": "invoke", "name": function.name, "qualifier": function.qualifier, "mode": "sync"},
            due_s,
            payloads,
            seconds=seconds,
            answers_s=self._configuration["timeout_s"] + _ANSWERS_S,
            room=room,
        )
        self.table: LoadTable = self._loader.table

    @property
    def now_s(self) -> float:
        """Seconds since the stream's start; 0 until then."""
        start_s = self.table.head[START_MONOTONIC_S]
        return max(time.monotonic() - start_s, 0.0) if start_s else 0.0

    def change(self, from_s: float, due_s: NDArray[Any]) -> None:
        """From `from_s` on, requests are due at these times instead, as far as there is room for them."""
        self._loader.change(from_s, due_s)

    def stop(self) -> None:
        """Send no more; answers under way are waited for, a second at most."""
        self._interrupted = True
        self._loader.stop()

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, after at most `timeout_s`."""
        return self._loader.wait(timeout_s)

    def result(self) -> LoadResult:
        """What came of it, once it has ended. Raises RuntimeError when the load's own process failed."""
        from pandas import Timestamp

        ended_s, why_lost, stopped = self._ending()
        table = self.table
        # Stopped before its first request it had no length at all, which no mean could be taken over.
        stream_s = self.seconds
        if stopped is not None:
            stream_s = min(stream_s, max(table.head[STOPPED_S] or ended_s, _SHORTEST_S))
        requests = requests_frame(table, int(table.head[SENT]), why_lost)
        records = join_records(requests, table, self.executor, self.function.name, self.after_id)
        outcome = outcome_of(
            records,
            stream_s,
            over_s=max(stream_s, ended_s),
            alive=alive(self.executor, self.function.name),
            keep_alive_s=self._configuration["keep_alive_s"],
        )
        started = Timestamp(table.head[START_WALL_S], unit="s", tz="UTC")
        return LoadResult(
            self.function.name,
            started,
            stream_s,
            records,
            outcome,
            _machine(table),
            stopped,
            rules=self._rules,
            memory_mb=self._configuration["memory_mb"],
            tmp_mb=self._configuration["tmp_mb"],
            architecture=self._configuration["architecture"],
            provisioned=self._provisioned,
        )

    def close(self) -> None:
        """Be sure that its process is gone."""
        self._loader.__exit__(None, None, None)

    def __enter__(self) -> LoadRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ending(self) -> tuple[float, str, str | None]:
        """When it ended, the error of requests without an answer, and why it was stopped, in words."""
        head, code = self.table.head, self._loader.exit_code
        ending = int(head[ENDING])
        ended_s = head[ENDED_S] if ending else _last_seen_s(self.table)
        if ending in (DONE, UNANSWERED):
            return ended_s, "NoAnswer", None
        if ending == EXECUTOR_LOST:
            return ended_s, "ExecutorLost", f"the executor went away after {ended_s:.1f} s"
        if ending == INTERRUPTED or self._interrupted:
            return ended_s, "Interrupted", f"interrupted after {head[STOPPED_S] or ended_s:.1f} s"
        if code is not None and code < 0:
            return ended_s, "LoaderLost", f"the load's own process was killed (signal {-code}) at {ended_s:.1f} s"
        raise RuntimeError(f"The load's own process failed (exit code {code}): {self._loader.errors()}")


def kept_ready(described: dict[str, Any]) -> int:
    """How many environments are provisioned for the version that a function's description is of."""
    version_of = {alias["name"]: alias["version"] for alias in described["aliases"]}
    return sum(
        executions
        for qualifier, executions in described["provisioned_concurrency"].items()
        if version_of.get(qualifier, qualifier) == described["version"]
    )


def _last_seen_s(table: LoadTable) -> float:
    """The time of the last thing that a loader without an end of its own did."""
    import numpy as np

    times = np.concatenate([np.asarray(table.sent_s), np.asarray(table.answered_s)])
    seen = times[~np.isnan(times)]
    return float(seen.max()) if len(seen) else 0.0


def _machine(table: LoadTable) -> DataFrame:
    import numpy as np
    from pandas import DataFrame

    count = int(table.head[SAMPLED])
    samples = np.array(table.samples[: count * SAMPLE_VALUES]).reshape(count, SAMPLE_VALUES)
    return DataFrame(samples, columns=["machine", "executor", "loader"])
