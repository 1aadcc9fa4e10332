"""Event patterns: AWS's documented examples, how arrays and `$or` are read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdanb.model.event_patterns import InvalidPattern, parse

EC2 = {
    "version": "0",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "time": "2017-10-02T16:24:49Z",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
    "detail": {
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "source-ip": "10.0.0.33",
        "instance-id": "i-000000aaaaaa00000",
        "state": "running",
        "empty": "",
        "nothing": None,
        "yes": True,
    },
}
"""The event of Event Ruler's own page, with a few fields more."""


def detail(name: str, *tests: Any) -> dict[str, Any]:
    return {"detail": {name: list(tests)}}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        # https://github.com/aws/event-ruler and "Comparison operators" in the guide of EventBridge
        ({"detail-type": [EC2["detail-type"]], "resources": EC2["resources"], **detail("state", "x", "running")}, True),
        ({"time": [{"prefix": "2017-10-02"}]}, True),
        ({"time": [{"prefix": "2018"}]}, False),
        ({"source": [{"suffix": "ec2"}]}, True),
        ({"source": [{"suffix": "EC2"}]}, False),
        ({"source": [{"equals-ignore-case": "AWS.EC2"}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
        ({"source": [{"suffix": {"equals-ignore-case": ".Ec2"}}]}, True),
        ({"source": [{"wildcard": "aws*2"}]}, True),
        ({"source": [{"wildcard": "a*.*c*"}]}, True),
        ({"source": [{"wildcard": "*.c"}]}, False),
        ({"source": [{"wildcard": "aws.ec2"}]}, True),
        (detail("state", {"anything-but": "initializing"}), True),
        (detail("state", {"anything-but": "running"}), False),
        (detail("state", {"anything-but": ["stopped", "overloaded"]}), True),
        (detail("x-limit", {"anything-but": 301.8}), False),
        (detail("x-limit", {"anything-but": [100, 200, 300]}), True),
        (detail("state", {"anything-but": {"prefix": "init"}}), True),
        (detail("state", {"anything-but": {"prefix": ["init", "run"]}}), False),
        (detail("state", {"anything-but": {"suffix": "ing"}}), False),
        (detail("state", {"anything-but": {"equals-ignore-case": ["RUNNING"]}}), False),
        (detail("state", {"anything-but": {"wildcard": "*/lib/*"}}), True),
        (detail("c-count", {"numeric": [">", 0, "<=", 5]}), True),
        (detail("d-count", {"numeric": ["<", 3]}), False),
        (detail("x-limit", {"numeric": ["=", 3.018e2]}), True),
        (detail("source-ip", {"cidr": "10.0.0.0/24"}), True),
        (detail("source-ip", {"cidr": "10.0.1.0/24"}), False),
        (detail("c-count", {"exists": True}), True),
        (detail("e-count", {"exists": False}), True),
        (detail("c-count", {"exists": False}), False),
        (detail("empty", ""), True),
        (detail("nothing", None), True),
        (detail("nothing", {"exists": True}), True),
        (detail("yes", True), True),
        # What a test isn't for
        (detail("c-count", "5"), False),
        (detail("c-count", {"prefix": "5"}), False),
        (detail("c-count", 5.0), True),
        (detail("yes", 1), False),
        (detail("yes", {"numeric": ["=", 1]}), False),
        (detail("instance-id", {"cidr": "10.0.0.0/8"}), False),
        (detail("nothing", {"anything-but": "x"}), True),
        (detail("missing", {"anything-but": "x"}), False),
        # Leaves alone exist
        ({"detail": [{"exists": True}]}, False),
        ({"detail": [{"exists": False}]}, True),
        ({"detail.state": ["running"]}, True),
        ({"detail": {"state": ["running"], "Source-ip": ["10.0.0.33"]}}, False),
    ],
)
def test_documented_examples(pattern: dict[str, Any], matches: bool) -> None:
    assert parse(json.dumps(pattern)).matches(EC2) is matches


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        # "Control which events Lambda sends to your function": its table of rules, in its order
        ({"UserID": [None]}, {"UserID": None}, True),
        ({"LastName": [""]}, {"LastName": ""}, True),
        ({"Name": ["Alice"]}, {"Name": "Alice"}, True),
        ({"Name": [{"equals-ignore-case": "alice"}]}, {"Name": "Alice"}, True),
        ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Tuesday"}, False),
        ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Debit"}, True),
        ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Location": "Rome", "Day": "Monday"}, True),
        ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Location": "Rome", "Day": "Friday"}, False),
        ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Sunny"}, True),
        ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 100}, True),
        ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 10}, False),
        ({"ProductName": [{"exists": True}]}, {"ProductName": "x"}, True),
        ({"ProductName": [{"exists": False}]}, {}, True),
        ({"Region": [{"prefix": "us-"}]}, {"Region": "eu-west-1"}, False),
        ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png"}, True),
    ],
)
def test_examples_of_lambdas_guide(pattern: dict[str, Any], event: dict[str, Any], matches: bool) -> None:
    assert parse(json.dumps(pattern)).matches(event) is matches


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        # "Matching on arrays", and Event Ruler's "JSON Array Matching"
        ({"tags": ["a", "b"]}, {"tags": ["x", "b"]}, True),
        ({"tags": ["a"]}, {"tags": []}, False),
        ({"tags": [{"exists": False}]}, {"tags": []}, True),
        ({"tags": ["a"]}, {"tags": [["x"], ["a"]]}, True),
        ({"tags": [{"anything-but": "a"}]}, {"tags": ["a", "b"]}, True),
        ({"p": {"n": ["A"], "m": [2]}}, {"p": [{"n": "A", "m": 1}, {"n": "B", "m": 2}]}, False),
        ({"p": {"n": ["A"], "m": [1]}}, {"p": [{"n": "B", "m": 1}, {"n": "A", "m": 1}]}, True),
        ({"p": {"n": {"x": [1]}, "m": [2]}}, {"p": [{"n": [{"x": 1}], "m": 1}, {"n": [{"x": 2}], "m": 2}]}, False),
        ({"a": {"x": [1]}, "b": {"x": [2]}}, {"a": [{"x": 1}], "b": [{"x": 9}, {"x": 2}]}, True),
        ({"p": {"n": [{"exists": False}]}}, {"p": [{}, {"n": 1}]}, False),
        ({"p": {"m": [2], "n": [{"exists": False}]}}, {"p": [{"m": 2}, {"m": 1, "n": 1}]}, True),
        ({"p": {"n": [{"exists": False}]}}, {"p": "text"}, True),
        # Dots join names
        ({"a": {"b.c": [1]}}, {"a": {"b": {"c": 1}}}, True),
        ({"a": {"b": {"c": [1]}}}, {"a.b": {"c": 1}}, True),
        # `$or` with what stands around it; nested; beside another; as a field's name
        ({"s": [1], "$or": [{"a": [1]}, {"b": [1], "c": [1]}]}, {"s": 1, "b": 1, "c": 1}, True),
        ({"s": [1], "$or": [{"a": [1]}, {"b": [1], "c": [1]}]}, {"s": 2, "a": 1}, False),
        ({"$or": [{"a": [1]}, {"b": [1], "$or": [{"c": [1]}, {"d": [1]}]}]}, {"b": 1, "d": 1}, True),
        ({"d": {"$or": [{"a": [1]}, {"b": [1]}]}, "e": [1]}, {"d": {"b": 1}, "e": 1}, True),
        ({"$or": {"a": [1]}}, {"$or": {"a": 1}}, True),
        ({"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 2}, True),
    ],
)
def test_arrays_dots_and_or(pattern: dict[str, Any], event: dict[str, Any], matches: bool) -> None:
    assert parse(json.dumps(pattern)).matches(event) is matches


