"""Settings that are kept and given back, and that nothing here goes by: recursion, runtime management, code signing.

On one machine a function's runtime is the interpreter at hand, no queue feeds a function its own output, and nobody
signs code; infrastructure tools ask for these all the same.
"""

from __future__ import annotations

import secrets
from typing import Any

from lambdanb.gateway.api import Api, Members, arn_of, function_of, page, timestamp
from lambdanb.gateway.configurations import runtime_version_arn
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.tags import check_tags
from lambdanb.model.errors import InvalidParameterValueException, ResourceConflictException, ResourceNotFoundException
from lambdanb.model.names import ACCOUNT, REGION

RECURSION = "recursion"
RUNTIME_MANAGEMENT = "runtime-management"
CODE_SIGNING = "code-signing"
_CODE_SIGNING_CONFIG = "code-signing-config"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


async def put_function_recursion_config(api: Api, members: Members) -> Members:
    """Allow or Terminate."""
    name, _ = function_of(members, qualified=False)
    await api.link.ask("attach", kind=RECURSION, function=name, key="", value=members["RecursiveLoop"])
    return {"RecursiveLoop": members["RecursiveLoop"]}


async def get_function_recursion_config(api: Api, members: Members) -> Members:
    """Terminate where nothing was put, as on AWS."""
    name, _ = function_of(members, qualified=False)
    return {"RecursiveLoop": await api.attached(RECURSION, name, "") or "Terminate"}


async def put_runtime_management_config(api: Api, members: Members) -> Members:
    """Auto, Manual with a runtime version, or FunctionUpdate."""
    name, qualifier = function_of(members)
    update_on, arn = members["UpdateRuntimeOn"], members.get("RuntimeVersionArn")
    if (update_on == "Manual") != (arn is not None):
        raise InvalidParameterValueException(
            "A RuntimeVersionArn has to be given where UpdateRuntimeOn is Manual, and only there."
        )
    value = {"UpdateRuntimeOn": update_on, "RuntimeVersionArn": arn}
    await api.link.ask("attach", kind=RUNTIME_MANAGEMENT, function=name, key=qualifier or "", value=value)
    return {**value, "FunctionArn": arn_of(name, qualifier)}


async def get_runtime_management_config(api: Api, members: Members) -> Members:
    """Auto where nothing was put, as on AWS."""
    name, qualifier = function_of(members)
    version = await api.link.ask("version", name=name, qualifier=qualifier)
    value = await api.attached(RUNTIME_MANAGEMENT, name, qualifier or "") or {"UpdateRuntimeOn": "Auto"}
    arn = value.get("RuntimeVersionArn") or (
        runtime_version_arn(version) if value["UpdateRuntimeOn"] != "Auto" else None
    )
    return {**value, "RuntimeVersionArn": arn, "FunctionArn": arn_of(name, qualifier)}


# Code signing configurations


async def create_code_signing_config(api: Api, members: Members) -> Members:
    """201."""
    check_tags({}, members.get("Tags", {}))
    own = "csc-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
    config = {
        "CodeSigningConfigId": own,
        "CodeSigningConfigArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:{own}",
        "Description": members.get("Description", ""),
        "AllowedPublishers": members["AllowedPublishers"],
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn", **members.get("CodeSigningPolicies", {})},
        "LastModified": timestamp(),
    }
    await _keep(api, config)
    return {"CodeSigningConfig": config}


async def _keep(api: Api, config: Members) -> None:
    arn = config["CodeSigningConfigArn"]
    await api.link.ask("attach", kind=_CODE_SIGNING_CONFIG, function="", key=arn, value=config)


async def _config(api: Api, arn: str) -> Members:
    config: Members | None = await api.attached(_CODE_SIGNING_CONFIG, "", arn)
    if config is None:
        raise ResourceNotFoundException(f"The Lambda code signing configuration {arn} can not be found.")
    return config


async def get_code_signing_config(api: Api, members: Members) -> Members:
    """One."""
    return {"CodeSigningConfig": await _config(api, members["CodeSigningConfigArn"])}


