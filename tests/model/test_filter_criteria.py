"""Filter criteria: one pattern is enough, and data and bodies are matched as what they are."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lambdanb.model.event_patterns import InvalidPattern
from lambdanb.model.filter_criteria import criteria
from lambdanb.model.mappings import Kind
from lambdanb.streams import samples


def kinesis(data: bytes) -> dict[str, Any]:
    record: dict[str, Any] = samples.kinesis()["Records"][0]
    record["kinesis"]["data"] = base64.b64encode(data).decode()
    return record


def sqs(body: str) -> dict[str, Any]:
    record: dict[str, Any] = samples.sqs(bodies=[body])["Records"][0]
    return record


BUY = json.dumps({"record": 12345, "order": {"type": "buy", "stock": "ANYCO", "quantity": 1000}})
"""Of "Using event filtering with a Kinesis event source"."""


@pytest.mark.parametrize(
    ("kind", "pattern", "record", "passes"),
    [
        ("kinesis", {"data": {"order": {"type": ["buy"]}}}, kinesis(BUY.encode()), True),
        ("kinesis", {"data": {"order": {"type": ["sell"]}}}, kinesis(BUY.encode()), False),
        ("kinesis", {"data": {"order": {"type": ["buy"]}}}, kinesis(b"plain"), False),
        ("kinesis", {"data": {"x": [{"exists": False}]}}, kinesis(b"plain"), False),
        ("kinesis", {"data": {"x": [{"exists": False}]}}, kinesis(b"{}"), True),
        ("kinesis", {"data": {"x": [1]}}, kinesis(b"\xff\xfe"), False),
        ("sqs", {"body": {"RequestCode": ["BBBB"]}}, sqs('{"RequestCode": "BBBB"}'), True),
        ("sqs", {"body": {"RequestCode": ["BBBB"]}}, sqs('{"RequestCode": "AAAA"}'), False),
        ("sqs", {"body": {"RequestCode": ["BBBB"]}}, sqs("plain"), False),
        ("sqs", {"body": [{"prefix": "pl"}]}, sqs("plain"), True),
        ("sqs", {"body": [{"exists": False}]}, sqs('{"a": 1}'), False),
        ("sqs", {"body": ["plain"]}, sqs('{"a": 1}'), False),
        ("sqs", {"eventSource": ["aws:sqs"]}, sqs("plain"), True),
        ("dynamodb", {"eventName": ["INSERT"]}, samples.dynamodb_stream()["Records"][0], True),
        (
            "dynamodb",
            {"dynamodb": {"NewImage": {"id": {"S": [{"prefix": "9"}]}}}},
            samples.dynamodb_stream()["Records"][0],
            False,
        ),
    ],
)
def test_what_passes(kind: Kind, pattern: dict[str, Any], record: dict[str, Any], passes: bool) -> None:
    before = json.dumps(record)
    assert criteria(kind, [json.dumps(pattern)]).lets_through(record) is passes
    assert json.dumps(record) == before


def test_one_of_the_patterns_is_enough() -> None:
    several = criteria("sqs", ['{"body": {"n": [1]}}', '{"body": {"n": [2]}}', '{"body": ["text"]}'])
    assert [several.lets_through(sqs(body)) for body in ('{"n": 2}', '{"n": 3}', "text", "other")] == [
        *(True, False, True, False),
    ]


def test_without_any_everything_passes() -> None:
    assert criteria("sqs", []).lets_through(sqs("anything"))


def test_data_of_kinesis_is_json_or_nothing() -> None:
    with pytest.raises(InvalidPattern):
        criteria("kinesis", ['{"data": ["plain"]}'])
