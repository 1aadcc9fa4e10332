"""What functions print, kept in files: JSON lines, a folder per function, a new segment file every few megabytes.

`append` only remembers; `flush`, called by the executor's loop every 100 ms, writes. A segment is named by the time of
its first line and its number, so that a reader finds the segments of a span of time by names and modification times
alone, and pruning is removing the oldest files. Reading is in `log_reader`.

A line of a segment is `{"time_ms": ..., "request_id": ... or null, "stream": ..., "text": ...}`: one line that the
function printed, without its newline.
"""

from __future__ import annotations

import os
import shutil
import time
from json.encoder import encode_basestring
from pathlib import Path

from lambdanb.executor.flushed import Flushed

LONGEST_TEXT_BYTES = 256 * 1024
"""A longer line is kept in pieces of this size, as CloudWatch Logs does (its limit of one event)."""

SEGMENT_ENDING = ".jsonl"
_ROW_COST_BYTES = 200  # what a buffered line holds beside its text

_END_OF_LINE = encode_basestring("\n")[1:-1]

_Row = tuple[str, str, str | None, int, bytes]


def log_stream_name(version: str, environment_id: str, started_ms: int) -> str:
    """AWS's form: `2026/11/23/[$LATEST]<environment id in hex>`; the date is UTC."""
    date = time.strftime("%Y/%m/%d", time.gmtime(started_ms / 1000))
    return f"{date}/[{version}]{environment_id}"


def segments(directory: Path, function: str) -> list[Path]:
    """A function's segment files, oldest first; none when it has no log."""
    try:
        names = [entry for entry in os.listdir(folder(directory, function)) if entry.endswith(SEGMENT_ENDING)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder(directory, function) / name for name in sorted(names, key=segment_number)]


def segment_number(name: str) -> int:
    """The running number in a segment's name: the order in which they were written, whatever the clock did."""
    return int(name.removesuffix(SEGMENT_ENDING).partition("-")[2] or 0)


def folder(directory: Path, function: str) -> Path:
    """Where a function's segments are. Names are checked at deployment; this only keeps the log inside its folder."""
    if "/" in function or function.startswith(".") or "\0" in function or not function:
        raise ValueError(f"{function!r} is no function's name")
    return directory / function


