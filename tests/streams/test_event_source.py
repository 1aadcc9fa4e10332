"""Which event the n-th invocation gets."""

from __future__ import annotations

import json
import math
from datetime import datetime

import numpy as np
import pandas
import pytest

from lambdanb.streams import event_source


def test_a_fixed_event_is_everyones() -> None:
    source = event_source({"key": "cat.jpg"})
    assert source(0) == source(10**9) == {"key": "cat.jpg"}
    assert event_source(None)(3) is None


def test_a_function_makes_an_event_of_the_number() -> None:
    assert event_source(lambda number: {"n": number})(7) == {"n": 7}


def test_rows_come_in_turn_as_plain_json() -> None:
    frame = pandas.DataFrame(
        {
            "key": ["a", "b", None],
            "size": np.array([1, 2, 3], np.int32),
            "share": [0.5, math.nan, 1.0],
            "when": pandas.to_datetime(["2026-01-31 12:00", None, "2026-02-01 00:00"]),
            "ok": [True, False, True],
            "tags": [["x"], {"y": 1}, np.array([1, 2])],
            "maybe": pandas.array([1, None, 3], dtype="Int64"),
            5: [np.float32(1.5), datetime(2026, 1, 1), None],
        },
        index=[7, 7, 7],
    )
    source = event_source(frame)
    first, second, third = (source(number) for number in range(3))
    assert first == {
        "key": "a",
        "size": 1,
        "share": 0.5,
        "when": "2026-01-31T12:00:00",
        "ok": True,
        "tags": ["x"],
        "maybe": 1,
        "5": 1.5,
    }
    assert (second["share"], second["when"], second["maybe"]) == (None, None, None)
    assert (third["key"], third["tags"]) == (None, [1, 2])
    assert source(4) == second
    assert [json.loads(json.dumps(row)) for row in (first, second, third)] == [first, second, third]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"when": datetime(2026, 1, 1)}, "the event must be JSON: .*datetime"),
        ({"value": math.nan}, "the event must be JSON"),
        (pandas.DataFrame({"a": []}), "has no rows"),
        (pandas.DataFrame(index=[1, 2]), "has no columns"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "several columns a"),
        (pandas.DataFrame({"a": [1, {2}]}), "column 'a' of the events, row 1 must be JSON"),
        (pandas.DataFrame({"a": [1.0, math.inf]}), "column 'a' of the events, row 1 must be JSON"),
    ],
)
def test_what_is_no_event_is_told(given: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        event_source(given)
