"""Reading functions' logs: newest first without reading the rest, by request, by time, and following what comes.

Every call is bounded in lines and in bytes looked at, so that the executor's loop isn't held up; a page says where
the next one goes on. Rows are dicts `{"time_ms", "request_id", "stream", "text"}`, ready for JSON.

Lines are in the order in which they were written: that of time, except where the clock was set back. Half a line (a
killed executor) is passed over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdanb.executor.logs import segment_number, segments

_BLOCK_BYTES = 256 * 1024
_CLOCK_SLACK_MS = 5_000
SCAN_BYTES = 8 * 1024 * 1024
"""What one call looks at, at most: about 10 ms."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, oldest first.

    `older` is where to go on backwards (None: nothing older matches), `newer` where to go on forwards: pass it to
    `read_after` to follow. A page may be empty and yet have `older`: it looked at its share of bytes and found none.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    older: str | None = None
    newer: str = "0:0"


def read(
    directory: Path,
    function: str,
    *,
    request_id: str | None = None,
    stream: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    before: str | None = None,
    limit: int = 1_000,
    scan_bytes: int = SCAN_BYTES,
) -> LogPage:
    """The newest `limit` lines that match, or those before `before`, the `older` of an earlier page."""
    needle = _needle(request_id, stream)
    wanted = _Wanted(request_id, stream, since_ms, until_ms)
    files = segments(directory, function)
    newer = _end_of(files)
    lines: list[dict[str, Any]] = []
    room = scan_bytes
    before_number, before_offset = _parse(before) if before is not None else (None, None)
    for segment in reversed(files):
        number = segment_number(segment.name)
        if before_number is not None and number > before_number:
            continue
        end = before_offset if number == before_number else None
        try:
            if since_ms is not None and segment.stat().st_mtime * 1000 < since_ms - _CLOCK_SLACK_MS:
                continue  # written before; an older number may still be newer where the clock was set back
            if until_ms is not None and _first_ms(segment) > until_ms + _CLOCK_SLACK_MS:
                continue
            for offset, raw in _backwards(segment, end, needle):
                if raw is not None:
                    row = _row(raw)
                    if row is not None and row["time_ms"] < (since_ms or 0) - _CLOCK_SLACK_MS:
                        break
                    if row is not None and wanted.has(row):
                        lines.append(row)
                        if len(lines) >= limit:
                            return LogPage(lines[::-1], f"{number}:{offset}", newer)
                room -= (end if end is not None else segment.stat().st_size) - offset
                end = offset
                if room <= 0:
                    return LogPage(lines[::-1], f"{number}:{offset}", newer)
        except FileNotFoundError:
            continue  # pruned while we read
    return LogPage(lines[::-1], None, newer)


def read_after(
    directory: Path,
    function: str,
    after: str,
    *,
    request_id: str | None = None,
    stream: str | None = None,
    limit: int = 1_000,
    scan_bytes: int = SCAN_BYTES,
) -> LogPage:
    """The lines that were written since `after` (the `newer` of a page; "0:0" is the beginning), oldest first.

    No lines: nothing came, or none that matches; go on from the `newer` of this page.
    """
    wanted = _Wanted(request_id, stream, None, None)
    needle = _needle(request_id, stream)
    number, offset = _parse(after)
    lines: list[dict[str, Any]] = []
    room = scan_bytes
    files = segments(directory, function)
    if not files or segment_number(files[-1].name) < number:
        number, offset = 0, 0  # the log was removed with its function, and has begun anew
    for segment in files:
        its_number = segment_number(segment.name)
        if its_number < number:
            continue
        if its_number > number:
            number, offset = its_number, 0
        try:
            with segment.open("rb") as file:
                if os.fstat(file.fileno()).st_size < offset:
                    offset = 0  # as above
                file.seek(offset)
                for raw in file:
                    if not raw.endswith(b"\n") or len(lines) >= limit or room <= 0:
                        return LogPage(lines, None, f"{number}:{offset}")
                    offset += len(raw)
                    room -= len(raw)
                    row = _row(raw) if needle in raw else None
                    if row is not None and wanted.has(row):
                        lines.append(row)
        except FileNotFoundError:
            continue
    return LogPage(lines, None, f"{number}:{offset}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    request_id: str | None
    stream: str | None
    since_ms: int | None
    until_ms: int | None

    def has(self, row: dict[str, Any]) -> bool:
        return (
            (self.request_id is None or row["request_id"] == self.request_id)
            and (self.stream is None or row["stream"] == self.stream)
            and (self.since_ms is None or row["time_ms"] >= self.since_ms)
            and (self.until_ms is None or row["time_ms"] <= self.until_ms)
        )


def _backwards(segment: Path, end: int | None, needle: bytes) -> Iterator[tuple[int, bytes | None]]:
    """The lines before `end` that hold `needle`, last first, each with its offset.

    At the head of every block that was looked at comes (offset, None): how far back it got. Lines without the needle
    are found by the search in C and never split or parsed.
    """
    with segment.open("rb") as file:
        position = os.fstat(file.fileno()).st_size if end is None else end
        rest = b""  # the end of a line whose beginning is in an earlier block
        while position > 0:
            start = max(position - _BLOCK_BYTES, 0)
            file.seek(start)
            block = file.read(position - start) + rest
            position = start
            head = 0
            if start > 0:
                newline = block.find(b"\n")
                if newline < 0 or newline + 1 == len(block):
                    rest = block
                    continue
                head = newline + 1
            rest = block[:head]
            cut = len(block)
            while (found := block.rfind(needle, head, cut)) >= 0 and cut > head:
                # An empty needle is found at `cut` itself: the line that ends there.
                line_end = block.find(b"\n", min(found, cut - 1), cut)
                line_end = cut if line_end < 0 else line_end + 1
                line_start = max(block.rfind(b"\n", head, line_end - 1) + 1, head)
                yield start + line_start, block[line_start:line_end]
                cut = line_start
            yield start + head, None


def _row(raw: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(raw)
        if isinstance(row, dict) and isinstance(row["time_ms"], int) and {"request_id", "stream", "text"} <= row.keys():
            return row
    except (ValueError, KeyError):
        pass
    return None


def _needle(request_id: str | None, stream: str | None) -> bytes:
    """Bytes that every matching line holds."""
    if request_id is not None:
        return json.dumps(request_id, ensure_ascii=False).encode(errors="replace")
    return b"" if stream is None else json.dumps(stream, ensure_ascii=False).encode(errors="replace")


def _first_ms(segment: Path) -> int:
    return int(segment.name.partition("-")[0])


def _end_of(files: list[Path]) -> str:
    """Where the log ends now, at the end of its last whole line."""
    if not files:
        return "0:0"
    number = segment_number(files[-1].name)
    try:
        with files[-1].open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - _BLOCK_BYTES, 0))
            tail = file.read()
            torn = len(tail) - (tail.rfind(b"\n") + 1) if b"\n" in tail else 0
            return f"{number}:{size - torn}"
    except FileNotFoundError:
        return f"{number}:0"


def _parse(place: str) -> tuple[int, int]:
    number, _, offset = place.partition(":")
    if not number.isdecimal() or not offset.isdecimal():
        raise ValueError(f"{place!r} is no place in a log: pass the `older` or `newer` of a page")
    return int(number), int(offset)