async def update_code_signing_config(api: Api, members: Members) -> Members:
    """What isn't given stays."""
    async with api.changing:
        config = await _config(api, members["CodeSigningConfigArn"])
        changed: Members = {key: members[key] for key in ("Description", "AllowedPublishers") if key in members}
        policies = {**config["CodeSigningPolicies"], **members.get("CodeSigningPolicies", {})}
        config = {**config, **changed, "CodeSigningPolicies": policies, "LastModified": timestamp()}
        await _keep(api, config)
    return {"CodeSigningConfig": config}


async def delete_code_signing_config(api: Api, members: Members) -> Members:
    """204, unless a function has it."""
    arn = members["CodeSigningConfigArn"]
    await _config(api, arn)
    if await _users(api, arn):
        raise ResourceConflictException(
            "Functions use the code signing configuration: see ListFunctionsByCodeSigningConfig."
        )
    await api.link.ask("detach", kind=_CODE_SIGNING_CONFIG, function="", key=arn)
    return {}


async def list_code_signing_configs(api: Api, members: Members) -> Members:
    """By ARN."""
    found = (await api.link.ask("attachments", kind=_CODE_SIGNING_CONFIG, function=""))["attachments"]
    configs: list[Members] = [entry["value"] for entry in found]
    chosen, marker = page(configs, members, lambda config: str(config["CodeSigningConfigArn"]))
    return {"CodeSigningConfigs": chosen, "NextMarker": marker}


async def _users(api: Api, arn: str) -> list[str]:
    found = (await api.link.ask("attachments", kind=CODE_SIGNING))["attachments"]
    return [arn_of(entry["function"]) for entry in found if entry["value"] == arn]


async def list_functions_by_code_signing_config(api: Api, members: Members) -> Members:
    """ARNs of the functions that have it."""
    await _config(api, members["CodeSigningConfigArn"])
    chosen, marker = page(await _users(api, members["CodeSigningConfigArn"]), members, str)
    return {"FunctionArns": chosen, "NextMarker": marker}


async def put_function_code_signing_config(api: Api, members: Members) -> Members:
    """The function has it from now on; code isn't checked against it."""
    name, _ = function_of(members, qualified=False)
    arn = members["CodeSigningConfigArn"]
    await check_code_signing_config(api, arn)
    await api.link.ask("attach", kind=CODE_SIGNING, function=name, key="", value=arn)
    return {"CodeSigningConfigArn": arn, "FunctionName": name}


async def check_code_signing_config(api: Api, arn: Any) -> None:
    """Raises CodeSigningConfigNotFoundException where there is none of that ARN."""
    try:
        await _config(api, arn)
    except ResourceNotFoundException:
        raise Refusal(
            "CodeSigningConfigNotFoundException",
            "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
            f"{arn}.",
            404,
        ) from None


async def get_function_code_signing_config(api: Api, members: Members) -> Members:
    """Empty where the function has none, as on AWS."""
    name, _ = function_of(members, qualified=False)
    arn = await api.attached(CODE_SIGNING, name, "")
    return {} if arn is None else {"CodeSigningConfigArn": arn, "FunctionName": name}


async def delete_function_code_signing_config(api: Api, members: Members) -> None:
    """204, also where it has none."""
    name, _ = function_of(members, qualified=False)
    if await api.attached(CODE_SIGNING, name, "") is not None:
        await api.link.ask("detach", kind=CODE_SIGNING, function=name, key="")


HANDLERS = {
    "PutFunctionRecursionConfig": put_function_recursion_config,
    "GetFunctionRecursionConfig": get_function_recursion_config,
    "PutRuntimeManagementConfig": put_runtime_management_config,
    "GetRuntimeManagementConfig": get_runtime_management_config,
    "CreateCodeSigningConfig": create_code_signing_config,
    "GetCodeSigningConfig": get_code_signing_config,
    "UpdateCodeSigningConfig": update_code_signing_config,
    "DeleteCodeSigningConfig": delete_code_signing_config,
    "ListCodeSigningConfigs": list_code_signing_configs,
    "ListFunctionsByCodeSigningConfig": list_functions_by_code_signing_config,
    "PutFunctionCodeSigningConfig": put_function_code_signing_config,
    "GetFunctionCodeSigningConfig": get_function_code_signing_config,
    "DeleteFunctionCodeSigningConfig": delete_function_code_signing_config,
}
