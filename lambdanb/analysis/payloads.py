"""The events of a load test as JSON, made before it starts and kept in memory that the loader maps.

Layout: the number of payloads, where each ends (both 64 bits), then the payloads. Request `n` gets payload
`n % count`.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lambdanb.client.function import encode_event

if TYPE_CHECKING:
    from pandas import DataFrame


def payloads_of(event: Any, requests: int) -> list[bytes]:
    """The payloads of so many requests.

    event   a callable: what it returns for the request's number, from 0; a DataFrame: a row each, as {column: value}
            with NaN as null and times in ISO 8601, from the first row again when there are fewer rows than requests;
            anything else is the event, the same for all

    Raises TypeError when an event isn't JSON, ValueError for a DataFrame without rows.
    """
    if callable(event):
        return [_payload(event, n) for n in range(requests)]
    if _is_frame(event):
        return _rows(event)
    return [encode_event(event)]


def _payload(make: Callable[[int], Any], n: int) -> bytes:
    try:
        event = make(n)
    except Exception as error:
        error.add_note(f"This came of event({n}), which was to give the event of request {n}.")
        raise
    try:
        return encode_event(event)
    except TypeError as error:
        raise TypeError(f"event({n}) gave {event!r:.80}. {error}") from error


def _is_frame(event: Any) -> bool:
    # By its name: pandas isn't loaded to find that an event is a dict.
    return any(f"{cls.__module__}.{cls.__name__}" in _FRAMES for cls in type(event).__mro__)


_FRAMES = ("pandas.core.frame.DataFrame", "pandas.DataFrame")


def _rows(frame: DataFrame) -> list[bytes]:
    if frame.empty:
        raise ValueError("The event is a DataFrame without rows; give one row at least, each is an event.")

    def refuse(value: Any) -> Any:
        raise TypeError(f"An event must be JSON: the DataFrame has a {type(value).__name__}, {value!r:.80}.")

    text = frame.to_json(orient="records", lines=True, date_format="iso", double_precision=15, default_handler=refuse)
    return text.encode().splitlines()


def write_payloads(memory_fd: int, payloads: Sequence[bytes]) -> None:
    """Write them into an empty memory."""
    ends = array("Q", [len(payloads)])
    end = 0
    for payload in payloads:
        end += len(payload)
        ends.append(end)
    with open(memory_fd, "wb", closefd=False) as memory:
        memory.write(ends.tobytes())
        memory.writelines(payloads)


class Payloads:
    """What `write_payloads` wrote, as the loader reads it."""

    def __init__(self, memory_fd: int) -> None:
        view = memoryview(mmap.mmap(memory_fd, os.fstat(memory_fd).st_size, prot=mmap.PROT_READ))
        (self._count,) = view[:8].cast("Q")
        first = 8 * (self._count + 1)
        self._ends = view[8:first].cast("Q")
        self._bytes = view[first:]

    def __getitem__(self, n: int) -> bytes:
        """The payload of request `n`."""
        place = n % self._count
        return bytes(self._bytes[self._ends[place - 1] if place else 0 : self._ends[place]])
