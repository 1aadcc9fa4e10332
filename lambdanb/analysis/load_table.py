"""The table that a load test and its loader share: when each request is due, and what came of it.

It is memory that both processes have mapped. So the loader needs nothing from the notebook once it runs, the notebook
reads progress without asking, and what was measured is still there when the loader is killed.

Layout (numbers are doubles of the machine's order; times are seconds from the stream's start):

    head            11 numbers, named below
    samples         SAMPLES rows of 3: the CPU shares of `machine_use.MachineUse`
    changed         a number per request: when those are due that take the place of what was planned
    due, sent, answered     a number per request; NaN: it wasn't
    status          a byte per request, of STATUSES
    request_id      36 bytes per request, zeros where there is none
    error           64 bytes per request: the error's type, in UTF-8
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from typing import Final

STATUSES: Final = ("lost", "ok", "error", "throttled", "refused")
"""By number: 0, no answer came; the function returned; it failed; throttled; refused by the service for another reason.
"""
LOST, OK, ERROR, THROTTLED, REFUSED = range(len(STATUSES))

START_MONOTONIC_S, START_WALL_S, SENT, ANSWERED, SAMPLED, ENDING, ENDED_S, STOPPED_S = range(8)
"""Numbers of the head: the stream's start by both clocks, counts of requests and samples, how it ended and when,
and when it was told to send no more."""
PLANNED, CHANGED_S, CHANGED = range(8, 11)
"""And: how many of the rows are due at all; from when on, and by how many, a change replaces what is due."""

RUNNING, DONE, INTERRUPTED, EXECUTOR_LOST, UNANSWERED = range(5)
"""How a load test ended: all answers are there; stopped by the notebook; the executor went away; no answer in time."""

SAMPLES: Final = 1024
SAMPLE_VALUES: Final = 3
REQUEST_ID_BYTES: Final = 36
ERROR_BYTES: Final = 64
_HEAD_BYTES: Final = 11 * 8
_COLUMNS_AT: Final = _HEAD_BYTES + SAMPLES * SAMPLE_VALUES * 8
_ROW_BYTES: Final = 4 * 8 + 1 + REQUEST_ID_BYTES + ERROR_BYTES


class LoadTable:
    """The table, in memory of `create_memory`."""

    def __init__(self, memory_fd: int, requests: int) -> None:
        self.requests = requests
        view = memoryview(mmap.mmap(memory_fd, table_bytes(requests)))
        self.head = view[:_HEAD_BYTES].cast("d")
        self.samples = view[_HEAD_BYTES:_COLUMNS_AT].cast("d")
        start = _COLUMNS_AT

        def column(width: int) -> memoryview:
            nonlocal start
            start += width * requests
            return view[start - width * requests : start]

        self.changed_s, self.due_s, self.sent_s, self.answered_s = (column(8).cast("d") for _ in range(4))
        self.status = column(1)
        self.request_id = column(REQUEST_ID_BYTES)
        self.error = column(ERROR_BYTES)

    def put_request_id(self, n: int, request_id: str) -> None:
        """Note under which id the executor ran request `n`."""
        _put(self.request_id, REQUEST_ID_BYTES, n, request_id)

    def put_error(self, n: int, error_type: str) -> None:
        """Note why request `n` failed."""
        _put(self.error, ERROR_BYTES, n, error_type)

    def take_change(self, sent: int) -> None:
        """Plan anew: what was due before the change stays, what is due from then on gives way to `changed_s`."""
        kept = bisect_left(self.due_s, self.head[CHANGED_S], sent, int(self.head[PLANNED]))
        count = min(int(self.head[CHANGED]), self.requests - kept)
        self.due_s[kept : kept + count] = self.changed_s[:count]
        self.head[PLANNED] = kept + count

    def put_sample(self, shares: tuple[float, ...]) -> None:
        """Note how busy the machine was since the last sample; when there is no more room, not."""
        at = int(self.head[SAMPLED])
        if at < SAMPLES:
            for place, share in enumerate(shares):
                self.samples[at * SAMPLE_VALUES + place] = share
            self.head[SAMPLED] = at + 1


def _put(column: memoryview, width: int, n: int, text: str) -> None:
    raw = text.encode()[:width]
    column[n * width : n * width + len(raw)] = raw


def table_bytes(requests: int) -> int:
    """The size of the table."""
    return _COLUMNS_AT + requests * _ROW_BYTES


def create_memory(size: int) -> int:
    """A descriptor of fresh, zeroed memory, which leaves nothing on disk."""
    memory_fd = os.memfd_create("lambdanb-load", os.MFD_CLOEXEC)
    os.ftruncate(memory_fd, size)
    return memory_fd
