"""What an answer may be: all that botocore's model says of it, checked on what came over the wire. A record of answers.

boto3 takes what it knows of an answer and passes over the rest. Here a member that isn't in the shape is a flaw, and so
is a value of another type, out of its bounds, or null, a required member that is missing, another status, and an error
that is neither the operation's own nor one that all of AWS's operations have.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import boto3
from botocore.parsers import RpcV2CBORParser
from botocore.session import get_session

COMMON = {
    "ValidationException": 400,
    "SerializationException": 400,
    "UnknownOperationException": 404,
    "AccessDeniedException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnrecognizedClientException": 403,
    "RequestTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "RequestTooLargeException": 413,
}
"""Errors of every operation, with their statuses: https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html"""

UNLIKE_THE_MODEL = re.compile(
    r"GetFunctionCodeSigningConfig\.(FunctionName|CodeSigningConfigArn) is required"
    r"|.*\.LastUpdateStatusReasonCode is 'Creating', none of .*"
)
"""Flaws that AWS's own answers have (recordings of it: LocalStack's snapshots of its tests against AWS): for a function
without code signing there is neither member, and an update under way has the reason code of a creation."""

answered: dict[tuple[str, str], set[int]] = {}
"""The statuses of all answers that were seen, by service and operation."""

Raw = Mapping[str, Any]


def watch(session: boto3.Session) -> None:
    """Have every answer checked that clients of this session get from now on. One with a flaw raises AssertionError."""
    session.events.register("response-received", _seen)


def _seen(response_dict: Any, event_name: str, **_: Any) -> None:
    if response_dict is None:
        return  # there was no answer
    _, service, name = event_name.split(".")
    status, body = response_dict["status_code"], response_dict["body"]
    check(service, name, status, response_dict["headers"], body if isinstance(body, bytes) else None)


def check(service: str, name: str, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
    """Record an answer. Raises AssertionError with all of its flaws. A body that is a stream isn't looked at: None."""
    answered.setdefault((service, name), set()).add(status)
    found = flaws(service, name, status, {key.lower(): value for key, value in headers.items()}, body)
    found = [flaw for flaw in found if not UNLIKE_THE_MODEL.fullmatch(flaw)]
    assert not found, (service, name, status, found, body)


@lru_cache
def operation(service: str, name: str) -> Any:
    """The model of an operation. A service is named as in the names of botocore's events."""
    known = {"cloudwatch-logs": "logs"}
    return get_session().get_service_model(known.get(service, service)).operation_model(name)


def flaws(service: str, name: str, status: int, headers: Mapping[str, str], body: bytes | None) -> list[str]:
    """What is wrong with an answer; headers by their names in small letters."""
    model = operation(service, name)
    if status >= 400:
        return _flaws_of_error(model, status, headers, body or b"") if service == "lambda" else []
    shape = model.output_shape
    members = shape.members if shape is not None else {}
    found: list[str] = []
    if any(member.serialization.get("location") == "statusCode" for member in members.values()):
        allowed = {200, 202, 204}
    else:
        allowed = {model.http.get("responseCode", 200)}
    if status not in allowed:
        found.append(f"status {status}, not {allowed}")
    told: dict[str, Any] = {}
    for key, member in members.items():
        text = headers.get(member.serialization.get("name", key).lower())
        if member.serialization.get("location") == "header" and text is not None:
            told[key] = text
    unknown = {key for key in headers if key.startswith("x-amz-")} - {
        member.serialization.get("name", key).lower() for key, member in members.items()
    }
    found += [f"header {key}" for key in sorted(unknown)]
    if body is not None:
        if status == 204 or shape is None:
            found += ["a body"] if body and shape is None else []
        elif "payload" not in shape.serialization:
            _structure(shape, _decoded(headers, body), name, found)
    for key, value in told.items():
        _value(members[key], value, f"{name}.{key}", found)
    return found


def _decoded(headers: Mapping[str, str], body: bytes) -> Any:
    if headers.get("content-type") == "application/cbor":
        return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body)))
    return json.loads(body)


def _flaws_of_error(model: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    code = headers.get("x-amzn-errortype", "")
    told = json.loads(body)
    for shape in model.error_shapes:
        if code == (shape.error_code or shape.name):
            wanted = shape.metadata["error"]["httpStatusCode"]
            found = [] if status == wanted else [f"{code} with status {status}, not {wanted}"]
            _structure(shape, told, code, found)
            return found + ([] if told.get("message", told.get("Message")) else [f"{code} without a message"])
    if COMMON.get(code) != status:
        return [f"{code} with status {status} is none of {model.name}'s errors"]
    return [] if told.get("message") and told.keys() <= {"message", "Type"} else [f"{code} with {told}"]


def _structure(shape: Any, told: Any, path: str, found: list[str]) -> None:
    if not isinstance(told, dict):
        found.append(f"{path} is {told!r}, no structure")
        return
    places = {
        member.serialization.get("name", key): (key, member)
        for key, member in shape.members.items()
        if member.serialization.get("location") is None
    }
    found += [f"{path}.{key} is not in {shape.name}" for key in told.keys() - places.keys()]
    for wire, (key, member) in places.items():
        if wire in told:
            _value(member, told[wire], f"{path}.{key}", found)
        elif key in shape.required_members:
            found.append(f"{path}.{key} is required")


def _value(shape: Any, told: Any, path: str, found: list[str]) -> None:
    kind, metadata = shape.type_name, shape.metadata
    if kind == "structure":
        _structure(shape, told, path, found)
        return
    wanted: tuple[type, ...] = _TYPES[kind]
    if not isinstance(told, wanted) or (isinstance(told, bool) and kind != "boolean"):
        found.append(f"{path} is {told!r}, no {kind}")
        return
    size = told if isinstance(told, int | float) else len(told) if isinstance(told, str | list | dict | bytes) else 0
    if kind not in ("boolean", "timestamp") and not metadata.get("min", size) <= size <= metadata.get("max", size):
        found.append(f"{path} is {told!r}: {size} is not in {metadata.get('min')} to {metadata.get('max')}")
    if kind == "list":
        for place, each in enumerate(told):
            _value(shape.member, each, f"{path}[{place}]", found)
    elif kind == "map":
        for key, each in told.items():
            _value(shape.key, key, f"{path} (key)", found)
            _value(shape.value, each, f"{path}[{key}]", found)
    elif kind == "string":
        if shape.enum and told not in shape.enum:
            found.append(f"{path} is {told!r}, none of {shape.enum}")
        pattern = metadata.get("pattern")
        if pattern and r"\p{" not in pattern and not re.fullmatch(pattern, told, re.ASCII | re.DOTALL):
            found.append(f"{path} is {told!r}, not of {pattern}")


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float, datetime),
    "blob": (str, bytes),
    "list": (list,),
    "map": (dict,),
}
