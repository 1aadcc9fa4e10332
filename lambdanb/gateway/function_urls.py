"""Function URLs: their configurations. Serving them is in `url_serving`.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from lambdanb.gateway.api import Api, Members, arn_of, function_of, page, timestamp
from lambdanb.model.errors import InvalidParameterValueException, ResourceConflictException, ResourceNotFoundException

URL = "url"
PREFIX = "/lambda-url/"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def _place(members: Members) -> tuple[str, str]:
    """The function and the alias, "" for none; the model's patterns let no version be one."""
    name, qualifier = function_of(members)
    return name, qualifier or ""


async def _existing(api: Api, members: Members) -> tuple[str, str]:
    name, key = _place(members)
    try:
        await api.link.ask("version", name=name, qualifier=key or None)
    except ResourceNotFoundException:
        raise ResourceNotFoundException("Function does not exist") from None
    return name, key


def _told(api: Api, name: str, key: str, url: Mapping[str, Any]) -> Members:
    return {
        "FunctionUrl": f"{api.url}{PREFIX}{url['id']}/",
        "FunctionArn": arn_of(name, key),
        "AuthType": url["auth_type"],
        "Cors": url["cors"] or None,
        "CreationTime": url["created"],
        "LastModifiedTime": url["modified"],
        "InvokeMode": url["invoke_mode"],
    }


def _check_cors(cors: Members) -> Members:
    """AWS's own limits on what a CORS configuration may say; its members are in the model."""
    methods = {"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"}
    for method in cors.get("AllowMethods", []):
        if method not in methods:
            raise InvalidParameterValueException(f"The CORS method {method} is none of {', '.join(sorted(methods))}.")
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", []):
        raise InvalidParameterValueException("AllowCredentials can't be used where AllowOrigins has *.")
    return cors


async def create_function_url_config(api: Api, members: Members) -> Members:
    """201. The URL stays the same while it exists."""
    name, key = await _existing(api, members)
    cors = _check_cors(members.get("Cors", {}))
    async with api.changing:
        if await api.attached(URL, name, key) is not None:
            raise ResourceConflictException(
                f"Failed to create function url config for [functionArn = "
                f"{arn_of(name, key)}]. Error message:  FunctionUrlConfig exists for this "
                "Lambda function"
            )
        now = timestamp()
        url = {
            "id": "".join(secrets.choice(_LETTERS) for _ in range(32)),
            "auth_type": members["AuthType"],
            "cors": cors,
            "invoke_mode": members.get("InvokeMode", "BUFFERED"),
            "created": now,
            "modified": now,
        }
        await api.link.ask("attach", kind=URL, function=name, key=key, value=url)
    return _told(api, name, key, url)


async def _url(api: Api, name: str, key: str) -> Members:
    try:
        url: Members | None = await api.attached(URL, name, key)
    except ResourceNotFoundException:
        url = None
    if url is None:
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return url


async def get_function_url_config(api: Api, members: Members) -> Members:
    """Of the function or an alias."""
    name, key = _place(members)
    return _told(api, name, key, await _url(api, name, key))


async def update_function_url_config(api: Api, members: Members) -> Members:
    """What isn't given stays."""
    name, key = await _existing(api, members)
    async with api.changing:
        url = await _url(api, name, key)
        for theirs, ours in (("AuthType", "auth_type"), ("InvokeMode", "invoke_mode")):
            if theirs in members:
                url[ours] = members[theirs]
        if "Cors" in members:
            url["cors"] = _check_cors(members["Cors"])
        url["modified"] = timestamp()
        await api.link.ask("attach", kind=URL, function=name, key=key, value=url)
    return _told(api, name, key, url)


async def delete_function_url_config(api: Api, members: Members) -> None:
    """204."""
    name, key = _place(members)
    await _url(api, name, key)
    await api.link.ask("detach", kind=URL, function=name, key=key)


async def list_function_url_configs(api: Api, members: Members) -> Members:
    """Of the function and its aliases."""
    name, _ = await _existing(api, members)
    found = (await api.link.ask("attachments", kind=URL, function=name))["attachments"]
    told = [_told(api, name, entry["key"], entry["value"]) for entry in found]
    chosen, marker = page(told, members, lambda each: str(each["FunctionArn"]))
    return {"FunctionUrlConfigs": chosen, "NextMarker": marker}


HANDLERS = {
    "CreateFunctionUrlConfig": create_function_url_config,
    "GetFunctionUrlConfig": get_function_url_config,
    "UpdateFunctionUrlConfig": update_function_url_config,
    "DeleteFunctionUrlConfig": delete_function_url_config,
    "ListFunctionUrlConfigs": list_function_url_configs,
}
