"""Tags of functions.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
"""

from __future__ import annotations

from collections.abc import Mapping

from lambdanb.gateway.api import Api, Members, function_of
from lambdanb.gateway.refusals import not_here
from lambdanb.model.errors import InvalidParameterValueException

TAGS = "tags"
_MOST_TAGS = 50
_KEY_LENGTH = 128
_VALUE_LENGTH = 256


def check_tags(present: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """All tags with those that are added. Raises InvalidParameterValueException."""
    tags = {**present, **added}
    if len(tags) > _MOST_TAGS:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.")
    for key, value in added.items():
        if not 1 <= len(key) <= _KEY_LENGTH or len(value) > _VALUE_LENGTH:
            raise InvalidParameterValueException(
                f"The tag {key[:200]!r}: keys have 1 to {_KEY_LENGTH} characters, values at most {_VALUE_LENGTH}."
            )
        if key.lower().startswith("aws:"):
            raise InvalidParameterValueException(f"The tag {key!r}: keys that begin with aws: are AWS's own.")
    return tags


def _function(operation: str, members: Members) -> str:
    resource = members["Resource"]
    if ":function:" not in resource:
        raise not_here(f"{operation} of {resource}", "only functions have tags here")
    name, qualifier = function_of({"FunctionName": resource})
    if qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return name


async def tag_resource(api: Api, members: Members) -> None:
    """204."""
    name = _function("TagResource", members)
    if not members["Tags"]:
        raise InvalidParameterValueException("An error occurred and the request cannot be processed.")
    async with api.changing:
        tags = check_tags(await api.attached(TAGS, name, "") or {}, members["Tags"])
        await api.link.ask("attach", kind=TAGS, function=name, key="", value=tags)


async def untag_resource(api: Api, members: Members) -> None:
    """204, also for tags that aren't there."""
    name = _function("UntagResource", members)
    async with api.changing:
        tags = await api.attached(TAGS, name, "") or {}
        left = {key: value for key, value in tags.items() if key not in members["TagKeys"]}
        await api.link.ask("attach", kind=TAGS, function=name, key="", value=left)


async def list_tags(api: Api, members: Members) -> Members:
    """All of them."""
    return {"Tags": await api.attached(TAGS, _function("ListTags", members), "") or {}}


HANDLERS = {"TagResource": tag_resource, "UntagResource": untag_resource, "ListTags": list_tags}
