"""Functions: create, get, list, update, delete.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdanb.gateway.api import Api, Members, function_of, page
from lambdanb.gateway.code_links import code_location
from lambdanb.gateway.configurations import (
    being_created,
    being_updated,
    code_sha256,
    function_configuration,
    listed,
    recorded_of,
    settings_of,
)
from lambdanb.gateway.layers import contents_of, layer_references
from lambdanb.gateway.packages import code_for, unpacked
from lambdanb.gateway.recorded import CODE_SIGNING, check_code_signing_config
from lambdanb.gateway.tags import TAGS, check_tags
from lambdanb.model.errors import InvalidParameterValueException, PreconditionFailedException
from lambdanb.model.names import LATEST, NAME_LENGTH, is_version


async def create_function(api: Api, members: Members) -> Members:
    """201, Pending."""
    operation = "CreateFunction"
    name, _ = function_of(members, qualified=False)
    if len(name) > NAME_LENGTH:  # longer than the model says, for the sake of ARNs
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must "
            f"have length less than or equal to {NAME_LENGTH}"
        )
    settings = settings_of(operation, members)
    for needed in ("Runtime", "Handler"):
        if needed not in members:
            raise InvalidParameterValueException(
                f"{needed} is mandatory for functions created with deployment packages."
            )
    tags = check_tags({}, members.get("Tags", {}))
    if members.get("CodeSigningConfigArn"):
        await check_code_signing_config(api, members["CodeSigningConfigArn"])
    layers = await layer_references(api, members.get("Layers", []))
    recorded = recorded_of(operation, members)
    await api.link.ask("check_function", name=name, settings=settings, new=True)
    package, facts = await unpacked(api, operation, members["Code"])
    code = await code_for(api, package.sha256, members["Handler"], contents_of(layers))
    settings["recorded"] = {**recorded, **facts, **_layered(package.sha256, layers)}
    version = await api.link.ask("create_function", name=name, code=code, settings=settings)
    if tags:
        await api.link.ask("attach", kind=TAGS, function=name, key="", value=tags)
    if members.get("CodeSigningConfigArn"):
        arn = members["CodeSigningConfigArn"]
        await api.link.ask("attach", kind=CODE_SIGNING, function=name, key="", value=arn)
    if members.get("Publish"):
        version = await api.link.ask("publish_version", name=name)
    # The version is that of the one published, and the ARN yet the function's, as on AWS.
    return being_created(function_configuration(version))


async def get_function(api: Api, members: Members) -> Members:
    """Configuration, where its code can be downloaded, tags, reserved concurrency."""
    name, qualifier = function_of(members)
    version = await api.link.ask("version", name=name, qualifier=qualifier)
    told: Members = {
        "Configuration": function_configuration(version, qualifier),
        "Code": {"RepositoryType": "S3", "Location": code_location(api, version["code_sha256"], name)},
    }
    tags = await api.attached(TAGS, name, "")
    if tags:
        told["Tags"] = tags
    if version["reserved_concurrency"] is not None and qualifier is None:
        told["Concurrency"] = {"ReservedConcurrentExecutions": version["reserved_concurrency"]}
    return told


async def get_function_configuration(api: Api, members: Members) -> Members:
    """Of a function, version or alias."""
    name, qualifier = function_of(members)
    return function_configuration(await api.link.ask("version", name=name, qualifier=qualifier), qualifier)


async def list_functions(api: Api, members: Members) -> Members:
    """By name, 50 a page; with FunctionVersion=ALL every version, `$LATEST` first. States aren't told, as on AWS."""
    found = (await api.link.ask("versions"))["versions"]
    if members.get("FunctionVersion") == "ALL":
        names = [version["configuration"]["function_name"] for version in found]
        found = [each for name in names for each in (await api.link.ask("versions", name=name))["versions"]]
        told = [listed(function_configuration(version, version["version"])) for version in found]
        chosen, marker = page(told, members, _place)
    else:
        chosen, marker = page([listed(function_configuration(version)) for version in found], members, _place)
    return {"Functions": chosen, "NextMarker": marker}


def _place(told: Mapping[str, Any]) -> str:
    number = 0 if told["Version"] == LATEST else int(told["Version"])
    return f"{told['FunctionName']}\n{number:020d}"


