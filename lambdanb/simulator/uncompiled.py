"""A compiled function as the plain Python that it was made from: the reference."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


def uncompiled(function: Any) -> Callable[..., Any]:
    """A function compiled by Numba as plain Python, together with all that it calls."""
    return _plain(function, {})


def _plain(function: Any, done: dict[Any, Callable[..., Any]]) -> Callable[..., Any]:
    if function not in done:
        source = function.py_func
        names = dict(source.__globals__)
        done[function] = FunctionType(source.__code__, names, source.__name__, source.__defaults__, source.__closure__)
        names.update({name: _plain(each, done) for name, each in names.items() if hasattr(each, "py_func")})
    return done[function]
