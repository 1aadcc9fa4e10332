"""What writing a store's buffer to disk came to.

A full disk is no exception here: it is told, counted and survived.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flushed:
    """The outcome of one `flush`, in rows.

    `waiting` rows are still in memory: because of `error`, or (with no error) because a flush writes a bounded amount
    so that the executor's loop isn't held up, and wants to be called again soon. `dropped` counts the rows lost since
    the flush before, because the buffer was at its bound (a disk full for long) or a row couldn't be stored.
    """

    written: int = 0
    waiting: int = 0
    dropped: int = 0
    error: str | None = None