def test_wildcards_escape() -> None:
    assert parse(r'{"a": [{"wildcard": "1\\*2\\\\*"}]}').matches({"a": "1*2\\3"})
    assert not parse(r'{"a": [{"wildcard": "1\\*2"}]}').matches({"a": "1x2"})


@pytest.mark.parametrize(
    "text",
    [
        *("", "word", "[]", "1", "null", "{}", '{"a": {}}', '{"a": []}', '{"a": "x"}', '{"a": 1}', '{"a": [NaN]}'),
        *('{"a": [["x"]]}', '{"a": [{}]}', '{"a": [{"Prefix": "x"}]}', '{"a": [{"prefix": "x", "suffix": "y"}]}'),
        *('{"a": [{"prefix": 1}]}', '{"a": [{"prefix": {"wildcard": "x"}}]}', '{"a": [{"exists": "yes"}]}'),
        *('{"a": [{"anything-but": []}]}', '{"a": [{"anything-but": ["x", 1]}]}', '{"a": [{"anything-but": null}]}'),
        *('{"a": [{"anything-but": {"prefix": ""}}]}', '{"a": [{"anything-but": {"numeric": [">", 1]}}]}'),
        *('{"a": [{"numeric": []}]}', '{"a": [{"numeric": [">"]}]}', '{"a": [{"numeric": [">", "1"]}]}'),
        *('{"a": [{"numeric": ["<", 1, ">", 0]}]}', '{"a": [{"numeric": [">", 2, "<", 1]}]}'),
        *(
            '{"a": [{"numeric": ["=", 1, "<", 2]}]}',
            '{"a": [{"numeric": ["!=", 1]}]}',
            '{"a": [{"numeric": [">", true]}]}',
        ),
        *('{"a": [{"cidr": "10.0.0.1"}]}', '{"a": [{"cidr": "10.0.0.0/32"}]}', '{"a": [{"cidr": "300.0.0.0/8"}]}'),
        *('{"a": [{"wildcard": "a**b"}]}', r'{"a": [{"wildcard": "a\\b"}]}', r'{"a": [{"wildcard": "a\\"}]}'),
        *('{"$or": [{"prefix": "x"}, {"b": [1]}]}', '{"$or": []}', "[" * 5000, '{"a":' * 5000),
        json.dumps({f"{n}": {"$or": [{"a": [1]}, {"b": [1]}]} for n in range(10)}),
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(InvalidPattern):
        parse(text)


def test_an_event_without_end_is_no_match() -> None:
    event: Any = "x"
    for _ in range(100_000):
        event = [event]
    assert not parse('{"a": ["x"]}').matches({"a": event})
