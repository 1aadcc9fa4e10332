"""Replayed times: what they may be, and what is told of those that may not."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas
import pytest

from lambdanb.streams import Replay

START = datetime(2026, 1, 31, 12)


@pytest.mark.parametrize(
    "times",
    [
        [3, 1.5, 2],
        (3, 1.5, 2),
        np.array([3, 1.5, 2]),
        np.array([3, 1.5, 2], np.float32),
        pandas.Series([3, 1.5, 2], index=[9, 9, 9]),
        pandas.Index([3, 1.5, 2]),
        [timedelta(seconds=3), timedelta(seconds=1.5), timedelta(seconds=2)],
    ],
    ids=lambda times: type(times).__name__,
)
def test_seconds_are_sorted_and_stay(times: object) -> None:
    assert Replay(times).times(10).tolist() == [1.5, 2, 3]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_datetimes_count_from_the_earliest(zone: str | None) -> None:
    times = pandas.to_datetime([START + timedelta(seconds=s) for s in (5, 0, 2.25)]).tz_localize(zone)
    assert Replay(times).times(10).tolist() == [0, 2.25, 5]
    assert Replay(list(times)).times(10).tolist() == [0, 2.25, 5]
    assert Replay(pandas.DataFrame({"when": times}), "when").times(10).tolist() == [0, 2.25, 5]
    assert Replay(times.to_numpy()).times(10).tolist() == [0, 2.25, 5]


def test_the_given_array_is_left_alone() -> None:
    given = np.array([3.0, 1.0])
    stream = Replay(given)
    given[:] = 7
    assert stream.times(10).tolist() == [1, 3]


def test_it_tells_what_it_is() -> None:
    assert repr(Replay(np.arange(2000))) == "Replay(2,000 arrivals until 1999 s)"
    assert repr(Replay([])) == "Replay(no arrivals)"
    assert Replay([1, 2, 30]).mean_rate(4) == 0.5


@pytest.mark.parametrize(
    ("times", "column", "told"),
    [
        (
            [1, -2, -3],
            None,
            r"times: row 1 \(and 1 more\) has -2, where times must be finite numbers of seconds from 0",
        ),
        ([1, float("nan")], None, "times: row 1 has no time"),
        ([1, None], None, "times: row 1 has no time"),
        ([float("inf")], None, "times: row 0 has inf"),
        (pandas.to_datetime(pandas.Series(["2026-01-01", None], name="at")), None, "column 'at': row 1 has no time"),
        (pandas.DataFrame({"at": pandas.to_datetime(["2026-01-01", None])}), "at", "column 'at': row 1 has no time"),
        (pandas.DataFrame({"a": [1], "b": [2]}), "c", "the DataFrame has no column 'c'; it has a, b"),
        (pandas.DataFrame({"a": [1], "b": [2]}), None, "say which column .* it has a, b"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "a", "several columns 'a'"),
        ([1], "a", "column 'a' needs a DataFrame, not a list"),
        (["2026-01-01"], None, "not .*'2026-01-01' comes first.*pandas.to_datetime"),
        ([True], None, "times must be numbers of seconds or datetimes, not bool"),
        (np.zeros((2, 2)), None, r"times must have one dimension, not the shape \(2, 2\)"),
    ],
)
def test_bad_times_are_told(times: object, column: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Replay(times, column)
