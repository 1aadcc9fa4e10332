"""`load`: drive a function with a stream of events, for real, on this machine.

The load is open: each request is sent at its due time, however slow the answers are, as the world outside doesn't wait
either; and latency counts from the due time. (A test that waits for answers before it sends on asks less of a function
the slower it is, and reports the latency of those few: "coordinated omission".)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from lambdanb.analysis.load_result import LoadResult
from lambdanb.analysis.load_run import STOPPED_IN_S, LoadRun
from lambdanb.analysis.load_table import ANSWERED, SENT
from lambdanb.analysis.payloads import payloads_of
from lambdanb.client.function import Function
from lambdanb.client.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_REQUESTS = 10_000_000
"""Their table takes 125 bytes each, and no machine sends a hundredth of these in a minute."""
_LOOK_S = 0.2


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
    _check(function, stream, seconds)
    due_s = times_of(stream, seconds, seed)
    with LoadRun(function, due_s, payloads_of(event, len(due_s)), seconds) as run:
        _watch(run, Progress(function.name), len(due_s))
        return run.result()


def _check(function: Any, stream: Any, seconds: Any) -> None:
    if not isinstance(function, Function):
        raise TypeError(f"load drives a deployed function; {function!r:.80} is none. Get one by deploy or get.")
    if isinstance(stream, type) or not callable(getattr(stream, "chunks", None)):
        raise TypeError(f"{stream!r:.80} is no stream; give one of lambdanb.streams, such as Poisson(200)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"seconds is {seconds!r:.80}; give a number over 0")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds}; give a finite number over 0")


def times_of(
    stream: ArrivalStream, seconds: float, seed: int, *, most: int = MOST_REQUESTS, what: str = "one load test sends"
) -> NDArray[Any]:
    """The stream's times. Raises ValueError for times out of order or out of range, and for more than `most`, which is
    what `what` says."""
    import numpy as np

    chunks, count = [], 0
    for chunk in stream.chunks(seed, seconds):
        chunks.append(chunk)
        count += len(chunk)
        if count > most:
            raise ValueError(
                f"{stream!r:.80} has more than {most:,} requests in {seconds:g} s, the most that {what}: give fewer "
                "seconds or a lower rate, or forecast it by simulate"
            )
    times = np.concatenate(chunks).astype(float) if chunks else np.empty(0)
    if len(times) and not (times[0] >= 0 and times[-1] < seconds and (np.diff(times) >= 0).all()):
        raise ValueError(
            f"The times of {stream!r:.80} must ascend from 0 on and stay below {seconds:g} s; "
            f"they go from {times[0]:g} to {times[-1]:g}."
        )
    return times


def _watch(run: LoadRun, progress: Progress, requests: int) -> None:
    """Wait for the run's end; an interrupt stops it. A second interrupt gives up at once."""
    head = run.table.head
    try:
        while not run.wait(_LOOK_S):
            sent, answered = int(head[SENT]), int(head[ANSWERED])
            progress.show(run.now_s / run.seconds, f"{sent:,} of {requests:,} requests sent, {answered:,} answered")
    except KeyboardInterrupt:
        run.stop()
        run.wait(STOPPED_IN_S)
    finally:
        progress.close()
