"""CSV files of traces, row by row, where every fault is told with its file, line and column."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_GZIP_MAGIC = b"\x1f\x8b"
_MOST = 2**53  # up to here a float is a whole number exactly
_MISSING = frozenset(("", "nan", "na", "null", "none"))


class TraceError(ValueError):
    """A trace's file isn't in its authors' format: what, in which file, line and column."""

    def __init__(self, path: Path, line: int | None, problem: str, column: str | None = None) -> None:
        where = str(path) + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.line = line
        self.column = column


class Table:
    """A CSV file with a header, plain or gzipped (told by its first bytes). Holds one row at a time.

    `rows` gives (line, cells), the cells of the columns that were asked for, in that order. Files cut off are noticed
    by a last row with too few cells or by gzip's own check; a plain file cut within its very last cell can't be told
    from a whole one.
    """

    def __init__(self, path: Path | str, columns: Sequence[str]) -> None:
        """Reads the header. Raises TraceError where a column is missing, FileNotFoundError and so on by `open`."""
        self.path = Path(path)
        self.columns = list(columns)
        self.header = next(self._lines(), (0, []))[1]
        if not self.header:
            raise TraceError(self.path, None, f"is empty, where a header with {_some(columns)} was expected")
        twice = [name for name, times in Counter(self.header).items() if times > 1]
        if twice:
            raise TraceError(self.path, 1, f"has several columns {_some(twice)}")
        missing = [name for name in columns if name not in self.header]
        if missing:
            raise TraceError(self.path, 1, f"no column {_some(missing)}; it has {_some(self.header)}")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of each row. Reads the file from its start each time."""
        width = len(self.header)
        places = [self.header.index(name) for name in self.columns]
        # The usual case, a run of columns as they stand, is cut out in one go: rows may have thousands of cells.
        run = slice(places[0], places[-1] + 1) if places == list(range(places[0], places[-1] + 1)) else None
        lines = self._lines()
        next(lines)
        for line, cells in lines:
            if len(cells) != width:
                raise TraceError(
                    self.path, line, f"has {len(cells)} columns, where the header has {width}: is the file cut off?"
                )
            yield line, cells[run] if run else [cells[place] for place in places]

    def number(self, line: int, column: str, cell: str) -> float:
        """A cell as a finite number from 0."""
        value = self.number_or_none(line, column, cell)
        if value is None:
            raise TraceError(self.path, line, "a number is missing", column)
        return value

    def number_or_none(self, line: int, column: str, cell: str) -> float | None:
        """A cell as a finite number from 0, or None where it is empty or NaN."""
        try:
            value = float(cell)
        except ValueError:
            if cell.strip().lower() in _MISSING:
                return None
            raise TraceError(self.path, line, f"{_shown(cell)} is not a number", column) from None
        if value != value:
            return None
        if not 0 <= value < math.inf:
            raise TraceError(self.path, line, f"must be a finite number from 0, not {_shown(cell)}", column)
        return value

    def count(self, line: int, column: str, cell: str) -> int:
        """A cell as a whole number from 0 ("816.0" is one); 0 where it is empty or NaN."""
        value = self.number_or_none(line, column, cell) or 0.0
        if value > _MOST:
            raise TraceError(self.path, line, f"{_shown(cell)} is too large for a count", column)
        if value != int(value):
            raise TraceError(self.path, line, f"must be a whole number from 0, not {_shown(cell)}", column)
        return int(value)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        line = 0
        try:
            with self._open() as file:
                reader = csv.reader(file)
                for cells in reader:
                    line = reader.line_num
                    if cells:
                        yield line, cells
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise TraceError(self.path, line + 1, f"the gzip file is cut off or damaged: {problem}") from problem
        except (csv.Error, UnicodeDecodeError) as problem:
            raise TraceError(self.path, line + 1, f"isn't CSV: {problem}") from problem

    def _open(self) -> IO[str]:
        with open(self.path, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
        if zipped:
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return open(self.path, encoding="utf-8-sig", newline="")


def _some(names: Sequence[str]) -> str:
    """Names in a message: traces have thousands of columns."""
    if len(names) <= 12:
        return ", ".join(map(_shown, names))
    return f"{', '.join(map(_shown, names[:8]))}, ... ({len(names):,} in all)"


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "...")
