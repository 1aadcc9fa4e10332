"""Which of the waiting records make the next batch, and when: plain data, with the time handed in.

A batch is handed over when it is full, when it has waited for the batching window, or when one record more would take
it over the 6 MB of an invocation's payload. It never holds records of two tumbling windows.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from lambdanb.model.mapping_limits import BATCH_BYTES

ENVELOPE_BYTES = 1024
"""Of an event, around its records."""


class Waiting(Protocol):
    """What a batch is made of."""

    @property
    def body(self) -> bytes:
        """Its JSON in the event."""

    @property
    def arrived_s(self) -> float:
        """When it came to the source, in seconds since 1970."""

    @property
    def read_s(self) -> float:
        """When it was read from there, on the clock that `cut` is asked by."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How many of the first waiting records are the next batch. 0: none yet; look again at `wake_s`, or when a record
    comes where that is None."""

    count: int
    wake_s: float | None = None


def cut(
    waiting: Iterable[Waiting],
    *,
    now_s: float,
    batch_size: int,
    batching_window_s: float = 0.0,
    tumbling_window_s: int = 0,
    taken_bytes: int = 0,
) -> Cut:
    """The next batch of records that wait in this order. taken_bytes: of the payload, by a tumbling window's state."""
    room = BATCH_BYTES - ENVELOPE_BYTES - taken_bytes
    count, first = 0, None
    for record in waiting:
        if first is None:
            first = record
        elif window_start(record.arrived_s, tumbling_window_s) != window_start(first.arrived_s, tumbling_window_s):
            return Cut(count)
        room -= len(record.body) + 1
        if room < 0 and count:
            return Cut(count)
        count += 1
        if count == batch_size:
            return Cut(count)
    if first is None:
        return Cut(0)
    due_s = first.read_s + batching_window_s
    return Cut(count) if now_s >= due_s else Cut(0, due_s)


def window_start(arrived_s: float, tumbling_window_s: int) -> int:
    """When the tumbling window began that a record is of: by its arrival. 0 where there are no windows."""
    return int(arrived_s // tumbling_window_s) * tumbling_window_s if tumbling_window_s else 0
