"""Opening SQLite the way that all of the executor's stores use it.

Write-ahead log with synchronous=NORMAL: what is committed survives the death of any process (`kill -9` included), at
20 to 30 us a commit. A power cut may cost the last commits, but leaves the database sound. One process writes (the
executor), any may read at the same time.

The schema's version stands in `PRAGMA user_version`. A database of another version is refused, never guessed at.

https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

_WAIT_FOR_LOCK_S = 2.0
"""At opening, when an executor that is ending may still hold the file."""
_WAIT_FOR_LOCK_LATER_MS = 250
"""Afterwards only a stranger can hold it; the executor's loop must not stand still for one."""
_WAL_LARGEST_BYTES = 16 * 1024 * 1024
_CACHE_KB = 512
"""SQLite's own default, 2,000 a connection, fills as the database grows and buys these stores nothing: they append."""


_TO_DO = {
    sqlite3.SQLITE_FULL: "Make room on its disk, and try again.",
    sqlite3.SQLITE_BUSY: "Another program holds the file: end that, and try again.",
    sqlite3.SQLITE_IOERR: "Its disk is full, or fails: the kernel's log may tell more.",
    sqlite3.SQLITE_CORRUPT: "Move the file away and it is made anew, empty.",
    sqlite3.SQLITE_NOTADB: "Move the file away and it is made anew, empty.",
}
"""By SQLite's primary result code."""


class StoreUnusable(Exception):
    """A database that can't be opened or written: the message says which, why, and what to do."""


def open_database(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open for writing, and make the tables where there are none.

    The connection commits by itself; several statements go together in `transaction`. Raises StoreUnusable when the
    file is damaged, is no database, can't be written, or was written by another version of lambdanb.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_FOR_LOCK_S, isolation_level=None)
        found = _version(connection)
        if found == 0:
            # Has to come before the first table: pages freed by pruning can then be given back to the disk.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _prepare(connection)
        if found == 0:
            with transaction(connection):
                for statement in schema.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={version}")
        elif found != version:
            raise StoreUnusable(_other_version(path, found, version))
        connection.execute(f"PRAGMA busy_timeout={_WAIT_FOR_LOCK_LATER_MS}")
        path.chmod(0o600)
        return connection
    except (sqlite3.Error, OSError, StoreUnusable) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreUnusable):
            raise
        raise StoreUnusable(
            f"{path} can't be opened: {error}. See that its folder can be written and its disk isn't full; "
            "if the file is damaged, move it away and it is made anew, empty."
        ) from error


def open_reader(path: Path, version: int) -> sqlite3.Connection:
    """Open for reading only, beside the process that writes. Raises StoreUnusable."""
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_WAIT_FOR_LOCK_S, isolation_level=None
        )
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
        found = _version(connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise StoreUnusable(f"{path} can't be read: {error}") from error
    if found != version:
        connection.close()
        raise StoreUnusable(_other_version(path, found, version))
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. An error of SQLite passes through, and nothing of the block was written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def writing(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """A transaction. A file that can't be written comes out as StoreUnusable, which names it and says what to do.

    A statement that is wrong in itself, or that breaks a rule of the schema, is a defect of ours: its error passes
    through.
    """
    try:
        with transaction(connection):
            yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError):
        raise
    except sqlite3.Error as error:
        to_do = _TO_DO.get(
            getattr(error, "sqlite_errorcode", 0) & 0xFF, "See that the file and its folder can be written."
        )
        raise StoreUnusable(f"{path} can't be written: {error}. Nothing was changed. {to_do}") from error


def give_back_pages(connection: sqlite3.Connection, pages: int = 256) -> None:
    """Return up to this many free pages (4 KB each) to the disk: bounded, so that the caller isn't held up."""
    # The statement frees one page a step and gives no rows: `execute` would step it once, a script goes to its end.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_LARGEST_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KB}")


def _other_version(path: Path, found: int, wanted: int) -> str:
    return (
        f"{path} was written by another version of lambdanb (its schema is {found}, this one's is {wanted}). Use that "
        "version, or move the file away and it is made anew, empty."
    )
