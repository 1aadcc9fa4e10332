"""Errors that name the choices: an unknown option, subcommand, function, version, alias; what was perhaps meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lambdanb.client.deploy import describe_functions
from lambdanb.client.function import Function

_MOST_NAMED = 30


class NotFound(Exception):
    """There is no such function, version or alias. The message names those there are."""


def unknown(kind: str, word: str, choices: Iterable[str]) -> str:
    """A sentence or two on a word that is none of the choices, with the closest one."""
    known = list(choices)
    text = f"There is no {kind} {word!r}"
    close = difflib.get_close_matches(word, known, 1, 0.5)
    if close:
        text += f"; did you mean {close[0]}?"
    if not known:
        return f"{text}; there is none at all."
    named = ", ".join(known[:_MOST_NAMED]) + (
        f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    )
    return f"{text}{' There are: ' if close else '; there are: '}{named}."


def function_unknown(name: str, qualifier: str | None = None) -> str | None:
    """What to say when a function, or its version or alias, was not found; None when it is there after all."""
    described = {each["configuration"]["function_name"]: each for each in describe_functions()}
    if name not in described:
        return unknown("function", name, described)
    there = described[name]
    qualifiers = [*there["versions"], *(alias["name"] for alias in there["aliases"])]
    if qualifier is None or qualifier in qualifiers:
        return None
    return unknown(f"version or alias of {name} called", qualifier, qualifiers)


def find(text: str) -> Function:
    """The function that a text names as AWS does: `name`, `name:version`, `name:alias`, or an ARN.

    Raises NotFound, which names the functions, or the function's versions and aliases.
    """
    from lambdanb.model.names import split_qualifier

    try:
        name, qualifier = split_qualifier(text)
    except ValueError:
        name, qualifier = text, None
    problem = function_unknown(name, qualifier)
    if problem is not None:
        raise NotFound(problem)
    return Function(name, qualifier)
