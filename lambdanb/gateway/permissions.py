"""Resource-based policies of functions: statements that are kept, told as AWS words them, and gone by where something
other than the home's own user asks: function URLs.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from lambdanb.gateway.api import Api, Members, arn_of, check_qualified, function_of
from lambdanb.gateway.refusals import invalid_request
from lambdanb.model.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambdanb.model.names import LATEST

POLICY = "policy"
Statement = dict[str, Any]
Policy = dict[str, Any]


def statement_of(members: Members, resource: str) -> Statement:
    """The statement that AddPermission's members make."""
    conditions: dict[str, dict[str, str]] = {}
    for member, operator, key in (
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("OrganizationId", "StringEquals", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"),
    ):
        if member in members:
            value = members[member]
            conditions.setdefault(operator, {})[key] = str(value).lower() if isinstance(value, bool) else value
    statement: Statement = {
        "Sid": members["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(members["Principal"]),
        "Action": members["Action"],
        "Resource": resource,
    }
    return {**statement, "Condition": conditions} if conditions else statement


def _principal(principal: str) -> Any:
    if principal == "*":
        return "*"
    if re.fullmatch(r"\d{12}", principal, re.ASCII):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if principal.startswith("arn:"):
        return {"AWS": principal}
    if re.fullmatch(r"[a-z0-9.-]+\.(amazonaws\.com|amazonaws\.com\.cn|amazon\.com)", principal, re.ASCII):
        return {"Service": principal}
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


def document(statements: Sequence[Statement]) -> Policy:
    """The policy of these statements."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


async def change(api: Api, kind: str, function: str, key: str, members: Members, changed: Any) -> dict[str, Any]:
    """Attach what `changed` makes of a policy's statements, with a new revision; an empty one isn't kept."""
    told_by = "GetPolicy" if kind == POLICY else "GetLayerPolicy"
    async with api.changing:
        value = await api.attached(kind, function, key) or {"statements": [], "revision_id": ""}
        wanted = members.get("RevisionId")
        if wanted is not None and wanted != value["revision_id"]:
            raise PreconditionFailedException(
                f"The Revision Id provided does not match the latest Revision Id. Call the {told_by} API to retrieve "
                "the latest Revision Id"
            )
        statements = changed(value["statements"])
        size = len(json.dumps(document(statements)).encode())
        limit = (await api.rules()).policy_bytes
        if size > limit:
            raise PolicyLengthExceededException(f"The final policy size ({size}) is bigger than the limit ({limit}).")
        value = {"statements": statements, "revision_id": str(uuid4())}
        if statements:
            await api.link.ask("attach", kind=kind, function=function, key=key, value=value)
        else:
            await api.link.ask("detach", kind=kind, function=function, key=key)
    return value


def added(statements: list[Statement], statement: Statement) -> list[Statement]:
    """Raises ResourceConflictException where the statement's id is taken."""
    if any(each.get("Sid") == statement["Sid"] for each in statements):
        raise ResourceConflictException(
            f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id, or "
            "remove the existing statement."
        )
    return [*statements, statement]


def removed(statements: list[Statement], statement_id: str) -> list[Statement]:
    """Raises ResourceNotFoundException where there is none of that id."""
    if not statements:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    left = [each for each in statements if each.get("Sid") != statement_id]
    if len(left) == len(statements):
        raise ResourceNotFoundException(f"Statement {statement_id} is not found in resource policy.")
    return left


def _place(members: Members) -> tuple[str, str]:
    name, qualifier = function_of(members)
    if qualifier is not None and qualifier.startswith(LATEST):
        raise InvalidParameterValueException("We currently do not support adding policies for $LATEST.")
    return name, qualifier or ""


async def add_permission(api: Api, members: Members) -> Members:
    """201 with the statement, as JSON in a string."""
    name, key = _place(members)
    await check_qualified(api, name, key or None)
    statement = statement_of(members, arn_of(name, key))
    await change(api, POLICY, name, key, members, lambda statements: added(statements, statement))
    return {"Statement": json.dumps(statement, separators=(",", ":"))}


async def remove_permission(api: Api, members: Members) -> None:
    """204."""
    name, key = _place(members)
    try:
        await check_qualified(api, name, key or None)
    except ResourceNotFoundException:
        if key:
            raise
        raise ResourceNotFoundException(f"No policy found for: {arn_of(name)}") from None
    await change(api, POLICY, name, key, members, lambda statements: removed(statements, members["StatementId"]))


async def get_policy(api: Api, members: Members) -> Members:
    """The whole policy, as JSON in a string."""
    name, key = _place(members)
    return _told(await api.attached(POLICY, name, key))


def _told(value: dict[str, Any] | None) -> Members:
    if value is None:
        raise ResourceNotFoundException("The resource you requested does not exist.")
    policy = json.dumps(document(value["statements"]), separators=(",", ":"))
    return {"Policy": policy, "RevisionId": value["revision_id"]}


def _of_arn(members: Members) -> tuple[str, str]:
    return _place({"FunctionName": members["ResourceArn"]})


async def put_resource_policy(api: Api, members: Members) -> Members:
    """Replace the whole policy."""
    name, key = _of_arn(members)
    await check_qualified(api, name, key or None)
    try:
        given = json.loads(members["Policy"])
        statements = given["Statement"]
        statements = [statements] if isinstance(statements, dict) else statements
        if not statements or not all(
            isinstance(each, dict) and {"Effect", "Action"} <= each.keys() for each in statements
        ):
            raise ValueError("each statement has an Effect and an Action")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise invalid_request(f"The policy is not a policy document: {error}") from None
    return _told(await change(api, POLICY, name, key, members, lambda _: statements))


async def get_resource_policy(api: Api, members: Members) -> Members:
    """As GetPolicy, by ARN."""
    name, key = _of_arn(members)
    return _told(await api.attached(POLICY, name, key))


async def delete_resource_policy(api: Api, members: Members) -> None:
    """204."""
    name, key = _of_arn(members)
    _told(await api.attached(POLICY, name, key))
    await change(api, POLICY, name, key, members, lambda _: [])


HANDLERS = {
    "AddPermission": add_permission,
    "RemovePermission": remove_permission,
    "GetPolicy": get_policy,
    "PutResourcePolicy": put_resource_policy,
    "GetResourcePolicy": get_resource_policy,
    "DeleteResourcePolicy": delete_resource_policy,
}
