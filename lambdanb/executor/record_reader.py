"""Reading records and metrics: plain dicts ready for JSON, in pages, so that no call holds up the executor's loop."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from lambdanb.executor.record_store import MINUTE_COLUMNS, MINUTE_MS, Minute
from lambdanb.model import histogram
from lambdanb.model.records import COLUMNS

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
_LONGEST_PERIOD_S = 86_400
_SCAN_MINUTES = 5_000
"""Rows of minutes that one call reads, at most by much: some 50 ms."""


def read_records(
    connection: sqlite3.Connection,
    *,
    function: str | None = None,
    version: str | None = None,
    request_id: str | None = None,
    since_ms: float | None = None,
    until_ms: float | None = None,
    after_id: int | None = None,
    limit: int = 10_000,
) -> list[dict[str, Any]]:
    """Records as dicts of `model.records.COLUMNS` and "id", a number that grows in the order of writing.

    Without `after_id`: the newest `limit` by arrival, oldest of them first. With it: the first `limit` that were
    written after that id, in the order of writing; the way to read everything in pages (start with 0) and to follow
    what comes without missing any. 10,000 take about 50 ms.

    `request_id` alone has no index: give `function` and `since_ms` with it.
    """
    # The + keeps SQLite from walking an index of arrivals where the ids are walked.
    by_id = "+" if after_id is not None else ""
    conditions: list[str] = []
    parameters: list[Any] = []
    for condition, value in (
        ("id > ?", after_id),
        (f"{by_id}function = ?", function),
        (f"{by_id}version = ?", version),
        (f"{by_id}request_id = ?", request_id),
        (f"{by_id}arrived_ms >= ?", since_ms),
        (f"{by_id}arrived_ms < ?", until_ms),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "id" if after_id is not None else "arrived_ms DESC, id DESC"
    cursor = connection.execute(
        f"SELECT id, {', '.join(COLUMNS)} FROM records {where} ORDER BY {order} LIMIT ?", [*parameters, limit]
    )
    names = ("id", *COLUMNS)
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in rows:
        row["cold"], row["provisioned"] = bool(row["cold"]), bool(row["provisioned"])
    if after_id is None:
        rows.reverse()
    return rows


def read_metrics(
    connection: sqlite3.Connection,
    *,
    function: str | None = None,
    version: str | None = None,
    since_ms: float = 0,
    until_ms: float | None = None,
    period_s: int = 60,
    percentiles: Sequence[float] = PERCENTILES,
    limit: int = 1_440,
) -> list[dict[str, Any]]:
    """What happened per period and function, oldest first: sums, maxima, and percentiles within 1 %.

    A row has "start_ms", "function", "invocations", "errors", "throttles", "cold_starts", the sums "duration_ms",
    "billed_ms", "queued_ms", "init_ms" (of the cold starts), "cpu_ms" and "cost", "max_duration_ms", "max_memory_mb",
    "mean_duration_ms" and "p50_ms", ... (None where nothing ran) and "histogram": [[bucket, count], ...], of which rows
    can be merged further. Periods without an invocation have no row.

    `period_s` is a whole number of minutes, to a day; periods begin at multiples of it since 1970, and a `since_ms`
    inside of one begins with that one's later part. A call ends after `limit` rows or some 50 ms, always with a whole
    period: for the next page, pass the last row's start_ms + period_s * 1000 as `since_ms`, until a page is empty.

    Raises ValueError for another period.
    """
    if period_s % 60 or not 60 <= period_s <= _LONGEST_PERIOD_S:
        raise ValueError(f"period_s is {period_s}: give a multiple of 60, at most {_LONGEST_PERIOD_S} (a day)")
    conditions = ["minute_ms >= ?"]
    parameters: list[Any] = [since_ms // MINUTE_MS * MINUTE_MS]
    for condition, value in (("minute_ms < ?", until_ms), ("function = ?", function), ("version = ?", version)):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    cursor = connection.execute(
        f"SELECT minute_ms, function, {', '.join(MINUTE_COLUMNS)} FROM minutes WHERE {' AND '.join(conditions)} "
        "ORDER BY minute_ms",
        parameters,
    )
    rows: list[dict[str, Any]] = []
    period: dict[str, Minute] = {}
    start_ms = None
    for scanned, row in enumerate(cursor):
        its_start_ms = row[0] // (period_s * 1000) * (period_s * 1000)
        if its_start_ms != start_ms:
            rows += [_metrics_row(start_ms, name, minute, percentiles) for name, minute in sorted(period.items())]
            period.clear()
            if len(rows) >= limit or scanned >= _SCAN_MINUTES:
                break
            start_ms = its_start_ms
        period.setdefault(row[1], Minute()).merge(row[2:])
    cursor.close()
    return rows + [_metrics_row(start_ms, name, minute, percentiles) for name, minute in sorted(period.items())]


def _metrics_row(start_ms: int | None, function: str, minute: Minute, percentiles: Sequence[float]) -> dict[str, Any]:
    row: dict[str, Any] = {"start_ms": start_ms, "function": function}
    row.update(zip(MINUTE_COLUMNS[:-1], minute.values(), strict=False))
    row["mean_duration_ms"] = minute.duration_ms / minute.invocations if minute.invocations else None
    for percent in percentiles:
        value = histogram.percentile_ms(minute.counts, percent)
        # The longest is known exactly: no percentile lies beyond it.
        row[f"p{percent:g}_ms"] = None if value is None else min(value, minute.max_duration_ms)
    row["histogram"] = [list(pair) for pair in sorted(minute.counts.items())]
    return row
