"""Times that are known: from a log, a table, a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from lambdanb.streams.stream import CHUNK, Stream, Times

if TYPE_CHECKING:
    from pandas import DataFrame, Series


@dataclass(init=False, repr=False, eq=False, frozen=True)
class Replay(Stream):
    """Arrivals at given times: an array, list or Series of them, or a DataFrame and the name of its `column`.

    Numbers (and timedeltas) are seconds from the stream's start, and stay as they are. Datetimes, with time zone or
    without, count from the earliest, which arrives at 0. Unsorted times are sorted. The stream takes a copy, 8 bytes an
    arrival. ValueError says what is wrong and where: a missing (NaN, NaT), infinite or negative time, something that is
    no time, an unknown column.
    """

    times_s: Times

    def __init__(self, times: Any, column: str | None = None) -> None:
        object.__setattr__(self, "times_s", np.sort(_seconds(_series(times, column))))

    def __repr__(self) -> str:
        count = self.times_s.size
        return f"Replay({count:,} arrivals until {self.times_s[-1]:g} s)" if count else "Replay(no arrivals)"

    def _arrivals(self, seeds: SeedSequence, until_s: float) -> Iterator[Times]:
        for start in range(0, self.times_s.size, CHUNK):
            # A copy: who gets a chunk may write to it.
            yield self.times_s[start : start + CHUNK].copy()

    def _expected(self, seconds: float) -> float:
        return float(np.searchsorted(self.times_s, seconds))


def _series(times: Any, column: str | None) -> Series[Any]:
    import pandas

    if isinstance(times, pandas.DataFrame):
        return _column(times, column)
    if column is not None:
        raise ValueError(f"column {column!r} needs a DataFrame, not a {type(times).__name__}")
    if isinstance(times, pandas.Series):
        return times
    array = times if isinstance(times, np.ndarray | pandas.Index) else np.array(list(times), dtype=object)
    if array.ndim != 1:
        raise ValueError(f"times must have one dimension, not the shape {array.shape}")
    return pandas.Series(array).infer_objects()


def _column(frame: DataFrame, column: str | None) -> Series[Any]:
    there = ", ".join(map(str, frame.columns)) or "none"
    if column is None:
        raise ValueError(f"say which column of the DataFrame has the times: column=...; it has {there}")
    if column not in frame.columns:
        raise ValueError(f"the DataFrame has no column {column!r}; it has {there}")
    found = frame[column]
    if found.ndim != 1:
        raise ValueError(f"the DataFrame has several columns {column!r}")
    return found


def _seconds(series: Series[Any]) -> Times:
    import pandas

    missing = np.flatnonzero(series.isna().to_numpy())
    if missing.size:
        raise ValueError(f"{_where(series, missing)} no time: drop the missing ones first")
    if pandas.api.types.is_datetime64_any_dtype(series):
        seconds = (series - series.min()).dt.total_seconds().to_numpy(float)
    elif pandas.api.types.is_timedelta64_dtype(series):
        seconds = series.dt.total_seconds().to_numpy(float)
    elif series.empty or (pandas.api.types.is_numeric_dtype(series) and not pandas.api.types.is_bool_dtype(series)):
        seconds = series.to_numpy(float)
    else:
        raise ValueError(
            f"times must be numbers of seconds or datetimes, not {series.dtype} ({series.iloc[0]!r} comes first); "
            "pandas.to_datetime makes datetimes of text"
        )
    wrong = np.flatnonzero(~((seconds >= 0) & (seconds < np.inf)))
    if wrong.size:
        raise ValueError(
            f"{_where(series, wrong)} {seconds[wrong[0]]:g}, where times must be finite numbers of seconds from 0"
        )
    return np.asarray(seconds, np.float64)


def _where(series: Series[Any], places: NDArray[np.intp]) -> str:
    """The first bad place, by its position, as the index of a table may be anything."""
    name = "times" if series.name is None else f"column {series.name!r}"
    more = f" (and {places.size - 1:,} more)" if places.size > 1 else ""
    return f"{name}: row {places[0]}{more} has"
