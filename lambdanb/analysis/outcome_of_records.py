"""What a load test came to, as the simulator tells its own: an `Outcome` built from the records.

- Arrivals, cold starts, throttles, errors and cost are counted in the window in which the request was due. A request
  that was lost or refused is an arrival and nothing else.
- An invocation is under way from its arrival at the executor until its end by the executor's record: arrival +
  queued + init + duration. What is under way beyond the stream's end is cut off there, in the means alone.
- An environment exists from the arrival that started it (one that was warm when it was first used here: from the
  stream's beginning). It exists until the stream's end if it is still there when the load test is over; else until
  its keep-alive ran out, or, if it went earlier than that, until its last use. Environments that weren't used in this
  run aren't counted.
- Latencies are those of requests that ran. A throttled one is answered at once, and would hide how slow the others are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lambdanb.model.histogram import bucket
from lambdanb.model.outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_WIDTHS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_WINDOWS = 150


def window_count(seconds: float) -> int:
    """How many windows a stream is cut in: of a round width where that fits, and at most some 150."""
    width_s = next((width_s for width_s in _WIDTHS_S if seconds / width_s <= _WINDOWS), seconds / _WINDOWS)
    return max(round(seconds / width_s), 1)


def outcome_of(records: DataFrame, seconds: float, *, over_s: float, alive: set[str], keep_alive_s: Any) -> Outcome:
    """The outcome of `records` (as `LoadResult.records`) of a stream of `seconds`.

    over_s, alive   when the run was over, in seconds from its start, and the ids of environments that existed then
    keep_alive_s    the function's; a number, or a distribution
    """
    import numpy as np
    from pandas import DataFrame, Index

    count = window_count(seconds)
    edges = np.linspace(0.0, seconds, count + 1)
    window = np.clip(np.searchsorted(edges, records["due_s"], side="right") - 1, 0, count - 1)
    ran = records["arrived_s"].notna().to_numpy()
    cold = records["cold"].to_numpy(dtype=bool)
    status = records["status"].to_numpy()

    def counted(which: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(window[which], minlength=count)

    starts = records["arrived_s"].to_numpy()
    ends = starts + records[["queued_ms", "init_ms", "duration_ms"]].sum(axis=1).to_numpy() / 1e3
    lives = _lives(records[ran], ends[ran], over_s=over_s, alive=alive, keep_alive_s=keep_alive_s)
    cost = records["cost"].fillna(0.0).to_numpy()
    windows = DataFrame(
        {
            "arrivals": np.bincount(window, minlength=count),
            "warm": counted(ran & ~cold),
            "cold": counted(ran & cold),
            "throttled": counted(status == "throttled"),
            "errors": counted(ran & (status == "error")),
            "busy_warm": means(starts[ran & ~cold], ends[ran & ~cold], edges),
            "busy_cold": means(starts[ran & cold], ends[ran & cold], edges),
            "environments": means(lives["start"].to_numpy(), lives["end"].to_numpy(), edges),
            "cost": np.bincount(window, weights=cost, minlength=count),
        },
        index=Index(edges[:-1], name="start_s"),
    )
    answered = np.isin(status, ("ok", "error"))
    buckets = np.array([bucket(ms) for ms in records["latency_ms"][answered]], dtype=int)
    by_window: list[Counter[int]] = [Counter() for _ in range(count)]
    for at, its_bucket in zip(window[answered], buckets, strict=True):
        by_window[at][int(its_bucket)] += 1
    return Outcome(
        measured=True,
        seconds=seconds,
        windows=windows,
        latency=_counts(buckets),
        latency_by_window=by_window,
        duration=_counts(bucket(ms) for ms in records["duration_ms"][ran]),
        billed_ms=int(records["billed_ms"].sum()),
        cost=float(cost.sum()),
    )


def means(starts: NDArray[Any], ends: NDArray[Any], edges: NDArray[Any]) -> NDArray[Any]:
    """The mean number of intervals under way, between each two edges: exact integrals."""
    import numpy as np

    def begun_s(points: NDArray[Any]) -> NDArray[Any]:
        """Until each edge, the seconds that have passed since each of the points before it, together."""
        points = np.sort(points)
        before = np.searchsorted(points, edges)
        sums = np.concatenate(([0.0], np.cumsum(points)))
        passed: NDArray[Any] = before * edges - sums[before]
        return passed

    under_way = np.diff(begun_s(starts) - begun_s(ends)) / np.diff(edges)
    # A difference of large sums: nothing under way isn't minus 1e-16.
    result: NDArray[Any] = np.maximum(under_way, 0.0)
    return result


def _lives(records: DataFrame, ends: NDArray[Any], *, over_s: float, alive: set[str], keep_alive_s: Any) -> DataFrame:
    """Per environment: `start` and `end` of its existence, in seconds from the stream's start."""
    import numpy as np

    uses = records[["environment_id", "arrived_s", "cold"]].assign(end=ends).sort_values("arrived_s")
    lives = uses.groupby("environment_id").agg(start=("arrived_s", "first"), cold=("cold", "first"), end=("end", "max"))
    lives["start"] = lives["start"].where(lives["cold"].astype(bool), 0.0)
    if isinstance(keep_alive_s, int | float):
        expired = lives["end"] + keep_alive_s
        lives["end"] = lives["end"].where(expired > over_s, expired)
    lives["end"] = lives["end"].where(~lives.index.isin(list(alive)), np.inf).clip(upper=max(over_s, 0.0))
    return lives


def _counts(buckets: Iterable[Any]) -> Counter[int]:
    return Counter(int(each) for each in buckets)
