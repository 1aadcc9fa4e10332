"""What counts as a number where a person gives one: Python's and NumPy's, but no bool and no text."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TypeGuard


def is_number(value: object) -> bool:
    """A real number; it may be NaN or infinite."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """A whole number by its type: 3, but not 3.0."""
    return isinstance(value, Integral) and not isinstance(value, bool)
