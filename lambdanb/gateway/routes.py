"""Which operation a request is: paths, methods and fixed query strings, from botocore's model of the Lambda service."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session

Query = dict[str, list[str]]


@dataclass
class Operation:
    """One operation of the model, with what is needed of it at each request worked out once."""

    name: str
    method: str
    pattern: re.Pattern[str]
    fixed_query: Query
    status: int
    model: Any
    uri_members: list[tuple[str, str, Any]] = field(default_factory=list)
    query_members: list[tuple[str, str, Any]] = field(default_factory=list)
    header_members: list[tuple[str, str, Any]] = field(default_factory=list)
    payload: str | None = None

    @cached_property
    def errors(self) -> dict[str, Any]:
        """The shapes of its errors by code."""
        return {shape.error_code or shape.name: shape for shape in self.model.error_shapes}

    @property
    def takes_bytes(self) -> bool:
        """Whether its body is passed on as it is, such as an invocation's event."""
        return self.payload is not None and self.model.input_shape.members[self.payload].type_name == "blob"


class Routes:
    """All operations of the Lambda API, 91 in 2026."""

    def __init__(self) -> None:
        service = botocore.session.get_session().get_service_model("lambda")
        self.operations = {name: _operation(service.operation_model(name)) for name in service.operation_names}
        self._places: dict[tuple[str, str], list[Operation]] = {}
        for operation in self.operations.values():
            # Every path begins with the date of its API's version.
            first = operation.model.http["requestUri"].split("/", 2)[1].partition("?")[0]
            self._places.setdefault((operation.method, first), []).append(operation)
        for candidates in self._places.values():
            # What names more of itself in query and path is tried first.
            candidates.sort(key=lambda each: (-len(each.fixed_query), len(each.uri_members)))

    def find(self, method: str, path: str, query: str) -> tuple[Operation, dict[str, str], Query] | None:
        """The operation with its members from path and query, decoded; None when there is none."""
        parts = path.split("/", 2)
        if len(parts) < 3:
            return None
        asked = parse_qs(query, keep_blank_values=True) if query else {}
        for operation in self._places.get((method, parts[1]), ()):
            found = operation.pattern.match(path)
            if found and all(asked.get(name) == value for name, value in operation.fixed_query.items()):
                return operation, {name: unquote(value) for name, value in found.groupdict().items()}, asked
        return None


def _operation(model: Any) -> Operation:
    path, _, query = model.http["requestUri"].partition("?")
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", _group, re.escape(path.rstrip("/")))
    operation = Operation(
        model.name,
        model.http["method"],
        re.compile(f"{pattern}/?$"),
        parse_qs(query, keep_blank_values=True),
        model.http.get("responseCode", 200),
        model,
    )
    if model.input_shape is not None:
        operation.payload = model.input_shape.serialization.get("payload")
        places = {
            "uri": operation.uri_members,
            "querystring": operation.query_members,
            "header": operation.header_members,
        }
        for member, shape in model.input_shape.members.items():
            place = places.get(shape.serialization.get("location"))
            if place is not None:
                place.append((member, shape.serialization.get("name", member), shape))
    return operation


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>.+)" if found[2] else f"(?P<{found[1]}>[^/]+)"
