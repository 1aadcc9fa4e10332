"""Layers: numbered zips that functions share. What they bring for Python is laid under a function's own files.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdanb.gateway.api import Api, Members, page, timestamp
from lambdanb.gateway.code_links import code_location
from lambdanb.gateway.packages import unpacked
from lambdanb.gateway.permissions import added, change, document, removed, statement_of
from lambdanb.model.errors import InvalidParameterValueException, ResourceNotFoundException
from lambdanb.model.names import ACCOUNT, REGION

LAYER = "layer"
_NUMBER = "layer-number"
_POLICY = "layer-policy"
_MOST = 5
_PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"


def _name(members: Members) -> str:
    given: str = members["LayerName"]
    name = given.removeprefix(_PREFIX)
    if ":" in name:
        raise ResourceNotFoundException(f"The resource you requested does not exist: {given}")
    return name


def _key(name: str, number: int) -> str:
    return f"{name}:{number:019d}"


async def _layers(api: Api) -> list[Members]:
    """All layer versions, by name and number."""
    return [entry["value"] for entry in (await api.link.ask("attachments", kind=LAYER, function=""))["attachments"]]


async def _layer(api: Api, name: str, number: int) -> Members:
    if number < 1:
        raise InvalidParameterValueException("Layer Version Cannot be less than 1")
    layer: Members | None = await api.attached(LAYER, "", _key(name, number))
    if layer is None:
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return layer


async def _layer_with_policy(api: Api, name: str, number: int) -> Members:
    """As `_layer`, which the operations on policies miss in other words."""
    try:
        return await _layer(api, name, number)
    except ResourceNotFoundException:
        raise ResourceNotFoundException(f"Layer version {_PREFIX}{name}:{number} does not exist.") from None


def _told(layer: Mapping[str, Any]) -> Members:
    """As lists tell it."""
    return {
        "LayerVersionArn": f"{_PREFIX}{layer['name']}:{layer['number']}",
        "LayerArn": f"{_PREFIX}{layer['name']}",
        "Version": layer["number"],
        "Description": layer["description"],
        "CreatedDate": layer["created"],
        "CompatibleRuntimes": layer["runtimes"],
        "CompatibleArchitectures": layer["architectures"],
        "LicenseInfo": layer["license"],
    }


def _told_whole(api: Api, layer: Mapping[str, Any]) -> Members:
    location = code_location(api, layer["content"], layer["name"])
    return {**_told(layer), "Content": {"Location": location, **layer["facts"]}}


async def publish_layer_version(api: Api, members: Members) -> Members:
    """201 with the next number."""
    name = _name(members)
    package, facts = await unpacked(api, "PublishLayerVersion", members["Content"])
    async with api.changing:
        number = (await api.attached(_NUMBER, "", name) or 0) + 1
        layer = {
            "name": name,
            "number": number,
            "description": members.get("Description", ""),
            "created": timestamp(),
            "runtimes": members.get("CompatibleRuntimes"),
            "architectures": members.get("CompatibleArchitectures"),
            "license": members.get("LicenseInfo"),
            "facts": facts,
            "content": package.sha256,
        }
        await api.link.ask("attach", kind=LAYER, function="", key=_key(name, number), value=layer)
        await api.link.ask("attach", kind=_NUMBER, function="", key=name, value=number)
    return _told_whole(api, layer)


async def get_layer_version(api: Api, members: Members) -> Members:
    """With where it can be downloaded."""
    return _told_whole(api, await _layer(api, _name(members), members["VersionNumber"]))


async def get_layer_version_by_arn(api: Api, members: Members) -> Members:
    """As GetLayerVersion."""
    return _told_whole(api, await _by_arn(api, members["Arn"]))


async def _by_arn(api: Api, arn: str) -> Members:
    name, _, number = arn.removeprefix(_PREFIX).rpartition(":")
    if not arn.startswith(_PREFIX) or not number.isdecimal() or len(number) > 18:
        raise ResourceNotFoundException(f"Layer version {arn} does not exist.")
    return await _layer(api, name, int(number))


async def delete_layer_version(api: Api, members: Members) -> None:
    """204, also where there is none. Functions that use it go on with it; its number isn't given again."""
    name, number = _name(members), members["VersionNumber"]
    if number < 1:
        raise InvalidParameterValueException("Layer Version Cannot be less than 1")
    await api.link.ask("detach", kind=LAYER, function="", key=_key(name, number))
    await api.link.ask("detach", kind=_POLICY, function="", key=_key(name, number))


