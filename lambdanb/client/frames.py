"""Records and metrics as DataFrames, read from the executor in pages."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambdanb.client.connection import Executor
from lambdanb.client.counts import check_count
from lambdanb.model.numbers import is_number
from lambdanb.model.records import COLUMNS

if TYPE_CHECKING:
    from pandas import DataFrame

_PAGE = 10_000


def records_frame(executor: Executor, name: str | None, since: Any, limit: int) -> DataFrame:
    """The last `limit` records of a function (of all, for None), oldest first, with the arrival as a UTC timestamp."""
    from pandas import DataFrame, to_datetime

    check_count("limit", limit)
    since_ms = milliseconds(since)
    rows: list[dict[str, Any]] = []
    if limit <= _PAGE:
        rows = executor.ask("records", name=name, since_ms=since_ms, limit=limit)["records"]
    else:
        after_id = 0
        while page := executor.ask("records", name=name, since_ms=since_ms, after_id=after_id, limit=_PAGE)["records"]:
            rows = (rows + page)[-limit:]
            after_id = page[-1]["id"]
    frame = DataFrame(rows, columns=list(COLUMNS))
    frame.insert(0, "arrived", to_datetime(frame["arrived_ms"], unit="ms", utc=True))
    return frame


def metrics_frame(executor: Executor, name: str | None, since: Any) -> DataFrame:
    """One row per minute with an invocation, indexed by the minute's start, oldest first."""
    from pandas import DataFrame, to_datetime

    since_ms = milliseconds(since) or 0.0
    rows: list[dict[str, Any]] = []
    while page := executor.ask("metrics", name=name, since_ms=since_ms)["metrics"]:
        rows += page
        since_ms = page[-1]["start_ms"] + 60_000
    frame = DataFrame(rows)
    if rows:
        frame = frame.drop(columns="histogram")
        frame.insert(0, "start", to_datetime(frame.pop("start_ms"), unit="ms", utc=True))
        frame = frame.set_index("start")
    return frame


def milliseconds(since: Any) -> float | None:
    """A time since 1970 in ms: from a datetime, a timedelta back from now, or seconds back from now; None: no limit.

    Raises ValueError for anything else.
    """
    if since is None:
        return None
    if isinstance(since, datetime):
        return since.timestamp() * 1000
    if isinstance(since, timedelta):
        since = since.total_seconds()
    if not is_number(since) or not 0 <= since < math.inf:
        raise ValueError(
            f"since is {since!r:.80}: it must be a datetime, or a time back from now: a timedelta or seconds from 0"
        )
    return (time.time() - float(since)) * 1000
