"""The comparison operators of event patterns: each takes what a pattern says and gives a test of one JSON value.

A value that an operator isn't for passes no test: a prefix is of strings alone, a number of numbers alone.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable
from typing import Any

Test = Callable[[Any], bool]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class InvalidPattern(ValueError):
    """A pattern that EventBridge refuses; the message says why."""


def equals(wanted: Any) -> Test:
    """JSON's own equality: 1 is 1.0, and neither is "1" or true."""
    return lambda value: isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def operator_test(name: str, operand: Any) -> Test:
    """The test that `{name: operand}` is. Raises InvalidPattern."""
    make = _OPERATORS.get(name)
    if make is None:
        raise InvalidPattern(f"Unrecognized match type {name}")
    return make(operand)


def _of_text(name: str, operand: Any) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return operand


def _prefix(operand: Any) -> Test:
    if isinstance(operand, dict):
        start = _case_inside("prefix", operand)
        return lambda value: isinstance(value, str) and _same_letters(value[: len(start)], start)
    start = _of_text("prefix", operand)
    return lambda value: isinstance(value, str) and value.startswith(start)


def _suffix(operand: Any) -> Test:
    if isinstance(operand, dict):
        end = _case_inside("suffix", operand)
        return lambda value: (
            isinstance(value, str) and len(value) >= len(end) and _same_letters(value[len(value) - len(end) :], end)
        )
    end = _of_text("suffix", operand)
    return lambda value: isinstance(value, str) and value.endswith(end)


def _case_inside(name: str, operand: dict[str, Any]) -> str:
    if operand.keys() != {"equals-ignore-case"}:
        raise InvalidPattern(f"Unsupported {name} pattern: {', '.join(operand) or 'empty'}")
    return _of_text("equals-ignore-case", operand["equals-ignore-case"])


def _equals_ignore_case(operand: Any) -> Test:
    text = _of_text("equals-ignore-case", operand)
    return lambda value: isinstance(value, str) and _same_letters(value, text)


def _same_letters(value: str, wanted: str) -> bool:
    """Character by character, each in either of its cases."""
    return len(value) == len(wanted) and all(
        own in (each, each.lower(), each.upper()) for own, each in zip(value, wanted, strict=True)
    )


def _wildcard(operand: Any) -> Test:
    """`*` stands for any characters, or none; `\\*` and `\\\\` for themselves."""
    parts = [""]
    characters = iter(_of_text("wildcard", operand))
    before = ""
    for character in characters:
        if character == "*":
            if before == "*":
                raise InvalidPattern("Consecutive wildcard characters")
            parts.append("")
            before = "*"
            continue
        before = ""
        if character == "\\":
            character = next(characters, "")
            if character not in ("*", "\\"):
                raise InvalidPattern("Invalid escape character")
        parts[-1] += character
    return lambda value: isinstance(value, str) and _fits(value, parts)


def _fits(value: str, parts: list[str]) -> bool:
    """Whether the parts stand in the value one after the other, the first at its start and the last at its end."""
    first, *middle = parts
    if not middle:
        return value == first
    *middle, last = middle
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    place, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _numeric(operand: Any) -> Test:
    """`[">", 0]`, or a range from its lower bound to its upper: `[">=", 0, "<", 5]`."""
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPattern("Value of numeric must be an array of one or two comparisons")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    for name, bound in pairs:
        if not isinstance(name, str) or name not in _COMPARISONS:
            raise InvalidPattern(f"Unrecognized numeric range operator: {name}")
        if not _is_number(bound):
            raise InvalidPattern(f"Value of {name} must be numeric")
    if len(pairs) == 2:
        (low_name, low), (high_name, high) = pairs
        if low_name not in (">", ">=") or high_name not in ("<", "<="):
            raise InvalidPattern("A numeric range is from > or >= to < or <=")
        if not low < high:
            raise InvalidPattern("Bottom must be less than top")
    return lambda value: _is_number(value) and all(_COMPARISONS[name](value, bound) for name, bound in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(operand: Any) -> Test:
    address, slash, bits = _of_text("cidr", operand).partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()):
        raise InvalidPattern("Malformed CIDR, one '/' and the mask's bits are required")
    try:
        network = ipaddress.ip_network((_address(address), int(bits)), strict=False)
    except ValueError as error:
        raise InvalidPattern(f"Malformed CIDR: {error}") from None
    if network.prefixlen == network.max_prefixlen:
        raise InvalidPattern(f"IPv{network.version} mask bits must be < {network.max_prefixlen}")

    def inside(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(_address(value)) in network
        except ValueError:
            return False

    return inside


def _address(text: str) -> str:
    """An address as Python reads it: AWS takes 010 for 10, and no zone."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    if text.count(".") == 3 and ":" not in text and text.replace(".", "").isdigit() and text.isascii():
        return ".".join(part.lstrip("0") or "0" for part in text.split("."))
    return text


def _anything_but(operand: Any) -> Test:
    """No value of those; or no string that begins, ends or goes as one of those."""
    tests: list[Test]
    if isinstance(operand, dict):
        if len(operand) != 1 or not operand.keys() <= _BUT:
            raise InvalidPattern(f"Unsupported anything-but pattern: {', '.join(operand) or 'empty'}")
        ((name, inner),) = operand.items()
        values = inner if isinstance(inner, list) else [inner]
        if not values or (name in ("prefix", "suffix") and "" in values):
            raise InvalidPattern(f"Null {name} not allowed")
        tests = [operator_test(name, _of_text(name, value)) for value in values]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not values or not (all(isinstance(each, str) for each in values) or all(map(_is_number, values))):
            raise InvalidPattern("Inside anything but list, either all values are number or string")
        tests = [equals(value) for value in values]
    return lambda value: not any(test(value) for test in tests)


_BUT = {"prefix", "suffix", "equals-ignore-case", "wildcard"}
_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}

NAMES = frozenset((*_OPERATORS, "exists"))
"""All of them; `exists` is of the field, not of a value, and so the pattern's own."""
