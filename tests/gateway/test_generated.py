"""Requests that no human wrote: for every operation, members made from the model's shapes, within bounds and out of
them, in well-formed and damaged JSON. Only modelled answers come back, and answers have the model's output shapes.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import random
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from raw import signed

MODEL = get_session().get_service_model("lambda")
PER_OPERATION = 25
"""Enough to keep the suite short; 2,000 take some three minutes."""
COMMON = {
    "ValidationException",
    "SerializationException",
    "InvalidRequestContentException",
    "UnknownOperationException",
    "RequestEntityTooLargeException",
    "ResourceNotFoundException",
    "InvalidParameterValueException",
}
TEXTS = [
    *("echo", "echo:1", "", "x", "$LATEST", "live", "\u20ac", "a" * 300, "%2e", "a/b", "' OR 1", "\x00"),
    "arn:aws:lambda:us-east-1:123456789012:function:echo",
    "arn:aws:lambda:us-east-1:123456789012:layer:l:1",
    "123456789012:function:echo",
]


def member(shape: Any, chance: random.Random, depth: int = 0) -> Any:
    """A value of a shape; now and then one of another."""
    kind = shape.type_name
    if chance.random() < 0.04:
        return chance.choice([None, [], {}, "text", 7, -1, True, 1e308, [[[]]], {"a": {"b": 1}}])
    if kind == "structure":
        return {
            name: member(each, chance, depth + 1)
            for name, each in shape.members.items()
            if (name in shape.required_members and chance.random() < 0.95) or chance.random() < 0.5 / (depth + 1)
        }
    if kind == "list":
        return [member(shape.member, chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if kind == "map":
        return {chance.choice(TEXTS): member(shape.value, chance, depth + 1) for _ in range(chance.randint(0, 3))}
    if kind in ("integer", "long"):
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 100)
        return chance.choice([low, high, low - 1, high + 1, 0, chance.randint(min(low, high), high), 2**31, 2**70])
    if kind in ("double", "float"):
        return chance.choice([0.0, 0.5, 1.0, -1.0, 2])
    if kind == "boolean":
        return chance.choice([True, False])
    if kind == "timestamp":
        return chance.choice([0, 1e9, 1e18, "2026-01-01T00:00:00Z", "never"])
    if kind == "blob":
        return chance.choice(["", "UEsFBg==", "not base64!", "e30="])
    if shape.enum and chance.random() < 0.8:
        return chance.choice(shape.enum)
    if chance.random() < 0.2:
        return "".join(chance.choice(string.printable) for _ in range(chance.randint(0, 20)))
    return chance.choice(TEXTS)


def requests(name: str, count: int) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """Method, path with query, body and headers of so many requests of an operation."""
    model = MODEL.operation_model(name)
    chance = random.Random(name)
    uri, _, fixed = model.http["requestUri"].partition("?")
    for _ in range(count):
        made = member(model.input_shape, chance) if model.input_shape else {}
        made = made if isinstance(made, dict) else {}
        path, query, headers, rest = uri, [fixed] if fixed else [], {}, {}
        shapes = model.input_shape.members if model.input_shape else {}
        for key, shape in shapes.items():
            location, wire = shape.serialization.get("location"), shape.serialization.get("name", key)
            value = made.get(key)
            if location == "uri":
                text = str(value) if isinstance(value, str | int) and value != "" else "echo"
                path = path.replace(f"{{{wire}+}}", quote(text)).replace(f"{{{wire}}}", quote(text, safe=""))
            elif location == "querystring" and key in made:
                query.append(
                    urlencode({wire: value if isinstance(value, str | int) else json.dumps(value)}, quote_via=quote)
                )
            elif location == "header" and key in made:
                text = str(value)
                if text.isprintable() and text.isascii() and text == text.strip():
                    headers[wire] = text
            elif key in made:
                rest[wire] = value
        body = json.dumps(rest).encode()
        if chance.random() < 0.1:
            body = chance.choice([body[:-1], b"[]", b"\xff\xfe", b"null", b"[" * 5000, b'{"a":' * 2000, b"1e999", b""])
        yield model.http["method"], path + ("?" + "&".join(query) if query else ""), body, headers


async def _answers(endpoint: dict[str, str], name: str) -> list[tuple[int, str, bytes, str]]:
    told = []
    from yarl import URL

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        for method, path, body, headers in requests(name, PER_OPERATION):
            sent = signed(endpoint, method, path, body, headers=headers, age=datetime.timedelta())
            url = URL(endpoint["AWS_ENDPOINT_URL"] + path, encoded=True)
            async with session.request(method, url, data=body, headers=sent) as answer:
                content = await answer.read()
                told.append(
                    (
                        answer.status,
                        answer.headers.get("x-amzn-ErrorType", ""),
                        content,
                        f"{method} {path} {body[:300]!r}",
                    )
                )
    return told


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_only_modelled_answers(endpoint: dict[str, str], echo: str, name: str) -> None:
    model = MODEL.operation_model(name)
    errors = COMMON | {shape.error_code or shape.name for shape in model.error_shapes}
    for status, code, content, request in asyncio.run(_answers(endpoint, name)):
        assert status < 500, (status, code, content[:300], request)
        if status >= 400:
            assert code in errors, (status, code, content[:300], request)
            assert "message" in {key.lower() for key in json.loads(content)}, (content, request)
        else:
            assert status in (200, 201, 202, 204), (status, request)


def test_the_function_is_what_it_was(aws: Any, echo: str) -> None:
    """Last of this module: DeleteFunction among the above may have removed it, nothing may have bent the account."""
    assert aws.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000


def test_answers_have_the_shapes_of_the_model(aws: Any) -> None:
    """boto3 gives what its parser reads; what it reads must satisfy the output shape too."""
    validator = ParamValidator()
    for name, call in (
        ("ListFunctions", aws.list_functions),
        ("GetAccountSettings", aws.get_account_settings),
        ("ListLayers", aws.list_layers),
        ("ListCodeSigningConfigs", aws.list_code_signing_configs),
        ("ListEventSourceMappings", aws.list_event_source_mappings),
    ):
        answer = call()
        answer.pop("ResponseMetadata")
        report = validator.validate(answer, MODEL.operation_model(name).output_shape)
        assert not report.has_errors(), (name, report.generate_report())