class LogStore:
    """The writer. One per directory; other processes may read at any time.

    `segment_bytes` is a segment's size after which the next begins; `buffer_bytes` bounds what waits in memory while
    the disk takes nothing: beyond it lines are dropped and counted, and a line in the function's log says how many.
    """

    def __init__(
        self, directory: Path, *, segment_bytes: int = 4 * 1024 * 1024, buffer_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._room = buffer_bytes
        self._rows: list[_Row] = []
        self._dropped: dict[str, int] = {}
        self._dropped_since_flush = 0
        self._current: dict[str, Path] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, function: str, stream: str, request_id: str | None, time_ms: int, text: bytes) -> None:
        """Remember what a function printed: one line or several. Costs well under a microsecond; never raises."""
        cost = len(text) + _ROW_COST_BYTES
        if cost > self._room:
            self._dropped[function] = self._dropped.get(function, 0) + 1
            self._dropped_since_flush += 1
            return
        self._room -= cost
        self._rows.append((function, stream, request_id, time_ms, text))

    def flush(self, budget_bytes: int = 4 * 1024 * 1024) -> Flushed:
        """Write what waits, oldest first, up to about `budget_bytes` (some 10 ms). Never raises for the disk.

        Call it again soon while `waiting` isn't 0; at the end, call until it is 0 or there is an error.
        """
        dropped, self._dropped_since_flush = self._dropped_since_flush, 0
        rows = self._take(budget_bytes)
        by_function: dict[str, list[_Row]] = {}
        for row in rows:
            by_function.setdefault(row[0], []).append(row)
        written = 0
        problem: str | None = None
        kept: list[_Row] = []
        for function, its_rows in by_function.items():
            try:
                self._write(function, its_rows)
                written += len(its_rows)
            except OSError as error:
                problem = f"the log of {function} can't be written: {error}"
                kept += its_rows
        if kept:
            self._rows[:0] = kept
            self._room -= sum(len(row[4]) + _ROW_COST_BYTES for row in kept)
        else:
            self._tell_dropped()
        return Flushed(written, len(self._rows), dropped, problem)

    def prune(self, now_ms: int, *, max_age_days: float = 30, max_bytes: int = 64 * 1024 * 1024) -> int:
        """Remove segments whose last line is older than `max_age_days`, and a function's oldest beyond `max_bytes`.

        The segment that is being written goes by age alone, so `max_bytes` is held to within one segment.
        Returns the bytes that this freed. Never raises for the disk.
        """
        freed = 0
        oldest_kept_s = now_ms / 1000 - max_age_days * 86_400
        for name in os.listdir(self._directory):
            if name.startswith("."):
                continue  # not ours
            total = 0
            for behind, segment in enumerate(reversed(segments(self._directory, name))):
                try:
                    status = segment.stat()
                    total += status.st_size
                    if status.st_mtime < oldest_kept_s or (behind and total > max_bytes):
                        segment.unlink()
                        freed += status.st_size
                except OSError:
                    continue
        return freed

    def delete(self, function: str) -> None:
        """Remove a deleted function's log, what waits of it included."""
        self._room += sum(len(row[4]) + _ROW_COST_BYTES for row in self._rows if row[0] == function)
        self._rows = [row for row in self._rows if row[0] != function]
        self._dropped.pop(function, None)
        self._current.pop(function, None)
        shutil.rmtree(folder(self._directory, function), ignore_errors=True)

    def _take(self, budget_bytes: int) -> list[_Row]:
        rows = self._rows
        count = 0
        taken = 0
        for row in rows:
            taken += len(row[4]) + _ROW_COST_BYTES
            count += 1
            if taken >= budget_bytes:
                break
        self._rows = rows[count:]
        self._room += taken
        return rows[:count]

    def _tell_dropped(self) -> None:
        for function, count in self._dropped.items():
            text = f"[lambdanb] {count} pieces of log lost here: the disk was full or the function printed too fast"
            self._rows.append((function, "lambdanb", None, time.time_ns() // 1_000_000, text.encode()))
            self._room -= len(text) + _ROW_COST_BYTES
        self._dropped.clear()

    def _write(self, function: str, rows: list[_Row]) -> None:
        """All of the rows, or an OSError and none of them: a retry must not write anything twice."""
        segment = self._segment(function, rows[0][3])
        content = _encode(rows)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(segment, flags, 0o600)
        except FileNotFoundError:
            segment.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(segment, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                content = b"\n" + content  # a killed executor left half a line
            try:
                _write_all(descriptor, content)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            if size + len(content) >= self._segment_bytes:
                del self._current[function]
        finally:
            os.close(descriptor)

    def _segment(self, function: str, time_ms: int) -> Path:
        """The segment to append to: the newest while it has room, else a new one."""
        current = self._current.get(function)
        if current is None or not current.exists():
            its_segments = segments(self._directory, function)
            number = 1
            if its_segments:
                current = its_segments[-1]
                number = segment_number(current.name) + 1
            if not its_segments or its_segments[-1].stat().st_size >= self._segment_bytes:
                name = f"{max(time_ms, 0):013d}-{number:06d}{SEGMENT_ENDING}"
                current = folder(self._directory, function) / name
            assert current is not None
            self._current[function] = current
        return current


def _encode(rows: list[_Row]) -> bytes:
    encoded: list[str] = []
    for _, stream, request_id, time_ms, text in rows:
        request = "null" if request_id is None else encode_basestring(request_id)
        head = f'{{"time_ms": {time_ms}, "request_id": {request}, "stream": {encode_basestring(stream)}, "text": '
        if len(text) <= LONGEST_TEXT_BYTES and b"\\" not in text:
            # All lines at once. Without a backslash in the text, \\n in its JSON can only be an end of line.
            lines = encode_basestring(text.removesuffix(b"\n").decode(errors="replace"))
            separator = f'"}}\n{head}"'
            encoded.append(f"{head}{lines.replace(_END_OF_LINE, separator)}}}\n")
            continue
        for line in text.removesuffix(b"\n").split(b"\n"):
            for start in range(0, len(line) or 1, LONGEST_TEXT_BYTES):
                piece = line[start : start + LONGEST_TEXT_BYTES].decode(errors="replace")
                encoded.append(f"{head}{encode_basestring(piece)}}}\n")
    # Names come from outside: a lone surrogate in one must not stop the log.
    return "".join(encoded).encode(errors="replace")


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
