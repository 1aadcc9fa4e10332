"""The event in a line such as `%lambda invoke NAME {"key": 1} --async`: JSON, or a Python expression.

    {"key": [1, 2]}   JSON, with or without quotes around it
    {photo}, $photo   the value of a variable, or of any expression in braces

The event is cut out before the line is split into words, since JSON has blanks and quotes of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from lambdanb.client.options import UsageProblem

_WORD = re.compile(r"\S+")
_VARIABLE = re.compile(r"\$([A-Za-z_][\w.]*)")
_NOTHING = object()


def cut_event(line: str, evaluate: Callable[[str], Any], with_value: frozenset[str]) -> tuple[str, Any, bool]:
    """The line without its event, the event, and whether there was one.

    The event is what follows the function's name and is no option. `with_value`: options that take the next word.
    Raises UsageProblem for what is neither JSON nor a variable, and whatever evaluating an expression raises.
    """
    kept: list[str] = []
    event: Any = _NOTHING
    named = False
    at = 0
    while (word := _WORD.search(line, at)) is not None:
        at = word.end()
        if word[0].startswith("--") or word[0] in ("-h", "-q"):
            kept.append(word[0])
            value = _WORD.search(line, at)
            if word[0] in with_value and value is not None:
                kept.append(value[0])
                at = value.end()
        elif not named:
            named = True
            kept.append(word[0])
        elif event is _NOTHING:
            event, at = _read(line, word.start(), evaluate)
        else:
            raise UsageProblem(f"There is more after the event: {line[word.start() :]!r}. Give one event.")
    found = event is not _NOTHING
    return " ".join(kept), event if found else None, found


def _read(line: str, start: int, evaluate: Callable[[str], Any]) -> tuple[Any, int]:
    """The event that begins at `start`, and where it ends."""
    text = line[start:]
    if text[0] == "'":
        end = text.find("'", 1)
        if end > 0:
            return _json(text[1:end]), start + end + 1
    variable = _VARIABLE.match(text)
    if variable is not None:
        return evaluate(variable[1]), start + variable.end()
    try:
        value, length = json.JSONDecoder().raw_decode(text)
        return value, start + length
    except ValueError as error:
        if text[0] != "{":
            raise _neither(text, error) from None
        for end in (found.end() for found in re.finditer("}", text)):
            expression = text[1 : end - 1].strip()
            if _is_expression(expression):
                return evaluate(expression), start + end
        raise _neither(text, error) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _neither(text, error) from None


def _is_expression(text: str) -> bool:
    try:
        compile(text, "<event>", "eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _neither(text: str, error: ValueError) -> UsageProblem:
    return UsageProblem(
        f'The event {text!r} is not JSON ({error}). Write JSON with double quotes, as in {{"key": 1}}, '
        "or name a variable, as in {event} or $event."
    )
