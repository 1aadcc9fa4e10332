"""Requests put together by hand: signed by botocore's own signer, or wrongly, and sent as they are."""

from __future__ import annotations

import datetime
import http.client
import json
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

INVOKE = "/2015-03-31/functions/echo/invocations"


def signed(
    endpoint: dict[str, str],
    method: str,
    path: str,
    body: bytes = b"",
    *,
    headers: dict[str, str] | None = None,
    age: datetime.timedelta = datetime.timedelta(),
    secret: str | None = None,
    service: str = "lambda",
    region: str = "us-east-1",
) -> dict[str, str]:
    """The headers of a signed request; of one signed a while ago, or with another secret."""
    request = AWSRequest(method, endpoint["AWS_ENDPOINT_URL"] + path, data=body, headers=dict(headers or {}))
    pair = Credentials(endpoint["AWS_ACCESS_KEY_ID"], secret or endpoint["AWS_SECRET_ACCESS_KEY"])
    with mock.patch("botocore.auth.get_current_datetime") as now:
        now.return_value = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - age
        SigV4Auth(pair, service, region).add_auth(request)
    return dict(request.headers.items())


def send(
    endpoint: dict[str, str], method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str, Any]:
    """Status, error type and JSON of the answer to a request that is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(endpoint["AWS_ENDPOINT_URL"]).netloc, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        told = json.loads(content) if content[:1] in (b"{", b"[") else content
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), told
    finally:
        connection.close()
