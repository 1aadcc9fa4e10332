"""What an answer says of its batch: the success and failure conditions of AWS's guide, and what LocalStack's tests saw
AWS do with each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdanb.sources.answers import BadAnswer, failed_items, parsed, window_state

IDS = ["a", "b", "c"]


@pytest.mark.parametrize(
    "answer",
    [None, {}, [], "", {"batchItemFailures": []}, {"batchItemFailures": None}, {"statusCode": 200}, "done", 7],
)
def test_success(answer: Any) -> None:
    assert failed_items(parsed(json.dumps(answer).encode()), IDS) == []


def test_no_answer_is_success() -> None:
    assert failed_items(parsed(b""), IDS) == []


@pytest.mark.parametrize(
    "failure",
    [{"itemIdentifier": ""}, {"itemIdentifier": None}, {"foo": "a"}, {"foo": None}, {"itemIdentifier": "other"}, "a"],
)
def test_a_bad_identifier_fails_the_whole_batch(failure: Any) -> None:
    with pytest.raises(BadAnswer):
        failed_items({"batchItemFailures": [{"itemIdentifier": "b"}, failure]}, IDS)


def test_a_list_that_is_none_fails_the_whole_batch() -> None:
    with pytest.raises(BadAnswer):
        failed_items({"batchItemFailures": "b"}, IDS)
    with pytest.raises(BadAnswer):
        parsed(b"{not json")


def test_the_lowest_comes_first() -> None:
    failures = [{"itemIdentifier": "c"}, {"itemIdentifier": "b"}, {"itemIdentifier": "c"}]
    assert failed_items({"batchItemFailures": failures}, IDS) == [1, 2]


def test_a_windows_answer_must_have_a_state() -> None:
    assert window_state({"state": {"sum": 3}}) == b'{"sum":3}'
    for answer in (None, {}, [], {"batchItemFailures": []}):
        with pytest.raises(BadAnswer):
            window_state(answer)
