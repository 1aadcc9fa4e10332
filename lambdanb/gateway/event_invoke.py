"""How events are retried and who is told of their end: the event invoke configuration, which the executor goes by.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdanb.gateway.api import Api, Members, arn_of, function_of, page
from lambdanb.gateway.refusals import not_here
from lambdanb.model.configuration import Configuration
from lambdanb.model.errors import InvalidParameterValueException, ResourceNotFoundException
from lambdanb.model.names import LATEST, function_arn, split_qualifier

EVENT_INVOKE = "event-invoke"
_DEFAULTS = Configuration(function_name="")
_DESTINATIONS = (("OnSuccess", "on_success"), ("OnFailure", "on_failure"))
_NUMBERS = (
    ("MaximumRetryAttempts", "maximum_retry_attempts"),
    ("MaximumEventAgeInSeconds", "maximum_event_age_s"),
)
_SETTINGS = tuple(ours for _, ours in (*_DESTINATIONS, *_NUMBERS))


async def put_function_event_invoke_config(api: Api, members: Members) -> Members:
    """What isn't given gets AWS's default."""
    return await _put(api, "PutFunctionEventInvokeConfig", members, merge=False)


async def update_function_event_invoke_config(api: Api, members: Members) -> Members:
    """What isn't given stays."""
    return await _put(api, "UpdateFunctionEventInvokeConfig", members, merge=True)


async def _put(api: Api, operation: str, members: Members, *, merge: bool) -> Members:
    name, qualifier = function_of(members)
    key = qualifier or LATEST
    await _check(api, name, key)
    given: dict[str, Any] = {ours: members[theirs] for theirs, ours in _NUMBERS if theirs in members}
    destinations = members.get("DestinationConfig", {})
    for theirs, ours in _DESTINATIONS:
        if theirs in destinations:
            given[ours] = await _destination(api, operation, name, theirs, destinations[theirs].get("Destination"))
    if not given:
        raise InvalidParameterValueException("You must specify at least one of error handling or destination setting.")
    async with api.changing:
        present = await _own(api, name, key) if merge else {}
        if merge and present is None:
            raise _none(name, key)
        value = {**(present or {}), **given, "last_modified_s": time.time()}
        value["given"] = sorted({*(_given(present) if present else ()), *given})
        # Beside the version's own settings, which the notebook sets: what is attached holds.
        for ours in _SETTINGS:
            value.setdefault(ours, getattr(_DEFAULTS, ours))
        await api.link.ask("attach", kind=EVENT_INVOKE, function=name, key=key, value=value)
    return _told(name, key, value)


async def _check(api: Api, name: str, qualifier: str | None = None) -> None:
    try:
        await api.link.ask("version", name=name, qualifier=qualifier)
    except ResourceNotFoundException:
        raise ResourceNotFoundException("The function doesn't exist.") from None


async def _destination(api: Api, operation: str, name: str, kind: str, arn: str | None) -> str | None:
    if not arn:
        return None
    service = arn.split(":")[2]
    if service in ("sqs", "sns", "events", "s3"):
        raise not_here(f"{operation} to {arn}", "only functions can be destinations so far")
    if service != "lambda":
        told = {"OnSuccess": "null", "OnFailure": "null", kind: f"{kind}(destination={arn})"}
        raise InvalidParameterValueException(
            f"The provided destination config DestinationConfig(onSuccess={told['OnSuccess']}, "
            f"onFailure={told['OnFailure']}) is invalid."
        )
    try:
        target, qualifier = split_qualifier(arn)
        if function_arn(target, qualifier) != arn:
            raise ValueError(arn)
        await api.link.ask("version", name=target, qualifier=qualifier)
    except (ValueError, ResourceNotFoundException):
        raise InvalidParameterValueException(f"The destination ARN {arn} is invalid.") from None
    if target == name:
        raise InvalidParameterValueException("You can't specify the function as a destination for itself.")
    return arn