def _fits(layer: Mapping[str, Any], members: Members) -> bool:
    runtime, architecture = members.get("CompatibleRuntime"), members.get("CompatibleArchitecture")
    return (runtime is None or runtime in (layer["runtimes"] or ())) and (
        architecture is None or architecture in (layer["architectures"] or ())
    )


async def list_layers(api: Api, members: Members) -> Members:
    """By name, each with its latest version that fits."""
    latest = {layer["name"]: layer for layer in await _layers(api) if _fits(layer, members)}
    told = [
        {"LayerName": name, "LayerArn": f"{_PREFIX}{name}", "LatestMatchingVersion": _told(layer)}
        for name, layer in sorted(latest.items())
    ]
    chosen, marker = page(told, members, lambda each: str(each["LayerName"]))
    return {"Layers": chosen, "NextMarker": marker}


async def list_layer_versions(api: Api, members: Members) -> Members:
    """Newest first."""
    name = _name(members)
    found = [layer for layer in await _layers(api) if layer["name"] == name and _fits(layer, members)]
    told = [_told(layer) for layer in reversed(found)]
    chosen, marker = page(told, members, lambda each: f"{2**63 - each['Version']:020d}")
    return {"LayerVersions": chosen, "NextMarker": marker}


async def add_layer_version_permission(api: Api, members: Members) -> Members:
    """201."""
    name, number = _name(members), members["VersionNumber"]
    layer = await _layer_with_policy(api, name, number)
    statement = statement_of(members, _told(layer)["LayerVersionArn"])
    key = _key(name, number)
    value = await change(api, _POLICY, "", key, members, lambda statements: added(statements, statement))
    return {"Statement": json.dumps(statement, separators=(",", ":")), "RevisionId": value["revision_id"]}


async def remove_layer_version_permission(api: Api, members: Members) -> None:
    """204."""
    name, number = _name(members), members["VersionNumber"]
    await _layer_with_policy(api, name, number)
    statement_id = members["StatementId"]
    await change(api, _POLICY, "", _key(name, number), members, lambda statements: removed(statements, statement_id))


async def get_layer_version_policy(api: Api, members: Members) -> Members:
    """The whole policy, as JSON in a string."""
    name, number = _name(members), members["VersionNumber"]
    await _layer_with_policy(api, name, number)
    value = await api.attached(_POLICY, "", _key(name, number))
    if value is None:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    policy = json.dumps(document(value["statements"]), separators=(",", ":"))
    return {"Policy": policy, "RevisionId": value["revision_id"]}


async def layer_references(api: Api, arns: Sequence[str]) -> list[Members]:
    """The layers of a function, as they are recorded with it. Raises InvalidParameterValueException."""
    if len(arns) > _MOST:
        raise InvalidParameterValueException(f"Too many layers: {len(arns)}. A function can have at most {_MOST}.")
    seen: dict[str, str] = {}
    for arn in arns:
        name = arn.rpartition(":")[0]
        if name in seen:
            raise InvalidParameterValueException(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{seen[name]} and {arn} are versions of the same layer."
            )
        seen[name] = arn
    references = []
    for arn in arns:
        if arn.split(":")[3] not in ("", REGION):
            raise InvalidParameterValueException(
                f"Layers are not in the same region as the function. Layers are expected to be in region {REGION}."
            )
        try:
            layer = await _by_arn(api, arn)
        except ResourceNotFoundException:
            raise InvalidParameterValueException(f"Layer version {arn} does not exist.") from None
        references.append({"Arn": arn, "CodeSize": layer["facts"]["CodeSize"], "Content": layer["content"]})
    return references


def contents_of(layers: Sequence[Members]) -> list[str]:
    """The folders of a function's layers in the code store, the first to be laid first."""
    return [layer["Content"] for layer in layers]


HANDLERS = {
    "PublishLayerVersion": publish_layer_version,
    "GetLayerVersion": get_layer_version,
    "GetLayerVersionByArn": get_layer_version_by_arn,
    "DeleteLayerVersion": delete_layer_version,
    "ListLayers": list_layers,
    "ListLayerVersions": list_layer_versions,
    "AddLayerVersionPermission": add_layer_version_permission,
    "RemoveLayerVersionPermission": remove_layer_version_permission,
    "GetLayerVersionPolicy": get_layer_version_policy,
}
