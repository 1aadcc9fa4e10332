"""Reserved and provisioned concurrency, and the account's limits and use.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdanb.gateway.api import Api, Members, arn_of, check_qualified, function_of, page
from lambdanb.model.errors import InvalidParameterValueException
from lambdanb.model.names import LATEST

_STORAGE_BYTES = 75 * 1024**3
"""AWS's default quota of code storage; here the disk is the limit, and this is only told."""


async def put_function_concurrency(api: Api, members: Members) -> Members:
    """Reserve; 0 stops the function."""
    name, _ = function_of(members, qualified=False)
    executions = members["ReservedConcurrentExecutions"]
    await check_qualified(api, name, LATEST)
    await api.link.ask("reserve", name=name, executions=executions)
    return {"ReservedConcurrentExecutions": executions}


async def get_function_concurrency(api: Api, members: Members) -> Members:
    """Empty where nothing is reserved."""
    name, _ = function_of(members, qualified=False)
    version = await api.link.ask("version", name=name)
    return {"ReservedConcurrentExecutions": version["reserved_concurrency"]}


async def delete_function_concurrency(api: Api, members: Members) -> None:
    """204."""
    name, _ = function_of(members, qualified=False)
    await api.link.ask("reserve", name=name, executions=None)


def _provisioned(told: Mapping[str, Any]) -> Members:
    wanted, ready = told["executions"], told["ready"]
    return {
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": ready,
        "Status": "READY" if ready >= wanted else "IN_PROGRESS",
        "LastModified": told["last_modified"],
    }


async def _qualified(api: Api, members: Members) -> tuple[str, str]:
    name, qualifier = function_of(members)
    assert qualifier is not None  # the model requires it
    if qualifier != LATEST:
        await check_qualified(api, name, qualifier)
    return name, qualifier


async def _published(api: Api, members: Members) -> tuple[str, str]:
    name, qualifier = await _qualified(api, members)
    if qualifier == LATEST:
        raise InvalidParameterValueException("The function resource provided must be an alias or a published version.")
    return name, qualifier


async def put_provisioned_concurrency_config(api: Api, members: Members) -> Members:
    """202; the environments are being initialised."""
    name, qualifier = await _qualified(api, members)
    executions = members["ProvisionedConcurrentExecutions"]
    await api.link.ask("provision", name=name, qualifier=qualifier, executions=executions)
    told = await api.link.ask("provisioned", name=name, qualifier=qualifier)
    return _provisioned(told["provisioned"][0])


async def get_provisioned_concurrency_config(api: Api, members: Members) -> Members:
    """READY when every environment has run its init."""
    name, qualifier = await _published(api, members)
    told = await api.link.ask("provisioned", name=name, qualifier=qualifier)
    return _provisioned(told["provisioned"][0])


async def delete_provisioned_concurrency_config(api: Api, members: Members) -> None:
    """204, also where there is none."""
    name, qualifier = await _published(api, members)
    await api.link.ask("provision", name=name, qualifier=qualifier, executions=None)


async def list_provisioned_concurrency_configs(api: Api, members: Members) -> Members:
    """Of all versions and aliases of a function."""
    name, _ = function_of(members, qualified=False)
    found = (await api.link.ask("provisioned", name=name))["provisioned"]
    told = [{"FunctionArn": arn_of(name, each["qualifier"]), **_provisioned(each)} for each in found]
    chosen, marker = page(told, members, lambda each: str(each["FunctionArn"]))
    return {"ProvisionedConcurrencyConfigs": chosen, "NextMarker": marker}


async def get_account_settings(api: Api, members: Members) -> Members:
    """The account's limits and what is used of them."""
    settings = await api.link.ask("settings")
    rules = await api.rules()
    functions = (await api.link.ask("versions"))["versions"]
    used = sum(each["configuration"]["recorded"].get("CodeSize", each["code_bytes"]) for each in functions)
    return {
        "AccountLimit": {
            "TotalCodeSize": _STORAGE_BYTES,
            "CodeSizeUnzipped": rules.unzipped_bytes,
            "CodeSizeZipped": rules.zip_bytes,
            "ConcurrentExecutions": settings["concurrency"],
            "UnreservedConcurrentExecutions": settings["unreserved"],
        },
        "AccountUsage": {"TotalCodeSize": used, "FunctionCount": len(functions)},
    }


HANDLERS = {
    "PutFunctionConcurrency": put_function_concurrency,
    "GetFunctionConcurrency": get_function_concurrency,
    "DeleteFunctionConcurrency": delete_function_concurrency,
    "PutProvisionedConcurrencyConfig": put_provisioned_concurrency_config,
    "GetProvisionedConcurrencyConfig": get_provisioned_concurrency_config,
    "DeleteProvisionedConcurrencyConfig": delete_provisioned_concurrency_config,
    "ListProvisionedConcurrencyConfigs": list_provisioned_concurrency_configs,
    "GetAccountSettings": get_account_settings,
}