async def _own(api: Api, name: str, key: str) -> dict[str, Any] | None:
    """What is attached, or else what the notebook has set other than AWS's defaults; None also without the function."""
    try:
        attached: dict[str, Any] | None = await api.attached(EVENT_INVOKE, name, key)
        version = await api.link.ask("version", name=name, qualifier=key)
    except ResourceNotFoundException:
        return None
    if attached is not None:
        return attached
    settings = {ours: version["configuration"][ours] for ours in _SETTINGS}
    if all(value == getattr(_DEFAULTS, ours) for ours, value in settings.items()):
        return None
    moment = datetime.strptime(version["last_modified"], "%Y-%m-%dT%H:%M:%S.%f%z")
    return {**settings, "last_modified_s": moment.timestamp()}


def _given(value: Mapping[str, Any]) -> list[str]:
    """The settings that a client or the notebook gave; the others have AWS's defaults, and aren't told, as on AWS."""
    given = value.get("given")
    if given is None:
        given = [ours for ours in _SETTINGS if value.get(ours) != getattr(_DEFAULTS, ours)]
    return list(given)


def _told(name: str, key: str, value: Mapping[str, Any]) -> Members:
    destinations = {
        theirs: {"Destination": _arn(value[ours])} if value.get(ours) else {} for theirs, ours in _DESTINATIONS
    }
    return {
        "LastModified": datetime.fromtimestamp(value["last_modified_s"], UTC),
        "FunctionArn": arn_of(name, key),
        "DestinationConfig": destinations,
        **{theirs: value[ours] for theirs, ours in _NUMBERS if ours in _given(value)},
    }


def _arn(destination: str) -> str:
    """A notebook may name a destination without its ARN."""
    return destination if destination.startswith("arn:") else function_arn(*split_qualifier(destination))


def _none(name: str, key: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"The function {arn_of(name, key)} doesn't have an EventInvokeConfig")


async def get_function_event_invoke_config(api: Api, members: Members) -> Members:
    """Of the function, a version or an alias."""
    name, qualifier = function_of(members)
    value = await _own(api, name, qualifier or LATEST)
    if value is None:
        raise _none(name, qualifier or LATEST)
    return _told(name, qualifier or LATEST, value)


async def delete_function_event_invoke_config(api: Api, members: Members) -> None:
    """204; AWS's defaults hold again."""
    name, qualifier = function_of(members)
    key = qualifier or LATEST
    if await _own(api, name, key) is None:
        raise _none(name, key)
    if await api.attached(EVENT_INVOKE, name, key) is not None:
        await api.link.ask("detach", kind=EVENT_INVOKE, function=name, key=key)
    if key == LATEST and await _own(api, name, key) is not None:
        defaults = {ours: getattr(_DEFAULTS, ours) for ours in _SETTINGS}
        await api.link.ask("configure", name=name, **defaults)


async def list_function_event_invoke_configs(api: Api, members: Members) -> Members:
    """Of the function and its versions and aliases."""
    name, _ = function_of(members, qualified=False)
    await _check(api, name)
    found = (await api.link.ask("attachments", kind=EVENT_INVOKE, function=name))["attachments"]
    values = {entry["key"]: entry["value"] for entry in found}
    own = await _own(api, name, LATEST)
    if own is not None:
        values[LATEST] = own
    told = [_told(name, key, value) for key, value in sorted(values.items())]
    chosen, marker = page(told, members, lambda each: str(each["FunctionArn"]))
    return {"FunctionEventInvokeConfigs": chosen, "NextMarker": marker}


HANDLERS = {
    "PutFunctionEventInvokeConfig": put_function_event_invoke_config,
    "UpdateFunctionEventInvokeConfig": update_function_event_invoke_config,
    "GetFunctionEventInvokeConfig": get_function_event_invoke_config,
    "DeleteFunctionEventInvokeConfig": delete_function_event_invoke_config,
    "ListFunctionEventInvokeConfigs": list_function_event_invoke_configs,
}
