"""Aliases: names for versions, with a share of the invocations for one more.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdanb.gateway.api import Api, Members, arn_of, function_of, page
from lambdanb.gateway.refusals import not_here


def _alias(told: Mapping[str, Any]) -> Members:
    alias: Members = {
        "AliasArn": arn_of(told["function"], told["name"]),
        "Name": told["name"],
        "FunctionVersion": told["version"],
        "Description": told["description"],
        "RevisionId": told["revision_id"],
    }
    if told["weights"]:
        alias["RoutingConfig"] = {"AdditionalVersionWeights": told["weights"]}
    return alias


def _settings(operation: str, members: Members) -> Members:
    if members.get("FunctionVersion", "").endswith(".PUBLISHED"):
        raise not_here(f"{operation} on $LATEST.PUBLISHED", "there are no managed instances")
    routing = members.get("RoutingConfig")
    return {
        "alias": members["Name"],
        "version": members.get("FunctionVersion"),
        "weights": None if routing is None else routing.get("AdditionalVersionWeights", {}),
        "description": members.get("Description"),
        "revision_id": members.get("RevisionId"),
    }


async def create_alias(api: Api, members: Members) -> Members:
    """201."""
    name, _ = function_of(members, qualified=False)
    return _alias(await api.link.ask("change_alias", name=name, new=True, **_settings("CreateAlias", members)))


async def update_alias(api: Api, members: Members) -> Members:
    """What isn't given stays."""
    name, _ = function_of(members, qualified=False)
    return _alias(await api.link.ask("change_alias", name=name, **_settings("UpdateAlias", members)))


async def get_alias(api: Api, members: Members) -> Members:
    """One."""
    name, _ = function_of(members, qualified=False)
    return _alias(await api.link.ask("alias", name=name, alias=members["Name"]))


async def list_aliases(api: Api, members: Members) -> Members:
    """By name; with FunctionVersion, those of it."""
    name, _ = function_of(members, qualified=False)
    found = await api.link.ask("aliases", name=name, version=members.get("FunctionVersion"))
    chosen, marker = page([_alias(told) for told in found["aliases"]], members, lambda alias: str(alias["Name"]))
    return {"Aliases": chosen, "NextMarker": marker}


async def delete_alias(api: Api, members: Members) -> None:
    """204, also where there is none."""
    name, _ = function_of(members, qualified=False)
    await api.link.ask("delete_alias", name=name, alias=members["Name"])


HANDLERS = {
    "CreateAlias": create_alias,
    "UpdateAlias": update_alias,
    "GetAlias": get_alias,
    "ListAliases": list_aliases,
    "DeleteAlias": delete_alias,
}
