"""Which event the n-th invocation of a stream gets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

EventSource = Callable[[int], Any]


def event_source(given: Any) -> EventSource:
    """A function from the invocation's running number, from 0, to its event.

    given       an event, which all get; or a function of the number; or a DataFrame, whose rows are used in turn and
                over again: a row is a dict of plain JSON values by column (missing ones None, datetimes ISO 8601)

    Raises ValueError for a fixed event that isn't JSON, and for a DataFrame without rows, with two columns of one name,
    or with values that aren't JSON. What a function gives is checked when it is sent.
    """
    if callable(given):
        source: EventSource = given
        return source
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is not None and isinstance(given, pandas.DataFrame):
        return _rows(given)
    _check_json(given, "the event")
    return lambda number: given


def _rows(frame: DataFrame) -> EventSource:
    if frame.empty:
        raise ValueError("the DataFrame of events has no rows" if not len(frame) else "the DataFrame has no columns")
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"the DataFrame of events has several columns {', '.join(twice)}: an event has one value a name"
        )
    # Column by column, `tolist` makes Python's own numbers of NumPy's.
    columns = [[_plain(value) for value in frame.iloc[:, place].tolist()] for place in range(len(names))]
    for name, values in zip(names, columns, strict=True):
        for row, value in enumerate(values):
            _check_json(value, f"column {name!r} of the events, row {row}")
    return lambda number: {name: values[number % len(values)] for name, values in zip(names, columns, strict=True)}


def _plain(value: Any) -> Any:
    """A cell as JSON has it. pandas' missing values (NaN, NaT, NA) all differ from themselves or are NA."""
    import pandas

    if value is None or value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and value != value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):  # a NumPy value in a column of objects
        return value.tolist()
    return value


def _check_json(value: Any, what: str) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{what} must be JSON: {problem}") from None
