"""Serving function URLs: an HTTP request becomes an event of payload format 2.0, and the result an HTTP response.

A URL of type NONE is open to whoever reaches this machine's loopback, if the function's policy says so as on AWS: a
statement that lets "*" do lambda:InvokeFunctionUrl. One of type AWS_IAM wants a signature.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from lambdanb.gateway.api import Api
from lambdanb.gateway.function_urls import PREFIX, URL
from lambdanb.gateway.permissions import POLICY
from lambdanb.gateway.signature import Head
from lambdanb.model.errors import ServiceError
from lambdanb.model.names import ACCOUNT

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form")
_FORBIDDEN = (
    b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
    b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
)


@dataclass
class Response:
    """What the client gets."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class FunctionUrl:
    """One function's URL, and the function or alias that it invokes."""

    function: str
    key: str
    settings: Mapping[str, Any]

    @property
    def signed(self) -> bool:
        return bool(self.settings["auth_type"] == "AWS_IAM")


async def find(api: Api, path: str) -> FunctionUrl | None:
    """The function URL that a path is below; None where there is none of its id."""
    own = path.removeprefix(PREFIX).partition("/")[0]
    for entry in (await api.link.ask("attachments", kind=URL))["attachments"]:
        if entry["value"]["id"] == own:
            return FunctionUrl(entry["function"], entry["key"], entry["value"])
    return None


def forbidden() -> Response:
    """AWS's answer to who may not."""
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")]
    return Response(403, headers, _FORBIDDEN)


async def is_open(api: Api, url: FunctionUrl) -> bool:
    """Whether the policy lets everybody invoke the URL."""
    policy = await api.attached(POLICY, url.function, url.key)
    return any(_lets_everybody(statement) for statement in (policy or {"statements": []})["statements"])


def _lets_everybody(statement: Mapping[str, Any]) -> bool:
    actions = statement.get("Action", [])
    actions = [actions] if isinstance(actions, str) else actions
    condition = statement.get("Condition", {})
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and bool({"lambda:InvokeFunctionUrl", "lambda:*", "*"} & set(actions))
        and condition in ({}, {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}})
    )


def preflight(url: FunctionUrl, head: Head) -> Response | None:
    """The answer to a browser's question beforehand; None where the function itself has to answer."""
    if head.method != "OPTIONS" or not url.settings["cors"] or "access-control-request-method" not in head.headers:
        return None
    return Response(200, cors_headers(url, head, whole=True), b"")


def cors_headers(url: FunctionUrl, head: Head, *, whole: bool = False) -> list[tuple[str, str]]:
    """What the URL's CORS configuration adds to an answer; nothing for an origin that it doesn't allow."""
    cors, origin = url.settings["cors"], head.headers.get("origin")
    origins = cors.get("AllowOrigins", [])
    if origin is None or not ("*" in origins or origin in origins):
        return []
    headers = [("Access-Control-Allow-Origin", "*" if "*" in origins else origin), ("Vary", "Origin")]
    if cors.get("AllowCredentials"):
        headers.append(("Access-Control-Allow-Credentials", "true"))
    if cors.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ",".join(cors["ExposeHeaders"])))
    if whole:
        for name, member in (("Methods", "AllowMethods"), ("Headers", "AllowHeaders")):
            if cors.get(member):
                headers.append((f"Access-Control-Allow-{name}", ",".join(cors[member])))
        if cors.get("MaxAge") is not None:
            headers.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return headers


async def serve(api: Api, url: FunctionUrl, head: Head, body: bytes) -> Response:
    """Invoke the function with the request, and make a response of what it returns."""
    event = _event(url, head, body, signed_by=api.credentials.access_key_id if url.signed else None)
    header = {"op": "invoke", "name": url.function, "qualifier": url.key or None, "mode": "sync"}
    try:
        answer, result = await api.link.call(header, json.dumps(event).encode())
    except ServiceError as error:
        status = error.status if error.status in (413, 429) else 502
        told = json.dumps({"Message": error.message}).encode()
        return Response(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)], told)
    request_id = ("x-amzn-RequestId", str(answer["request_id"]))
    if answer.get("error") is not None:
        return Response(502, [request_id, ("Content-Type", "text/plain")], b"Internal Server Error")
    if url.settings["invoke_mode"] == "RESPONSE_STREAM":
        return Response(200, [request_id, ("Content-Type", "application/octet-stream")], result)
    response = _response(result)
    response.headers += [request_id, *cors_headers(url, head)]
    return response


def _event(url: FunctionUrl, head: Head, body: bytes, *, signed_by: str | None) -> dict[str, Any]:
    now = time.time()
    path = "/" + head.path.removeprefix(PREFIX).partition("/")[2]
    own = url.settings["id"]
    query: dict[str, str] = {}
    for name, value in parse_qsl(head.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    context: dict[str, Any] = {
        "accountId": ACCOUNT if signed_by else "anonymous",
        "apiId": own,
        "domainName": head.headers.get("host", ""),
        "domainPrefix": own,
        "http": {
            "method": head.method,
            "path": unquote(path),
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": head.headers.get("user-agent", ""),
        },
        "requestId": str(uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if signed_by:
        context["authorizer"] = {
            "iam": {
                "accessKey": signed_by,
                "accountId": ACCOUNT,
                "callerId": ACCOUNT,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": f"arn:aws:iam::{ACCOUNT}:root",
                "userId": ACCOUNT,
            }
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(path),
        "rawQueryString": head.query,
        "headers": {name: value for name, value in head.headers.items() if name != "cookie"},
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if "cookie" in head.headers:
        event["cookies"] = [cookie.strip() for cookie in head.headers["cookie"].split(";")]
    if query:
        event["queryStringParameters"] = query
    if body:
        content_type = head.headers.get("content-type", "")
        if content_type.startswith(_TEXT_TYPES) and (text := _as_text(body)) is not None:
            event["body"] = text
        else:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


def _as_text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _response(result: bytes) -> Response:
    """Of a result with a statusCode, what it says; any other result is the body itself, as JSON."""
    told = json.loads(result)
    if not isinstance(told, dict) or "statusCode" not in told:
        body = told.encode() if isinstance(told, str) else result
        return Response(200, [("Content-Type", "application/json")], body)
    try:
        status = int(told["statusCode"])
        headers = [(str(name), str(value)) for name, value in (told.get("headers") or {}).items()]
        headers += [("Set-Cookie", str(cookie)) for cookie in told.get("cookies") or []]
        text = told.get("body") or ""
        text = text if isinstance(text, str) else json.dumps(text)
        body = base64.b64decode(text, validate=True) if told.get("isBase64Encoded") else text.encode()
        if not 100 <= status <= 599 or any(set("\r\n\0") & set(name + value) for name, value in headers):
            raise ValueError(status)
    except (ValueError, TypeError, AttributeError):
        return Response(502, [("Content-Type", "text/plain")], b"Internal Server Error")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    own = ("content-length", "transfer-encoding", "connection")
    return Response(status, [(name, value) for name, value in headers if name.lower() not in own], body)
