"""Records of invocations in SQLite: one row each, and a row a minute per function and version that sums them up.

`add` only remembers; `flush`, called by the executor's loop every 100 ms, writes rows and minutes in one transaction,
so that they never disagree. Both are kept 30 days by default. Reading is in `record_reader`.

Measured elsewhere for 10 million rows: 0.7 GB; the percentiles of a day by minute from the minutes' histograms in
24 ms, where the rows themselves would take seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdanb.executor.flushed import Flushed
from lambdanb.model.database import give_back_pages, open_database, transaction
from lambdanb.model.histogram import add_blob, bucket, to_blob
from lambdanb.model.records import COLUMNS, Record

MINUTE_MS = 60_000
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    environment_id TEXT,
    arrived_ms REAL NOT NULL,
    queued_ms REAL NOT NULL,
    init_ms REAL,
    duration_ms REAL NOT NULL,
    billed_ms INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    max_memory_mb INTEGER NOT NULL,
    cpu_ms REAL NOT NULL,
    cold INTEGER NOT NULL,
    status TEXT NOT NULL,
    error_type TEXT,
    trigger TEXT NOT NULL,
    cost REAL NOT NULL,
    provisioned INTEGER NOT NULL DEFAULT 0,
    batch_size INTEGER,
    iterator_age_ms REAL
);
CREATE INDEX records_arrived ON records (arrived_ms);
CREATE INDEX records_function_arrived ON records (function, arrived_ms);
CREATE TABLE minutes (
    minute_ms INTEGER NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    invocations INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    throttles INTEGER NOT NULL,
    cold_starts INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    billed_ms INTEGER NOT NULL,
    queued_ms REAL NOT NULL,
    init_ms REAL NOT NULL,
    cpu_ms REAL NOT NULL,
    cost REAL NOT NULL,
    max_duration_ms REAL NOT NULL,
    max_memory_mb INTEGER NOT NULL,
    histogram BLOB NOT NULL
);
CREATE UNIQUE INDEX minutes_function ON minutes (function, minute_ms, version);
CREATE INDEX minutes_minute ON minutes (minute_ms)
"""
_LATER_COLUMNS = {
    "provisioned": "INTEGER NOT NULL DEFAULT 0",
    "batch_size": "INTEGER",
    "iterator_age_ms": "REAL",
}
"""Added to the table of a home that was made before there were any: older rows have none, older versions write none."""
# Python's sqlite3 takes 20 times longer to bind None or a bool than a float, int or str: they are bound as these, and
# SQLite turns them back.
_NONE_MS = -1.0
_BOUND = {
    "init_ms": f"nullif(?, {_NONE_MS})",
    "error_type": "nullif(?, '')",
    "batch_size": "nullif(?, -1)",
    "iterator_age_ms": f"nullif(?, {_NONE_MS})",
}
_INSERT = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({', '.join(_BOUND.get(name, '?') for name in COLUMNS)})"
_COLD, _INIT_MS, _ERROR_TYPE, _PROVISIONED, _BATCH_SIZE, _AGE_MS = (
    COLUMNS.index(name) for name in ("cold", "init_ms", "error_type", "provisioned", "batch_size", "iterator_age_ms")
)


@dataclass(slots=True)
class Minute:
    """The sums of a function's version in a minute (or in several: they add up), by the time of arrival.

    As CloudWatch counts: a throttled request is no invocation, and has no duration. `init_ms` is of the cold starts.
    """

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    duration_ms: float = 0.0
    billed_ms: int = 0
    queued_ms: float = 0.0
    init_ms: float = 0.0
    cpu_ms: float = 0.0
    cost: float = 0.0
    max_duration_ms: float = 0.0
    max_memory_mb: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, records: Iterable[Record]) -> None:
        counts = self.counts
        invocations = errors = cold_starts = billed_ms = 0
        duration_ms = queued_ms = init_ms = cpu_ms = cost = 0.0
        for record in records:
            if record.status == "throttled":
                self.throttles += 1
                continue
            invocations += 1
            its_duration_ms = record.duration_ms
            duration_ms += its_duration_ms
            billed_ms += record.billed_ms
            queued_ms += record.queued_ms
            cpu_ms += record.cpu_ms
            cost += record.cost
            if record.status != "ok":
                errors += 1
            if record.cold:
                cold_starts += 1
                init_ms += record.init_ms or 0.0
            if its_duration_ms > self.max_duration_ms:
                self.max_duration_ms = its_duration_ms
            if record.max_memory_mb > self.max_memory_mb:
                self.max_memory_mb = record.max_memory_mb
            its_bucket = bucket(its_duration_ms)
            counts[its_bucket] = counts.get(its_bucket, 0) + 1
        self.invocations += invocations
        self.errors += errors
        self.cold_starts += cold_starts
        self.duration_ms += duration_ms
        self.billed_ms += billed_ms
        self.queued_ms += queued_ms
        self.init_ms += init_ms
        self.cpu_ms += cpu_ms
        self.cost += cost

    def merge(self, row: tuple[int | float | bytes, ...]) -> None:
        """Add a stored minute: a row of MINUTE_COLUMNS."""
        for name, value in zip(_SUMS, row, strict=False):
            setattr(self, name, getattr(self, name) + value)
        for name, value in zip(_MAXIMA, row[len(_SUMS) : -1], strict=True):
            setattr(self, name, max(getattr(self, name), value))
        blob = row[-1]
        assert isinstance(blob, bytes)
        add_blob(self.counts, blob)

    def values(self) -> tuple[int | float | bytes, ...]:
        """As a row of MINUTE_COLUMNS."""
        return (*(getattr(self, name) for name in (*_SUMS, *_MAXIMA)), to_blob(self.counts))


