"""Between AWS's JSON and Python: members of a request by the shapes of the model, and answers the other way round.

A value of another type than its shape's is refused with AWS's SerializationException; members that the model doesn't
know are passed over, and null is as good as absent, as on AWS.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from botocore.utils import parse_timestamp

from lambdanb.gateway.refusals import Refusal, invalid_request
from lambdanb.gateway.routes import Operation, Query

_DEEPEST = 32
_INTEGERS = {"integer": 2**31, "long": 2**63}


def parse(
    operation: Operation, path: Mapping[str, str], query: Query, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """The members of a request, as boto3 takes them. Raises Refusal."""
    members: dict[str, Any] = {}
    for name, key, shape in operation.uri_members:
        members[name] = from_text(shape, path[key])
    for name, key, shape in operation.query_members:
        if key in query:
            texts = query[key]
            if shape.type_name == "list":
                members[name] = [from_text(shape.member, text) for text in texts]
            else:
                members[name] = from_text(shape, texts[0])
    for name, key, shape in operation.header_members:
        text = headers.get(key.lower())
        if text is not None:
            members[name] = from_text(shape, text)
    shape = operation.model.input_shape
    if operation.payload is not None:
        payload = shape.members[operation.payload]
        members[operation.payload] = body if payload.type_name == "blob" else from_json(payload, load(body))
    elif body and shape is not None:
        members.update(from_json(shape, load(body)))
    return members


def load(body: bytes) -> Any:
    """The JSON of a body; an empty one is an empty object. Raises Refusal."""
    if not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid_request(f"Could not parse request body into json: {error}") from None


def from_text(shape: Any, text: str) -> Any:
    """A member that came in the path, the query or a header."""
    kind = shape.type_name
    if kind in _INTEGERS:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
            _wrong_type(text, "an Integer")
        return _in_range(kind, int(text))
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            _wrong_type(text, "a Boolean")
        return text.lower() == "true"
    if kind == "timestamp":
        return _timestamp(text)
    return _text(text)


def from_json(shape: Any, value: Any, depth: int = 0) -> Any:
    """A member that came in the body; members that a structure takes from elsewhere are left out."""
    kind = shape.type_name
    if depth > _DEEPEST:
        raise invalid_request("Could not parse request body into json: it is nested too deeply.")
    if kind == "structure":
        if not isinstance(value, dict):
            _wrong_type(value, "an Object")
        return {
            name: from_json(member, value[key], depth + 1)
            for name, member in shape.members.items()
            if member.serialization.get("location") is None
            and value.get(key := member.serialization.get("name", name)) is not None
        }
    if kind == "list":
        if not isinstance(value, list):
            _wrong_type(value, "a List")
        return [from_json(shape.member, each, depth + 1) for each in value if each is not None]
    if kind == "map":
        if not isinstance(value, dict):
            _wrong_type(value, "a Map")
        return {_text(key): from_json(shape.value, each, depth + 1) for key, each in value.items() if each is not None}
    if kind == "boolean":
        return value if isinstance(value, bool) else _wrong_type(value, "a Boolean")
    if kind in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool):
            _wrong_type(value, "an Integer")
        return _in_range(kind, value)
    if kind in ("double", "float"):
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value or abs(value) > 1e300:
            _wrong_type(value, "a Double")
        return float(value)
    if kind == "timestamp":
        return _timestamp(value)
    if not isinstance(value, str):
        _wrong_type(value, "a String")
    if kind == "blob":
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            _wrong_type(value, "a Blob: it is not base64")
    return _text(value)


def to_json(shape: Any, value: Any) -> Any:
    """An answer's member as JSON data."""
    kind = shape.type_name
    if kind == "structure":
        return {
            member.serialization.get("name", name): to_json(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [to_json(shape.member, each) for each in value]
    if kind == "map":
        return {key: to_json(shape.value, each) for key, each in value.items()}
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else value
    return value


def answer(operation: Operation, result: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an operation's answer."""
    status, headers = operation.status, {"Content-Type": "application/json"}
    shape = operation.model.output_shape
    if shape is None or status == 204:
        return status, {}, b""
    payload = shape.serialization.get("payload")
    body: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = result.get(name)
        if value is None:
            continue
        location, key = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "statusCode":
            status = value
        elif location == "header":
            headers[key] = str(value)
        elif name != payload:
            body[key] = to_json(member, value)
    if status == 204:
        return status, {}, b""
    return status, headers, result.get(payload, b"") if payload else json.dumps(body).encode()


def _text(text: str) -> str:
    """Text that can be written as UTF-8: JSON may hold half a character."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            _wrong_type(text.encode(errors="replace").decode(), "a String: it holds half of a surrogate pair")
    return text


def _timestamp(value: Any) -> datetime:
    try:
        moment: datetime = parse_timestamp(value)
        moment.timestamp()
    except (ValueError, TypeError, OverflowError, OSError, RuntimeError):
        _wrong_type(value, "a Timestamp")
    return moment


def _in_range(kind: str, value: int) -> int:
    bound = _INTEGERS[kind]
    return value if -bound <= value < bound else _wrong_type(value, f"an Integer of {bound.bit_length()} bits")


def _wrong_type(value: Any, wanted: str) -> NoReturn:
    shown = value if isinstance(value, str) else json.dumps(value)
    raise Refusal("SerializationException", f"{shown[:100]} can not be converted to {wanted}")
