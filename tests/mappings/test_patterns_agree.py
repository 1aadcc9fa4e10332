"""500 generated patterns and events each, decided here and by MiniStack's and moto's EventBridge.

Left out of it is what those two do otherwise than AWS's documentation and its Event Ruler (`ACFinder`, `NameState`):

MiniStack   `{"exists": false}` for a field of objects in an array: it is content with one object that lacks the field,
            where for Event Ruler the event has the field if any object has it
moto        arrays of objects and arrays in arrays are never looked into; empty objects and arrays exist, and pass
            `anything-but`; true is 1; patterns that AWS refuses are taken; of a field both in an `$or` and beside it
            both tests must hold, where for AWS the later one does
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from emulators import client, needs
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from lambdanb.model.event_patterns import InvalidPattern, parse
from lambdanb.model.names import ACCOUNT

Aws = dict[str, str]
CASES = 500

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "xy", "Xy", "yx", "x*y", "10.0.0.7", "10.0.1.7", "aXbXc"])
NUMBERS = st.sampled_from([0, 1, 1.0, 1.5, -3, 100, 1e3])
LEAVES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=3)

RANGES = st.sampled_from(
    [["=", 1], ["<", 100], [">=", 0, "<", 1.5], [">", -5, "<=", 1], [">", 1], ["<=", -3], [">", 0, "<", 2000]]
)
OPERATORS = st.one_of(
    st.fixed_dictionaries({"prefix": TEXTS.filter(bool)}),
    st.fixed_dictionaries({"suffix": TEXTS.filter(bool)}),
    st.fixed_dictionaries({"equals-ignore-case": TEXTS}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"numeric": RANGES}),
    st.fixed_dictionaries({"anything-but": st.one_of(TEXTS, NUMBERS)}),
    st.fixed_dictionaries({"anything-but": st.lists(TEXTS, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"anything-but": st.lists(NUMBERS, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"prefix": TEXTS.filter(bool)})}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"suffix": TEXTS.filter(bool)})}),
    st.fixed_dictionaries({"wildcard": st.sampled_from(["*", "x*", "*y", "a*b*c", "x\\*y", "*X*", "x"])}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "::/1"])}),
)
TESTS = st.lists(st.one_of(LEAVES, OPERATORS), min_size=1, max_size=3)
FIELDS = st.recursive(
    st.dictionaries(NAMES, TESTS, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, st.one_of(TESTS, inner), min_size=1, max_size=2),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=2, max_size=2)}),
    ),
    max_leaves=4,
)


def ours(pattern: Any, event: Any) -> bool | None:
    """Whether it matches; None for a pattern that is refused."""
    try:
        return parse(json.dumps({"detail": pattern})).matches({"detail": event})
    except InvalidPattern:
        return None


def theirs(events: Any, pattern: Any, event: Any) -> bool | None:
    """The same by TestEventPattern."""
    whole = {
        "id": "1",
        "account": ACCOUNT,
        "source": "s",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "t",
        "detail": event,
    }
    try:
        told = events.test_event_pattern(EventPattern=json.dumps({"detail": pattern}), Event=json.dumps(whole))
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidEventPatternException", error
        return None
    return bool(told["Result"])


def has_absent(pattern: Any) -> bool:
    """Whether a pattern has {"exists": false}."""
    return '"exists": false' in json.dumps(pattern)


def has_objects_in_arrays(event: Any, inside: bool = False) -> bool:
    """Whether an event has an object in an array."""
    if isinstance(event, list):
        return any(has_objects_in_arrays(each, True) for each in event)
    return isinstance(event, dict) and (inside or any(has_objects_in_arrays(each) for each in event.values()))


agreeing = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@needs("ministack")
def test_with_ministack(aws: Aws) -> None:
    events = client(aws, "events")
    decided: list[bool | None] = []

    @agreeing
    @given(FIELDS, EVENTS)
    def agree(pattern: Any, event: Any) -> None:
        assume(not (has_absent(pattern) and has_objects_in_arrays(event)))
        decided.append(ours(pattern, event))
        assert decided[-1] is theirs(events, pattern, event), (pattern, event)

    agree()
    assert len(decided) == CASES
    assert decided.count(True) > CASES / 10


# What moto reads as AWS does.
PLAIN = st.one_of(TEXTS, NUMBERS.filter(lambda number: number not in (0, 1)), st.none())
PLAIN_EVENTS = st.dictionaries(
    NAMES,
    st.one_of(
        PLAIN,
        st.lists(PLAIN, min_size=1, max_size=3),
        st.dictionaries(NAMES, st.one_of(PLAIN, st.lists(PLAIN, min_size=1, max_size=2)), min_size=1, max_size=3),
    ),
    max_size=3,
)


@needs("moto")
def test_with_moto() -> None:
    """moto has no TestEventPattern: what it decides rules by is asked itself."""
    from moto.events.models import EventPattern

    decided: list[bool | None] = []

    @agreeing
    @given(FIELDS, PLAIN_EVENTS)
    def agree(pattern: Any, event: Any) -> None:
        decided.append(ours(pattern, event))
        loaded = EventPattern.load(json.dumps({"detail": pattern}))
        assert decided[-1] is bool(loaded.matches_event({"detail": event})), (pattern, event)

    agree()
    assert len(decided) == CASES
    assert decided.count(True) > CASES / 10