_SUMS = (
    "invocations",
    "errors",
    "throttles",
    "cold_starts",
    "duration_ms",
    "billed_ms",
    "queued_ms",
    "init_ms",
    "cpu_ms",
    "cost",
)
_MAXIMA = ("max_duration_ms", "max_memory_mb")
MINUTE_COLUMNS = (*_SUMS, *_MAXIMA, "histogram")
_SELECT_MINUTE = f"SELECT {', '.join(MINUTE_COLUMNS)} FROM minutes WHERE function = ? AND minute_ms = ? AND version = ?"
_REPLACE_MINUTE = (
    f"INSERT OR REPLACE INTO minutes (function, minute_ms, version, {', '.join(MINUTE_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (3 + len(MINUTE_COLUMNS)))})"
)
# A row's own fault, where every other error of SQLite is the disk's.
_UNFIT = (
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.IntegrityError,
    ArithmeticError,
    AttributeError,
    TypeError,
    ValueError,
)


class RecordStore:
    """The writer; one per file. `buffer_rows` bounds what waits in memory while the disk takes nothing.

    `connection` serves the readers of `record_reader` in the same process; call `flush` before, for what is new.
    """

    def __init__(self, path: Path, *, buffer_rows: int = 100_000) -> None:
        self._path = path
        self._buffer_rows = buffer_rows
        self._rows: list[Record] = []
        self._dropped = 0
        self.connection = open_database(path, _SCHEMA, SCHEMA_VERSION)
        there = {row[1] for row in self.connection.execute("PRAGMA table_info(records)")}
        for name, kind in _LATER_COLUMNS.items():
            if name not in there:
                self.connection.execute(f"ALTER TABLE records ADD COLUMN {name} {kind}")

    def close(self) -> None:
        """Close without writing what waits: flush before."""
        self.connection.close()

    @property
    def waiting(self) -> int:
        """How many records aren't written yet."""
        return len(self._rows)

    def add(self, record: Record) -> None:
        """Remember a record. Costs a fraction of a microsecond, and never raises."""
        if len(self._rows) < self._buffer_rows:
            self._rows.append(record)
        else:
            self._dropped += 1

    def flush(self, budget_rows: int = 5_000) -> Flushed:
        """Write what waits, oldest first, up to `budget_rows` (some 15 ms). Never raises for the disk.

        Call it again soon while `waiting` isn't 0; at the end, call until it is 0 or there is an error.
        """
        rows = self._rows[:budget_rows]
        error: str | None = None
        written = 0
        try:
            self._write(rows)
            written = len(rows)
        except _UNFIT as problem:
            written, error = self._write_singly(rows, problem)
        except sqlite3.Error as problem:
            error = f"{self._path} can't be written: {problem}"
            rows = []
        del self._rows[: len(rows)]
        dropped, self._dropped = self._dropped + len(rows) - written, 0
        return Flushed(written, len(self._rows), dropped, error)

    def prune(self, now_ms: int, *, days: float = 30, budget_rows: int = 10_000) -> int:
        """Delete what is older, at most `budget_rows` of it (some 30 ms), and give free pages back to the disk.

        Returns how many rows went: while it is `budget_rows` there may be more, so call again soon. A disk that
        can't be written deletes nothing, which `flush` tells.
        """
        oldest_kept_ms = now_ms - days * 86_400_000
        removed = 0
        try:
            with transaction(self.connection):
                for table, column in (("records", "arrived_ms"), ("minutes", "minute_ms")):
                    removed += self.connection.execute(
                        f"DELETE FROM {table} WHERE rowid IN "
                        f"(SELECT rowid FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?)",
                        (oldest_kept_ms, budget_rows - removed),
                    ).rowcount
            give_back_pages(self.connection)
        except sqlite3.Error:
            return 0
        return removed

    def _write(self, rows: list[Record]) -> None:
        if not rows:
            return
        by_minute: dict[tuple[str, int, str], list[Record]] = {}
        bound: list[list[Any]] = []
        for record in rows:
            key = (record.function, int(record.arrived_ms) // MINUTE_MS * MINUTE_MS, record.version)
            by_minute.setdefault(key, []).append(record)
            values = list(record.values())
            values[_COLD] = 1 if record.cold else 0
            values[_PROVISIONED] = 1 if record.provisioned else 0
            values[_INIT_MS] = _NONE_MS if record.init_ms is None else record.init_ms
            values[_ERROR_TYPE] = record.error_type or ""
            values[_BATCH_SIZE] = -1 if record.batch_size is None else record.batch_size
            values[_AGE_MS] = _NONE_MS if record.iterator_age_ms is None else record.iterator_age_ms
            bound.append(values)
        with transaction(self.connection):
            self.connection.executemany(_INSERT, bound)
            for key, records in by_minute.items():
                minute = Minute()
                minute.add(records)
                stored = self.connection.execute(_SELECT_MINUTE, key).fetchone()
                if stored is not None:
                    minute.merge(stored)
                self.connection.execute(_REPLACE_MINUTE, (*key, *minute.values()))

    def _write_singly(self, rows: list[Record], problem: Exception) -> tuple[int, str]:
        """Write the rows but those that can't be: one bad row must not hold up all that come after it."""
        written = 0
        for record in rows:
            try:
                self._write([record])
                written += 1
            except (sqlite3.Error, *_UNFIT) as its_problem:
                problem = its_problem
        return written, f"{len(rows) - written} records can't be kept in {self._path}: {problem!r}"
