"""Which values a request may have: what the model says of each member, refused in AWS's words.

    2 validation errors detected: Value null at 'role' failed to satisfy constraint: Member must not be null; Value 'x!'
    at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: ...

What depends on the rules in force (memory, timeout, ...) is the executor's to check, in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lambdanb.model.errors import ValidationException

_LONGEST_SHOWN = 1024
_MOST_TOLD = 10


def check(shape: Any, members: Mapping[str, Any]) -> None:
    """Raises ValidationException for the members of a request that are missing or out of bounds, all in one message."""
    found: list[str] = []
    _structure(shape, members, "", found)
    if found:
        head = f"{len(found)} validation error{'' if len(found) == 1 else 's'} detected: "
        raise ValidationException(head + "; ".join(found[:_MOST_TOLD]))


def _structure(shape: Any, value: Mapping[str, Any], path: str, found: list[str]) -> None:
    for name in shape.required_members:
        if name not in value:
            found.append(f"Value null at '{_at(path, name)}' failed to satisfy constraint: Member must not be null")
    for name, member in shape.members.items():
        if name in value:
            _value(member, value[name], _at(path, name), found)


def _value(shape: Any, value: Any, path: str, found: list[str]) -> None:
    kind = shape.type_name
    if kind == "structure":
        _structure(shape, value, path, found)
        return
    for constraint in _broken(shape, value):
        found.append(f"Value {_shown(shape, value)} at '{path}' failed to satisfy constraint: {constraint}")
    if kind == "list":
        _members(shape.member, value, "Member must satisfy constraint", shape, value, path, found)
    elif kind == "map":
        _members(shape.key, list(value), "Map keys must satisfy constraint", shape, value, path, found)
        _members(shape.value, list(value.values()), "Map value must satisfy constraint", shape, value, path, found)


def _members(member: Any, values: list[Any], words: str, shape: Any, whole: Any, path: str, found: list[str]) -> None:
    """AWS tells all the constraints of a list's or map's members where one of them is broken."""
    if member.type_name in ("structure", "list", "map"):
        for place, value in enumerate(values, 1):
            _value(member, value, f"{path}.{place}.member", found)
    elif any(_broken(member, value) for value in values):
        constraints = ", ".join([*_all(member), "Member must not be null"])
        found.append(f"Value {_shown(shape, whole)} at '{path}' failed to satisfy constraint: {words}: [{constraints}]")


def _broken(shape: Any, value: Any) -> list[str]:
    kind, metadata = shape.type_name, shape.metadata
    low, high = metadata.get("min"), metadata.get("max")
    broken = []
    if kind in ("string", "list", "map", "blob"):
        size = len(value)
        if high is not None and size > high:
            broken.append(f"Member must have length less than or equal to {high}")
        if low is not None and size < low:
            broken.append(f"Member must have length greater than or equal to {low}")
        if kind == "string":
            broken += _broken_text(shape, value)
    elif kind in ("integer", "long", "double", "float"):
        if high is not None and value > high:
            broken.append(f"Member must have value less than or equal to {high}")
        if low is not None and value < low:
            broken.append(f"Member must have value greater than or equal to {low}")
    return broken


def _broken_text(shape: Any, value: str) -> list[str]:
    broken = []
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value[: shape.metadata.get("max", len(value)) + 1]):
        broken.append(f"Member must satisfy regular expression pattern: {pattern}")
    if shape.enum and value not in shape.enum and shape.name != "Runtime":  # which has an error of its own
        broken.append(f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    return broken


def _all(shape: Any) -> list[str]:
    metadata = shape.metadata
    what = "length" if shape.type_name in ("string", "blob") else "value"
    constraints = []
    if "max" in metadata:
        constraints.append(f"Member must have {what} less than or equal to {metadata['max']}")
    if "min" in metadata:
        constraints.append(f"Member must have {what} greater than or equal to {metadata['min']}")
    if "pattern" in metadata:
        constraints.append(f"Member must satisfy regular expression pattern: {metadata['pattern']}")
    if shape.type_name == "string" and shape.enum:
        constraints.append(f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    return constraints


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    if r"\p{" not in pattern:
        return re.compile(pattern, re.ASCII | re.DOTALL)
    # Java's classes of letters, digits and separators, as near as Python's own come to them.
    for theirs, ours in ((r"\p{L}", r"\w"), (r"\p{N}", r"\w"), (r"\p{Z}", r"\s")):
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern)


def _shown(shape: Any, value: Any) -> str:
    """A value as AWS prints it: `'x'`, `'[a, b]'`, `'{k=v}'`; secrets and bytes aren't shown."""
    if shape.metadata.get("sensitive") or isinstance(value, bytes):
        return "'***'"
    if isinstance(value, list):
        text = f"[{', '.join(map(str, value))}]"
    elif isinstance(value, Mapping):
        secret = shape.type_name == "map" and shape.value.metadata.get("sensitive")
        text = ", ".join(f"{key}={'***' if secret else each}" for key, each in value.items())
        text = f"{{{text}}}"
    else:
        text = str(value)
    return f"'{text[:_LONGEST_SHOWN]}'"


def _at(path: str, name: str) -> str:
    """AWS writes members as Java does: functionName, code.s3Bucket, kMSKeyArn."""
    own = name[:1].lower() + name[1:]
    return f"{path}.{own}" if path else own
