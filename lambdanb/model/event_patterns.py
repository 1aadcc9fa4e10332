"""Event patterns: which events a filter lets through, as EventBridge and Lambda's filter criteria decide it.

    parse('{"body": {"kind": ["order"], "total": [{"numeric": [">", 100]}]}}').matches(record)

A pattern names fields by their place; each has a list, of which one test must hold for one value of the event there.
All fields must hold; `$or` gives alternatives. An array offers its elements one by one, and fields of objects in an
array must hold in one and the same object. Names joined by a dot are a place too. Only leaves have values: an object
or an empty array doesn't exist.

As Event Ruler does it, a pattern becomes rules without `$or`, each a test for some places.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
https://github.com/aws/event-ruler
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from lambdanb.model.pattern_operators import NAMES, InvalidPattern, Test, equals, operator_test

__all__ = ["InvalidPattern", "Pattern", "parse"]

MOST_RULES = 1000
"""Alternatives that the `$or`s of a pattern may come to, as on AWS."""
_DEEPEST = 64
_RESERVED = NAMES | {"exactly", "=", "<", "<=", ">", ">="}
"""An object of `$or` that has one of these as a field isn't an alternative."""

Places = dict[int, int]
"""For arrays on the way to a value, by identity: which element it is in."""


@dataclass(frozen=True, slots=True)
class Field:
    """What holds for one place: a value passes one of the tests, or there is none and that is allowed."""

    path: str
    tests: tuple[Test, ...]
    absent: bool

    def passes(self, value: Any) -> bool:
        return any(test(value) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready to match."""

    rules: tuple[tuple[Field, ...], ...]

    def matches(self, event: Any) -> bool:
        """Whether an event, as JSON data, is let through."""
        try:
            return any(_holds(rule, event, {}) for rule in self.rules)
        except RecursionError:
            return False  # an event of arrays in arrays in arrays


def parse(text: str) -> Pattern:
    """Raises InvalidPattern for what EventBridge would refuse."""
    try:
        given = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidPattern("Invalid JSON") from None
    if not isinstance(given, dict):
        raise InvalidPattern("Filter is not an object")
    rules: list[dict[str, Field]] = _compiled(given, "", [{}], 0)
    # In the order of their places, as Event Ruler goes through them: whether a field of objects in an array is absent
    # is asked of the element that the fields before it chose, or else of all.
    return Pattern(tuple(tuple(rule[path] for path in sorted(rule)) for rule in rules))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _compiled(given: dict[str, Any], path: str, rules: list[dict[str, Field]], depth: int) -> list[dict[str, Field]]:
    """The rules, each with what an object of the pattern asks besides. Of two tests for a place the later one holds."""
    if not given:
        raise InvalidPattern("Empty objects are not allowed")
    if depth > _DEEPEST:
        raise InvalidPattern("Event pattern is nested too deeply")
    for name, value in given.items():
        if name == "$or" and _is_or(value):
            branches = [_compiled(each, path, [dict(rule) for rule in rules], depth + 1) for each in value]
            rules = [rule for branch in branches for rule in branch]
            if len(rules) > MOST_RULES:
                raise InvalidPattern(f"Event pattern contains more than {MOST_RULES} rule combinations")
            continue
        place = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            rules = _compiled(value, place, rules, depth + 1)
        elif isinstance(value, list):
            field = _field(place, value)
            for rule in rules:
                rule[place] = field
        else:
            raise InvalidPattern(f'"{name}" must be an object or an array')
    return rules


def _is_or(value: Any) -> bool:
    """Otherwise `$or` is a field's name like any other."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(each, dict) and each and not _RESERVED & each.keys() for each in value)
    )


def _field(path: str, values: list[Any]) -> Field:
    if not values:
        raise InvalidPattern("Empty arrays are not allowed")
    tests: list[Test] = []
    absent = False
    for value in values:
        if isinstance(value, list):
            raise InvalidPattern("Match value must be String, number, true, false, or null")
        if not isinstance(value, dict):
            tests.append(equals(value))
            continue
        if len(value) != 1:
            raise InvalidPattern("Only one key allowed in match expression")
        ((name, operand),) = value.items()
        if name != "exists":
            tests.append(operator_test(name, operand))
        elif not isinstance(operand, bool):
            raise InvalidPattern("exists match pattern must be either true or false.")
        elif operand:
            tests.append(lambda _: True)
        else:
            absent = True
    return Field(path, tuple(tests), absent)


def _holds(fields: tuple[Field, ...], event: Any, inside: Places) -> bool:
    """Whether the fields hold, for values that lie in the elements of arrays that were chosen already."""
    if not fields:
        return True
    field, rest = fields[0], fields[1:]
    there = False
    tried: list[Places] = []
    for value, places in _leaves(event, field.path, {}):
        if any(inside.get(array, element) != element for array, element in places.items()):
            continue
        there = True
        if places not in tried and field.passes(value):
            tried.append(places)
            if _holds(rest, event, {**inside, **places}):
                return True
    return not there and field.absent and _holds(rest, event, inside)


def _leaves(node: Any, path: str | None, places: Places) -> Iterator[tuple[Any, Places]]:
    """The values at a place, with the elements of arrays that they lie in. None: this is the place."""
    if isinstance(node, list):
        for element, each in enumerate(node):
            yield from _leaves(each, path, {**places, id(node): element} if isinstance(each, dict) else places)
    elif path is None:
        if not isinstance(node, dict):
            yield node, places
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == path:
                yield from _leaves(value, None, places)
            elif path.startswith(f"{name}."):
                yield from _leaves(value, path[len(name) + 1 :], places)
