"""Which cell defined a function, so that an error in the function can be shown at the cell's own line.

A function's code is its cell with the magic's line left empty: line n of the module is line n of the cell. The cell's
text is kept where Python looks for source lines (linecache), under the name that IPython gives the cell.
"""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Cells:
    """The cells of one notebook that defined functions."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._raw = ""
        self._files: dict[str, str] = {}

    def watch(self) -> None:
        """Learn of each cell before it runs."""
        self._shell.events.register("pre_run_cell", self._before)

    def unwatch(self) -> None:
        """Stop that."""
        self._shell.events.unregister("pre_run_cell", self._before)

    def module(self, line: str, body: str) -> tuple[str, str]:
        """The source of the module that a cell is, and the cell's file name; both have the cell's line numbers."""
        raw = self._raw
        first = _line_of_magic(raw, body)
        filename = self._running()
        if first is None or filename is None:
            # Not run as a cell, but by run_cell_magic(): the cell is what it would have been.
            raw, first = f"%%lambda {line}\n{body}", 0
            filename = self._shell.compile.cache(raw, self._shell.execution_count)
        # IPython keeps the cell's code as it runs it, a call of the magic. Its lines for readers are those written.
        # Without a time of modification an entry is never dropped.
        linecache.cache[filename] = (len(raw), None, raw.splitlines(keepends=True), filename)
        return "\n" * (first + 1) + body, filename

    def remember(self, function: str, filename: str) -> None:
        """The cell with that file name defined the function."""
        self._files[function] = filename

    def lines(self, function: str) -> tuple[str, list[str]] | None:
        """The file name and the lines of the cell that defined a function last, if one of this notebook's did."""
        filename = self._files.get(function)
        return None if filename is None else (filename, linecache.getlines(filename))

    def label(self, filename: str) -> str | None:
        """What IPython calls a cell's file, such as "Cell In[3]"; None when it is no cell."""
        found = self._shell.compile.format_code_name(filename)
        return None if found is None else " ".join(found)

    def _running(self) -> str | None:
        """The file name of the cell that is being run."""
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            if self.label(frame.f_code.co_filename):
                return frame.f_code.co_filename
        return None

    def _before(self, info: Any) -> None:
        self._raw = info.raw_cell or ""


def _line_of_magic(raw: str, body: str) -> int | None:
    """The index of the magic's line in the cell; None when the body isn't this cell's."""
    lines = raw.splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if first >= len(lines) or not lines[first].lstrip().startswith("%%lambda"):
        return None
    rest = [line.strip() for line in lines[first + 1 :]]
    return first if rest == [line.strip() for line in body.splitlines()] else None