async def update_function_code(api: Api, members: Members) -> Members:
    """200, InProgress. `DryRun` tells what would be; `Publish` makes a version of it, which is Pending."""
    operation = "UpdateFunctionCode"
    name, _ = function_of(members, qualified=False)
    current = await api.link.ask("version", name=name)
    _check_revision(current, members)
    settings = settings_of(operation, {key: members[key] for key in ("Architectures",) if key in members})
    await api.link.ask("check_function", name=name, settings=settings)
    package, facts = await unpacked(api, operation, members)
    own = current["configuration"]
    layers = own["recorded"].get("Layers", [])
    code = await code_for(api, package.sha256, own["handler"], contents_of(layers))
    settings["recorded"] = {**_without_code(own["recorded"]), **facts, **_layered(package.sha256, layers)}
    if members.get("DryRun"):
        would_be = {**current, "configuration": {**own, **settings}, "code_bytes": code["bytes"]}
        return function_configuration(would_be)
    revision = members.get("RevisionId")
    version = await api.link.ask("update_function", name=name, settings=settings, code=code, revision_id=revision)
    if members.get("Publish"):
        version = await api.link.ask("publish_version", name=name)
        return being_created(function_configuration(version, version["version"]))
    return being_updated(function_configuration(version))


async def update_function_configuration(api: Api, members: Members) -> Members:
    """200, InProgress. What isn't given stays."""
    operation = "UpdateFunctionConfiguration"
    name, _ = function_of(members, qualified=False)
    settings = settings_of(operation, members)
    current = await api.link.ask("version", name=name)
    _check_revision(current, members)
    own = current["configuration"]
    recorded = {**own["recorded"], **recorded_of(operation, members)}
    await api.link.ask("check_function", name=name, settings=settings)
    code = None
    if "Layers" in members:
        layers = await layer_references(api, members["Layers"])
        base = own["recorded"].get("OwnCode", current["code_sha256"])
        code = await code_for(api, base, settings.get("handler", own["handler"]), contents_of(layers))
        recorded = {
            **{key: recorded[key] for key in recorded if key not in ("Layers", "OwnCode")},
            **_layered(base, layers),
        }
    settings["recorded"] = recorded
    version = await api.link.ask(
        "update_function", name=name, settings=settings, code=code, revision_id=members.get("RevisionId")
    )
    return being_updated(function_configuration(version))


async def delete_function(api: Api, members: Members) -> Members:
    """204. With a version as qualifier, that one alone."""
    name, qualifier = function_of(members)
    if qualifier is not None and not is_version(qualifier):
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
    if qualifier != LATEST:
        await api.link.ask("version", name=name)  # a function that isn't there is told without the version
    await api.link.ask("delete", name=name, qualifier=qualifier)
    return {"StatusCode": 204}


def _check_revision(current: Mapping[str, Any], members: Members) -> None:
    """Before a package is unpacked for nothing; the executor checks again."""
    if members.get("RevisionId") not in (None, current["revision_id"]):
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id"
        )


def _layered(own: str, layers: list[Members]) -> dict[str, Any]:
    """What is recorded of layers: they, and the function's own code, to lay over others later."""
    return {"Layers": layers, "OwnCode": own} if layers else {}


def _without_code(recorded: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recorded.items() if key not in ("CodeSha256", "CodeSize", "Layers", "OwnCode")}


async def publish_version(api: Api, members: Members) -> Members:
    """201. `CodeSha256` and `RevisionId`, where they are given, must be those of `$LATEST`."""
    name, _ = function_of(members, qualified=False)
    current = await api.link.ask("version", name=name)
    wanted = members.get("CodeSha256")
    if wanted and wanted != code_sha256(current):
        raise InvalidParameterValueException(
            f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({code_sha256(current)}). Please "
            "try again with the CodeSHA256 in $LATEST."
        )
    version = await api.link.ask(
        "publish_version",
        name=name,
        description=members.get("Description", ""),
        code_sha256=current["code_sha256"] if wanted else None,
        revision_id=members.get("RevisionId"),
    )
    return function_configuration(version, version["version"])


async def list_versions_by_function(api: Api, members: Members) -> Members:
    """`$LATEST`, then by number."""
    name, _ = function_of(members)
    found = (await api.link.ask("versions", name=name))["versions"]
    told = [listed(function_configuration(each, each["version"])) for each in found]
    chosen, marker = page(told, members, _place)
    return {"Versions": chosen, "NextMarker": marker}


HANDLERS = {
    "CreateFunction": create_function,
    "GetFunction": get_function,
    "GetFunctionConfiguration": get_function_configuration,
    "ListFunctions": list_functions,
    "UpdateFunctionCode": update_function_code,
    "UpdateFunctionConfiguration": update_function_configuration,
    "DeleteFunction": delete_function,
    "PublishVersion": publish_version,
    "ListVersionsByFunction": list_versions_by_function,
}
