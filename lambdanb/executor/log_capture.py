"""What one environment prints, cut into whole lines, attributed to the invocation under way, and bounded.

A function may print without end. Of each invocation `KEPT_BYTES` are kept; the rest is counted and told in one line,
so that a flood costs neither memory nor disk and isn't lost silently.
"""

from __future__ import annotations

from collections.abc import Callable

KEPT_BYTES = 6 * 1024 * 1024
_LONGEST_LINE_BYTES = 65536


class LogCapture:
    """`write(request_id or None, text)` gets whole lines, or pieces of a line that is longer than 64 KB.

    START is written together with what follows it, so that a silent invocation, the usual one, costs one write.
    """

    def __init__(self, write: Callable[[str | None, bytes], None]) -> None:
        self._write = write
        self._request_id: str | None = None
        self._start = ""
        self._kept: list[bytes] | None = None
        self._partial = b""
        self._bytes = 0
        self._dropped = 0

    def begin(self, request_id: str, start: str, *, keep: bool) -> None:
        """From now on output belongs to this invocation, whose first line is `start`. `keep` it for the caller, too?"""
        if self._partial:
            self._finish_line()
        self._request_id = request_id
        self._bytes = self._dropped = 0  # what a process in the background printed meanwhile isn't this one's
        self._start = start + "\n"
        self._kept = [] if keep else None

    def take(self, text: bytes) -> None:
        """Something was printed."""
        room = KEPT_BYTES - self._bytes
        self._bytes += len(text)
        if len(text) > room:
            self._dropped += len(text) - max(room, 0)
            text = text[: max(room, 0)]
        if self._partial:
            text = self._partial + text
            self._partial = b""
        end = text.rfind(b"\n") + 1
        if len(text) - end <= _LONGEST_LINE_BYTES:
            text, self._partial = text[:end], text[end:]
        if text:
            self.line(text)

    def line(self, text: bytes) -> None:
        """Whole lines, the runtime's own among them."""
        if self._start:
            text = self._start.encode() + text
            self._start = ""
        self._write(self._request_id, text)
        if self._kept is not None:
            self._kept.append(text)

    def complete(self) -> None:
        """The function's own output is over: an unfinished line counts as one, and what was dropped is told."""
        if self._partial:
            self._finish_line()
        if self._dropped:
            self.line(f"[lambdanb] {self._dropped} bytes of output over {KEPT_BYTES} were dropped\n".encode())
            self._dropped = 0

    def end(self, last_lines: str) -> bytes:
        """The invocation is over: its whole log, `last_lines` (END, REPORT) included, if it was to be kept."""
        self.complete()
        self.line(last_lines.encode())
        log = b"".join(self._kept) if self._kept is not None else b""
        self._request_id = None
        self._kept = None
        self._bytes = 0
        return log

    def _finish_line(self) -> None:
        text, self._partial = self._partial + b"\n", b""
        self.line(text)
