"""HTTP requests: API Gateway's REST APIs (payload format 1.0) and HTTP APIs (2.0), and function URLs (2.0)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from lambdanb.streams.samples.account import ACCOUNT, REGION, common_log_time, now_ms, text

_SOURCE_IP = "203.0.113.7"
_USER_AGENT = "curl/8.7.1"


def api_gateway(
    *,
    method: str = "GET",
    path: str = "/hello",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    stage: str = "prod",
) -> dict[str, Any]:
    """A request to a REST API with Lambda proxy integration. `body` is a text, or anything that is JSON."""
    method = method.upper()
    api, at_ms = secrets.token_hex(5), now_ms()
    domain = f"{api}.execute-api.{REGION}.amazonaws.com"
    all_headers = {"Accept": "*/*", "Host": domain, "User-Agent": _USER_AGENT, **_content_type(body), **(headers or {})}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": secrets.token_hex(3),
            "resourcePath": path,
            "httpMethod": method,
            "extendedRequestId": secrets.token_urlsafe(11) + "=",
            "requestTime": common_log_time(at_ms),
            "path": f"/{stage}{path}",
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": stage,
            "domainPrefix": api,
            "requestTimeEpoch": at_ms,
            "requestId": str(uuid.uuid4()),
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": _SOURCE_IP,
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": _USER_AGENT,
                "user": None,
            },
            "domainName": domain,
            "apiId": api,
        },
        "body": None if body is None else text(body),
        "isBase64Encoded": False,
    }


def api_gateway_v2(
    *,
    method: str = "GET",
    path: str = "/hello",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> dict[str, Any]:
    """A request to an HTTP API. `body` is a text, or anything that is JSON; without one the event has no `body`."""
    api = secrets.token_hex(5)
    route = f"{method.upper()} {path}"
    return _format_2(f"{api}.execute-api.{REGION}.amazonaws.com", route, method, path, query, headers, body)


def function_url(
    *,
    method: str = "GET",
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> dict[str, Any]:
    """A request to a function URL without authorization. `body` as for `api_gateway_v2`."""
    domain = f"{secrets.token_hex(16)}.lambda-url.{REGION}.on.aws"
    event = _format_2(domain, "$default", method, path, query, headers, body)
    event["requestContext"]["accountId"] = "anonymous"
    return event


def _format_2(
    domain: str,
    route: str,
    method: str,
    path: str,
    query: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    body: Any,
) -> dict[str, Any]:
    at_ms = now_ms()
    api = domain.partition(".")[0]
    given = {name.lower(): value for name, value in {**_content_type(body), **(headers or {})}.items()}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {"accept": "*/*", "host": domain, "user-agent": _USER_AGENT, **given},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api,
            "domainName": domain,
            "domainPrefix": api,
            "http": {
                "method": method.upper(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE_IP,
                "userAgent": _USER_AGENT,
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route,
            "stage": "$default",
            "time": common_log_time(at_ms),
            "timeEpoch": at_ms,
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        event["body"] = text(body)
    return event


def _content_type(body: Any) -> dict[str, str]:
    return {} if body is None or isinstance(body, str) else {"Content-Type": "application/json"}
