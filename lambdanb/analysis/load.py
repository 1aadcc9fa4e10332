"""`load`: drive a function with a stream of events, for real, on this machine.

The load is open: each request is sent at its due time, however slow the answers are, as the world outside doesn't wait
either; and latency counts from the due time. (A test that waits for answers before it sends on asks less of a function
the slower it is, and reports the latency of those few: "coordinated omission".)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from lambdanb.analysis.executor_records import alive, join_records, newest_id, requests_frame
from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.load_table import (
    ANSWERED,
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
from lambdanb.analysis.payloads import payloads_of
from lambdanb.client.function import Function
from lambdanb.client.progress import Progress
from lambdanb.model.rules import RULES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_LOOK_S = 0.2
_STOPPING_S = 5.0
_SHORTEST_S = 1e-3
_ANSWERS_S = 30.0
"""Beyond the function's timeout, for the answers to the last requests: an init, and the executor's own work."""


class ArrivalStream(Protocol):
    """What `load` needs of a stream; `lambdanb.streams` has them."""

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[NDArray[Any]]:
        """Arrival times in seconds from the stream's start, ascending, all below `until_s`."""
        ...


def load(function: Function, stream: ArrivalStream, seconds: float, *, event: Any = None, seed: int = 0) -> LoadResult:
    """Send the function the stream's requests for so many seconds, each at its time, and get what came of them.

    stream  when requests come: one of `lambdanb.streams`, such as Poisson(200)
    event   what each request carries: an event, the same for all; a callable that is called with the request's number,
            from 0; or a DataFrame, whose rows are the events, one after the other and again from the first. Events are
            made before the first request is sent.
    seed    of the stream: the same seed gives the same times

    A process of its own sends, so that a busy notebook doesn't disturb it. A bar shows progress after two seconds.
    Ctrl-C ends it: no more is sent, the answers under way are waited for (a second at most), and the result has what
    there is and says that it was interrupted. So it does when the executor goes away.

    Raises TypeError for what isn't a function, a stream or JSON, ValueError for other seconds than a number over 0 and
    for a stream's times out of order, and ResourceNotFoundException when there is no such function.
    """
    from pandas import Timestamp

    _check(function, stream, seconds)
    due_s = _times(stream, seconds, seed)
    payloads = payloads_of(event, len(due_s))
    executor = function._executor
    configuration = function.description["configuration"]
    rules = RULES[executor.ask("settings")["rules"]]
    after_id = newest_id(executor)
    request = {"op": "invoke", "name": function.name, "qualifier": function.qualifier, "mode": "sync"}
    answers_s = configuration["timeout_s"] + _ANSWERS_S
    with LoaderProcess(executor.home, request, due_s, payloads, seconds=seconds, answers_s=answers_s) as loader:
        interrupted = _watch(loader, Progress(function.name), len(due_s), seconds)
        ended_s, why_lost, stopped = _ending(loader, interrupted)
    table = loader.table
    # Stopped before its first request it had no length at all, which no mean could be taken over.
    stream_s = seconds if stopped is None else min(seconds, max(table.head[STOPPED_S] or ended_s, _SHORTEST_S))
    requests = requests_frame(table, int(table.head[SENT]), why_lost)
    records = join_records(requests, table, executor, function.name, after_id)
    outcome = outcome_of(
        records,
        stream_s,
        over_s=max(stream_s, ended_s),
        alive=alive(executor, function.name),
        keep_alive_s=configuration["keep_alive_s"],
    )
    started = Timestamp(table.head[START_WALL_S], unit="s", tz="UTC")
    return LoadResult(
        function.name,
        started,
        stream_s,
        records,
        outcome,
        _machine(table),
        stopped,
        rules=rules,
        tmp_mb=configuration["tmp_mb"],
        architecture=configuration["architecture"],
    )


def _check(function: Any, stream: Any, seconds: Any) -> None:
    if not isinstance(function, Function):
        raise TypeError(f"load drives a deployed function; {function!r:.80} is none. Get one by deploy or get.")
    if isinstance(stream, type) or not callable(getattr(stream, "chunks", None)):
        raise TypeError(f"{stream!r:.80} is no stream; give one of lambdanb.streams, such as Poisson(200)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"seconds is {seconds!r:.80}; give a number over 0")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds}; give a finite number over 0")


def _times(stream: ArrivalStream, seconds: float, seed: int) -> NDArray[Any]:
    import numpy as np

    chunks = list(stream.chunks(seed, seconds))
    times = np.concatenate(chunks).astype(float) if chunks else np.empty(0)
    if len(times) and not (times[0] >= 0 and times[-1] < seconds and (np.diff(times) >= 0).all()):
        raise ValueError(
            f"The times of {stream!r:.80} must ascend from 0 on and stay below {seconds:g} s; "
            f"they go from {times[0]:g} to {times[-1]:g}."
        )
    return times


def _watch(loader: LoaderProcess, progress: Progress, requests: int, seconds: float) -> bool:
    """Wait for the loader's end; True when it was interrupted. A second interrupt gives up at once."""
    import time

    head = loader.table.head
    try:
        while not loader.wait(_LOOK_S):
            if head[START_MONOTONIC_S]:
                now_s = time.monotonic() - head[START_MONOTONIC_S]
                sent, answered = int(head[SENT]), int(head[ANSWERED])
                progress.show(now_s / seconds, f"{sent:,} of {requests:,} requests sent, {answered:,} answered")
        return False
    except KeyboardInterrupt:
        loader.stop()
        loader.wait(_STOPPING_S)
        return True
    finally:
        progress.close()


def _ending(loader: LoaderProcess, interrupted: bool) -> tuple[float, str, str | None]:
    """When it ended, the error of requests without an answer, and why it was stopped, in words."""
    head, code = loader.table.head, loader.exit_code
    ending = int(head[ENDING])
    ended_s = head[ENDED_S] if ending else _last_seen_s(loader.table)
    if ending in (DONE, UNANSWERED):
        return ended_s, "NoAnswer", None
    if ending == EXECUTOR_LOST:
        return ended_s, "ExecutorLost", f"the executor went away after {ended_s:.1f} s"
    if ending == INTERRUPTED or interrupted:
        return ended_s, "Interrupted", f"interrupted after {head[STOPPED_S] or ended_s:.1f} s"
    if code is not None and code < 0:
        return ended_s, "LoaderLost", f"the load's own process was killed (signal {-code}) at {ended_s:.1f} s"
    raise RuntimeError(f"The load's own process failed (exit code {code}): {loader.errors()}")


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
