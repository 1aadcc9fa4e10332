"""Numbers of things that a caller asks for."""

from __future__ import annotations


def check_count(name: str, value: object) -> None:
    """Raise ValueError, naming the argument, unless the value is a whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}: give a whole number, 1 or more")
