"""Frames of a function's traceback, read from the texts that came with its failure, and shown with the lines around.

A text is what Python's `traceback.format_list` writes, or what Lambda writes for a syntax error:

    '  File "/var/task/lambda_function.py", line 4, in lambda_handler\\n    return 1 / 0\\n           ~~^~~\\n'
    '  File "/var/task/lambda_function.py" Line 3\\n    def f(:\\n'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MODULE_FILE = "lambda_function.py"
_HEAD = re.compile(r'\s*File "(?P<file>.*?)",? [lL]ine (?P<line>\d+)(?:, in (?P<name>.*))?')
_AROUND = 2


@dataclass(frozen=True)
class Frame:
    """One line of code that was under way. `text` is that line, `entry` the frame as it came."""

    filename: str
    line: int
    name: str
    text: str
    entry: str

    @property
    def is_function_module(self) -> bool:
        """Whether it is in the function's own module, where a cell's code is."""
        return self.filename.rpartition("/")[2] == MODULE_FILE

    def is_at(self, lines: Sequence[str]) -> bool:
        """Whether these lines have this frame's text at its line."""
        return 0 < self.line <= len(lines) and (not self.text or lines[self.line - 1].strip() == self.text)


@dataclass(frozen=True)
class Paint:
    """Colours of a terminal and of a notebook's output; none where the shell has none."""

    colourful: bool = True

    @classmethod
    def of(cls, shell: InteractiveShell) -> Paint:
        """The shell's choice."""
        return cls(str(shell.colors).lower() != "nocolor")

    def error(self, text: str) -> str:
        return self._in("1;31", text)

    def place(self, text: str) -> str:
        return self._in("32", text)

    def arrow(self, text: str) -> str:
        return self._in("1;32", text)

    def faint(self, text: str) -> str:
        return self._in("2", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colourful else text


def read_frames(stack_trace: Iterable[str]) -> list[Frame]:
    """The frames of a stack trace. An entry of another form becomes a frame of which only the entry is known."""
    frames = []
    for entry in stack_trace:
        lines = entry.splitlines() or [""]
        head = _HEAD.match(lines[0])
        text = lines[1].strip() if len(lines) > 1 else ""
        if head is None:
            frames.append(Frame("", 0, "", "", entry))
        else:
            frames.append(Frame(head["file"], int(head["line"]), head["name"] or "", text, entry))
    return frames


def show_frame(frame: Frame, place: str, lines: Sequence[str], paint: Paint) -> str:
    """A frame with the lines around its own and an arrow, as IPython shows one; as it came where there are no lines."""
    if not frame.is_at(lines):
        return frame.entry.rstrip("\n")
    where = f", in {frame.name}" if frame.name else ""
    shown = [paint.place(f"{place}, line {frame.line}") + where]
    first, last = max(1, frame.line - _AROUND), min(len(lines), frame.line + _AROUND)
    width = len(str(last)) + 6
    for number in range(first, last + 1):
        text = lines[number - 1].rstrip("\n")
        if number == frame.line:
            arrow = "-" * (width - len(str(number)) - 2) + "> "
            shown.append(f"{paint.arrow(f'{arrow}{number}')} {text}")
        else:
            shown.append(f"{number:>{width}} {text}".rstrip())
    return "\n".join(shown)
