"""The queue of event (asynchronous) invocations, on disk: acknowledged means that it will run.

`enqueue` returns when the events are committed, so that the acknowledgement can be sent. An event is *queued* until
`claim` hands it out, then *in flight* until `done` deletes it or `reschedule` puts it back for a retry. After the
death of an executor, `recover` makes what was in flight due again: an event runs at least once, and may run twice, as
on AWS.

When to retry and when to give up is the caller's business (AWS: two retries of a function error after 1 and 2 minutes;
throttles back off for up to 6 hours); the queue keeps what it needs to know for that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lambdanb.model.database import StoreUnusable, give_back_pages, open_database, writing

SCHEMA_VERSION = 1
# Payloads (up to 1 MB) stand apart: a change of an event's state would write its whole row again.
_SCHEMA = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT,
    trigger TEXT NOT NULL,
    client_context TEXT,
    enqueued_ms INTEGER NOT NULL,
    maximum_age_s INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    throttles INTEGER NOT NULL DEFAULT 0,
    recoveries INTEGER NOT NULL DEFAULT 0,
    executor TEXT
);
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE,
    payload BLOB NOT NULL
);
CREATE INDEX events_due ON events (due_ms) WHERE executor IS NULL;
CREATE INDEX events_function_due ON events (function, due_ms) WHERE executor IS NULL;
CREATE INDEX events_in_flight ON events (function) WHERE executor IS NOT NULL
"""
_COLUMNS = (
    "id, request_id, function, qualifier, payload, trigger, client_context, enqueued_ms, maximum_age_s, due_ms, "
    "attempts, throttles, recoveries"
)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be queued. `qualifier` is a version, an alias or None ($LATEST), and is resolved at each attempt."""

    request_id: str
    function: str
    qualifier: str | None
    payload: bytes
    enqueued_ms: int
    maximum_age_s: int
    trigger: str = ""
    client_context: str | None = None
    due_ms: int | None = None
    """When to run it first; None: at once."""


@dataclass(frozen=True, slots=True)
class Event:
    """A queued event as `claim` hands it out.

    `attempts` counts the runs that ended in a function error, `throttles` the times that it found no room since, both
    as the caller gave them to `reschedule`; `recoveries` the executors that died while it was in flight (an event that
    kills its executor is known by it).
    """

    id: int
    request_id: str
    function: str
    qualifier: str | None
    payload: bytes
    trigger: str
    client_context: str | None
    enqueued_ms: int
    maximum_age_s: int
    due_ms: int
    attempts: int
    throttles: int
    recoveries: int

    @property
    def expires_ms(self) -> int:
        """When its maximum age is reached: it isn't tried again after this."""
        return self.enqueued_ms + self.maximum_age_s * 1000


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits: events queued (due or not), in flight, and when the oldest of both was first queued."""

    queued: int = 0
    in_flight: int = 0
    oldest_ms: int | None = None


class EventQueue:
    """The durable queue. `executor_id` marks the events in flight as this executor's.

    Every method is one transaction; those that write raise StoreUnusable when the disk won't take it (a full one), and
    have then changed nothing.
    """

    def __init__(self, path: Path, executor_id: str) -> None:
        self._path = path
        self._executor_id = executor_id
        self._connection = open_database(path, _SCHEMA, SCHEMA_VERSION)
        self._next_id: int = self._connection.execute("SELECT ifnull(max(id), 0) + 1 FROM events").fetchone()[0]

    def close(self) -> None:
        self._connection.close()

    def recover(self) -> int:
        """Make due again what was in flight when an earlier executor ended. Call once, before the first claim.

        Returns how many. Only one executor serves a home, so every mark that isn't ours is a dead one's.
        """
        return self._write(
            "UPDATE events SET executor = NULL, recoveries = recoveries + 1 "
            "WHERE executor IS NOT NULL AND executor != ?",
            [(self._executor_id,)],
        )

    def enqueue(self, events: Iterable[NewEvent]) -> None:
        """Commit all of them, or none: when this returns they outlive the executor."""
        rows: list[tuple[object, ...]] = []
        payloads: list[tuple[int, bytes]] = []
        for event_id, event in enumerate(events, self._next_id):
            due_ms = event.enqueued_ms if event.due_ms is None else event.due_ms
            rows.append(
                (
                    event_id,
                    event.request_id,
                    event.function,
                    event.qualifier,
                    event.trigger,
                    event.client_context,
                    event.enqueued_ms,
                    event.maximum_age_s,
                    due_ms,
                )
            )
            payloads.append((event_id, event.payload))
        with writing(self._connection, self._path):
            self._connection.executemany(
                "INSERT INTO events (id, request_id, function, qualifier, trigger, client_context, enqueued_ms, "
                "maximum_age_s, due_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._connection.executemany("INSERT INTO payloads VALUES (?, ?)", payloads)
        self._next_id += len(rows)

    def claim(
        self, now_ms: int, limit: int, *, function: str | None = None, payload_bytes: int = 16 * 1024 * 1024
    ) -> list[Event]:
        """Mark events that are due as in flight and return them, longest due first.

        At most `limit` of them, and of payloads `payload_bytes` in all (at least one event), so that a claim can't
        fill the memory. `function` takes those of one function alone: the caller's way to stop one function's flood
        from holding up the others (`due_functions` tells which have any).
        """
        where = "executor IS NULL AND due_ms <= ?" + ("" if function is None else " AND function = ?")
        parameters: list[object] = [now_ms] if function is None else [now_ms, function]
        events: list[Event] = []
        with writing(self._connection, self._path):
            room = payload_bytes
            cursor = self._connection.execute(
                f"SELECT {_COLUMNS} FROM events JOIN payloads USING (id) WHERE {where} ORDER BY due_ms, id LIMIT ?",
                [*parameters, limit],
            )
            for row in cursor:
                event = Event(*row)
                room -= len(event.payload)
                if room < 0 and events:
                    break
                events.append(event)
            cursor.close()
            self._connection.executemany(
                "UPDATE events SET executor = ? WHERE id = ?", [(self._executor_id, event.id) for event in events]
            )
        return events

    def due_functions(self, now_ms: int) -> dict[str, int]:
        """The functions that have events due, with how many each."""
        return dict(
            self._connection.execute(
                "SELECT function, count(*) FROM events WHERE executor IS NULL AND due_ms <= ? GROUP BY function",
                [now_ms],
            )
        )

    def next_due_ms(self) -> int | None:
        """When the next queued event comes (or came) due; None when none is queued."""
        row = self._connection.execute("SELECT min(due_ms) FROM events WHERE executor IS NULL").fetchone()
        due_ms: int | None = row[0]
        return due_ms

    def reschedule(self, event_id: int, due_ms: int, *, attempts: int, throttles: int = 0) -> bool:
        """Put an event that is in flight back, to run at `due_ms`. False when there is no such event (any more)."""
        return bool(
            self._write(
                "UPDATE events SET executor = NULL, due_ms = ?, attempts = ?, throttles = ? WHERE id = ?",
                [(due_ms, attempts, throttles, event_id)],
            )
        )

    def done(self, event_ids: Iterable[int]) -> int:
        """Delete events that need no further attempt, however they ended. Returns how many there were."""
        return self._write("DELETE FROM events WHERE id = ?", [(event_id,) for event_id in event_ids])

    def delete_function(self, function: str) -> int:
        """Forget a deleted function's queued events; those in flight end by themselves. Returns how many."""
        return self._write("DELETE FROM events WHERE function = ? AND executor IS NULL", [(function,)])

    def depths(self) -> dict[str, Depth]:
        """By function, for those that have any event: one pass over the events, without their payloads."""
        rows = self._connection.execute(
            "SELECT function, sum(executor IS NULL), sum(executor IS NOT NULL), min(enqueued_ms) "
            "FROM events GROUP BY function"
        )
        return {function: Depth(queued, in_flight, oldest) for function, queued, in_flight, oldest in rows}

    def shrink(self) -> None:
        """Give some of the space of finished events back to the disk: bounded, to be called now and then."""
        try:
            give_back_pages(self._connection)
        except sqlite3.Error as error:
            raise StoreUnusable(f"{self._path} can't be written: {error}") from error

    def _write(self, statement: str, rows: list[tuple[object, ...]]) -> int:
        with writing(self._connection, self._path):
            return self._connection.executemany(statement, rows).rowcount if rows else 0
