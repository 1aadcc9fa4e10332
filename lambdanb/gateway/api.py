"""What the operations work with, and the ways in which AWS lets one name a function."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from lambdanb.client.credentials import Credentials
from lambdanb.client.link import Link
from lambdanb.code.store import CodeStore
from lambdanb.model.errors import AccessDeniedException, InvalidParameterValueException, ResourceNotFoundException
from lambdanb.model.names import ACCOUNT, ALIAS_PATTERN, REGION, function_arn, matches
from lambdanb.model.rules import RULES, Rules

Members = dict[str, Any]
Handler = Callable[["Api", Members], Awaitable[Members | None]]
Item = TypeVar("Item")

_FUNCTION = re.compile(
    r"(?:arn:(?P<partition>[a-z-]+):lambda:)?(?:(?P<region>[a-z-]+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?",
    re.ASCII,
)


@dataclass
class Api:
    """One home's API. `changing` is held by an operation that reads what is attached, and writes it changed."""

    link: Link
    home: Path
    url: str
    credentials: Credentials
    store: CodeStore
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def rules(self) -> Rules:
        """The rules in force."""
        return RULES[(await self.link.ask("settings"))["rules"]]

    async def attached(self, kind: str, function: str, key: str) -> Any:
        """What is attached to a function under a key; None where nothing is. Raises ResourceNotFoundException."""
        found = (await self.link.ask("attachments", kind=kind, function=function))["attachments"]
        return next((entry["value"] for entry in found if entry["key"] == key), None)


def function_of(members: Mapping[str, Any], *, qualified: bool = True) -> tuple[str, str | None]:
    """The function's name and the qualifier that a request names, the one in its ARN or the one beside it.

    Raises ResourceNotFoundException for another region's, AccessDeniedException for another account's,
    InvalidParameterValueException where the two qualifiers differ or, without `qualified`, where there is any.
    """
    asked = members["FunctionName"]
    found = _FUNCTION.fullmatch(asked)
    if found is None:
        raise InvalidParameterValueException(f"Invalid function name: {asked}")
    if found["region"] not in (None, REGION):
        raise ResourceNotFoundException(
            f"Functions from '{found['region']}' are not reachable in this region ('{REGION}')"
        )
    if found["account"] not in (None, ACCOUNT):
        raise AccessDeniedException(f"{asked} is of another account: here is {ACCOUNT} alone.")
    own, beside = found["qualifier"], members.get("Qualifier")
    if own is not None and beside is not None and own != beside:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    qualifier = beside if own is None else own
    if qualifier is not None and not qualified:
        raise InvalidParameterValueException(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    return found["name"], qualifier


async def check_qualified(api: Api, name: str, qualifier: str | None) -> None:
    """Before something is put on a function, version or alias. Raises ResourceNotFoundException."""
    try:
        await api.link.ask("version", name=name, qualifier=qualifier)
    except ResourceNotFoundException:
        if qualifier is not None and matches(ALIAS_PATTERN, qualifier):
            raise ResourceNotFoundException(f"Cannot find alias arn: {function_arn(name, qualifier)}") from None
        raise


def arn_of(name: str, qualifier: str | None = None) -> str:
    """The ARN of a function, with the qualifier where there is one."""
    return function_arn(name, qualifier)


def timestamp() -> str:
    """Now, in AWS's form: 2026-11-23T22:14:00.123+0000."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def page(
    items: Sequence[Item], members: Mapping[str, Any], key: Callable[[Item], str], most: int = 50
) -> tuple[list[Item], str | None]:
    """A page of sorted items and the marker of the next one: the key of the last item, so that what is made or removed
    meanwhile shifts nothing. `MaxItems` asks for fewer than `most`.

    Raises InvalidParameterValueException for a marker that is none of ours.
    """
    size = min(members.get("MaxItems") or most, most)
    marker = members.get("Marker")
    start = 0
    if marker:
        last = _unmask(marker)
        start = next((place for place, item in enumerate(items) if key(item) == last), -1) + 1
        if start == 0:
            # The item that the marker named is gone: go on with the first one after it.
            start = next((place for place, item in enumerate(items) if key(item) > last), len(items))
    chosen = list(items[start : start + size])
    more = start + size < len(items)
    return chosen, _mask(key(chosen[-1])) if more and chosen else None


def _mask(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _unmask(marker: str) -> str:
    try:
        return base64.urlsafe_b64decode(marker.encode()).decode()
    except (binascii.Error, ValueError):
        raise InvalidParameterValueException(f"Invalid marker: {marker[:100]}") from None
