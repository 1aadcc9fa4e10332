"""What the numbers of a stream may be. Each function gives the value back, or raises ValueError saying what it is, what
is allowed and what was given: "rate must be a number of arrivals per second from 0, not -3".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real


def rate(name: str, value: object) -> float:
    """Arrivals per second: a finite number from 0."""
    return _number(name, value, "a number of arrivals per second from 0", 0.0)


def seconds(name: str, value: object) -> float:
    """A time: a finite number from 0."""
    return _number(name, value, "a number of seconds from 0", 0.0)


def length(name: str, value: object) -> float:
    """A length of time: a finite number over 0."""
    return _number(name, value, "a number of seconds over 0", math.ulp(0.0))


def factor(name: str, value: object) -> float:
    """What a rate is multiplied by: a finite number from 0."""
    return _number(name, value, "a number from 0", 0.0)


def probability(name: str, value: object) -> float:
    """A number from 0 to 1."""
    return _number(name, value, "a probability from 0 to 1", 0.0, 1.0)


def hurst(name: str, value: object) -> float:
    """The Hurst parameter of a long-range dependent process: between 0.5 and 1, both excluded."""
    return _number(name, value, "a number over 0.5 and under 1", math.nextafter(0.5, 1), math.nextafter(1.0, 0))


def whole(name: str, value: object, least: int) -> int:
    """A whole number from `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, not {value!r}")
    return int(value)


def until(name: str, value: object) -> float:
    """An end: a number of seconds from 0, which may be infinite."""
    if isinstance(value, Real) and value == math.inf:
        return math.inf
    return _number(name, value, "a number of seconds from 0, or math.inf", 0.0)


def series(name: str, value: object, least: int) -> tuple[object, ...]:
    """A sequence of at least `least` values, as a tuple."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a sequence of numbers, not {value!r}")
    values = tuple(value)
    if len(values) < least:
        raise ValueError(f"{name} must have at least {least} value{'' if least == 1 else 's'}, not {len(values)}")
    return values


def _number(name: str, value: object, allowed: str, least: float, most: float = math.inf) -> float:
    if not isinstance(value, bool) and isinstance(value, Real):
        number = float(value)
        if math.isfinite(number) and least <= number <= most:
            return number
    raise ValueError(f"{name} must be {allowed}, not {value!r}")
