"""Checkpoints of streams on disk: how far each shard was dealt with, and the state of each tumbling window.

In the home, `checkpoints.db`, written by the sources process alone. What a batch moves is one transaction, so that a
window's state and the checkpoint are never apart: after any process's death a mapping goes on from there, and what was
under way is handed over again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lambdanb.model.database import open_database, writing

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE shards (
    mapping TEXT NOT NULL,
    shard TEXT NOT NULL,
    start TEXT NOT NULL, -- TRIM_HORIZON or AT_TIMESTAMP: where reading begins while there is no position
    start_s REAL NOT NULL, -- the time of AT_TIMESTAMP
    position TEXT, -- the sequence number up to which everything is dealt with
    lane_ends TEXT NOT NULL,
    ended INTEGER NOT NULL,
    PRIMARY KEY (mapping, shard)
) WITHOUT ROWID;
CREATE TABLE windows (
    mapping TEXT NOT NULL,
    shard TEXT NOT NULL,
    lane INTEGER NOT NULL,
    start_s INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (mapping, shard, lane)
)
"""


@dataclass(slots=True)
class Window:
    """A tumbling window that is open: when it began, and the state that the function gave, as JSON."""

    start_s: int
    state: bytes


@dataclass(slots=True)
class Checkpoint:
    """How far one shard was dealt with. `lane_ends`: the last number of each lane, as it were."""

    shard: str
    start: str
    start_s: float = 0.0
    position: str | None = None
    lane_ends: list[int] = field(default_factory=list)
    ended: bool = False
    windows: dict[int, Window] = field(default_factory=dict)
    """By lane."""


class Checkpoints:
    """All of a home. Methods that write raise StoreUnusable when the disk won't take it, and have changed nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_database(path, _SCHEMA, SCHEMA_VERSION)

    def close(self) -> None:
        self._connection.close()

    def of(self, mapping: str) -> dict[str, Checkpoint]:
        """The checkpoints of a mapping, by shard."""
        rows = self._connection.execute(
            "SELECT shard, start, start_s, position, lane_ends, ended FROM shards WHERE mapping = ?", [mapping]
        )
        found = {
            row[0]: Checkpoint(row[0], row[1], row[2], row[3], json.loads(row[4]), bool(row[5]))
            for row in rows.fetchall()
        }
        windows = "SELECT shard, lane, start_s, state FROM windows WHERE mapping = ?"
        for shard, lane, start_s, state in self._connection.execute(windows, [mapping]):
            if shard in found:
                found[shard].windows[lane] = Window(start_s, state)
        return found

    def begin(self, mapping: str, checkpoints: Iterable[Checkpoint]) -> None:
        """Shards that are known from now on."""
        with writing(self._connection, self._path):
            self._connection.executemany(
                "INSERT OR IGNORE INTO shards VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        mapping,
                        each.shard,
                        each.start,
                        each.start_s,
                        each.position,
                        json.dumps(each.lane_ends),
                        each.ended,
                    )
                    for each in checkpoints
                ],
            )

    def move(
        self,
        mapping: str,
        shard: str,
        position: str | None,
        lane_ends: Collection[int],
        windows: Mapping[int, Window | None] | None = None,
    ) -> None:
        """Everything up to there is dealt with, and the windows of these lanes are such now; None: closed."""
        with writing(self._connection, self._path):
            self._connection.execute(
                "UPDATE shards SET position = ?, lane_ends = ? WHERE mapping = ? AND shard = ?",
                [position, json.dumps(list(lane_ends)), mapping, shard],
            )
            for lane, window in (windows or {}).items():
                if window is None:
                    self._connection.execute(
                        "DELETE FROM windows WHERE mapping = ? AND shard = ? AND lane = ?", [mapping, shard, lane]
                    )
                else:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)",
                        [mapping, shard, lane, window.start_s, window.state],
                    )

    def end(self, mapping: str, shard: str) -> None:
        """The shard was read to its end, and all of it is dealt with."""
        with writing(self._connection, self._path):
            self._connection.execute("UPDATE shards SET ended = 1 WHERE mapping = ? AND shard = ?", [mapping, shard])
            self._connection.execute("DELETE FROM windows WHERE mapping = ? AND shard = ?", [mapping, shard])

    def forget(self, mapping: str, shards: Collection[str] | None = None) -> None:
        """These shards, which the stream lists no more; or, with None, the mapping altogether."""
        with writing(self._connection, self._path):
            for table in ("shards", "windows"):
                if shards is None:
                    self._connection.execute(f"DELETE FROM {table} WHERE mapping = ?", [mapping])
                else:
                    self._connection.executemany(
                        f"DELETE FROM {table} WHERE mapping = ? AND shard = ?", [(mapping, shard) for shard in shards]
                    )

    def keep_only(self, mappings: Collection[str]) -> None:
        """Forget the mappings that are there no more."""
        kept = {row[0] for row in self._connection.execute("SELECT DISTINCT mapping FROM shards")}
        for mapping in kept - set(mappings):
            self.forget(mapping)
