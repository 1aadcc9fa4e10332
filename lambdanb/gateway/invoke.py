"""Invocations. The payload goes to the executor, and its result to the client, as the bytes that they are.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

from lambdanb.gateway.api import Api, Members, function_of
from lambdanb.gateway.event_stream import event
from lambdanb.gateway.refusals import invalid_request, not_here

_MODES = {"RequestResponse": "sync", "Event": "async", "DryRun": "dry-run"}
_LOG_TAIL_BYTES = 4096
_CHECKED_AT_ONCE_BYTES = 128 * 1024
_CLIENT_CONTEXT_BYTES = 3583


async def invoke(api: Api, members: Members) -> Members:
    """200 with the function's result or error, 202 for an event that is on disk, 204 for a dry run."""
    return await _invoke(api, "Invoke", members, members.get("Payload", b""))


async def invoke_async(api: Api, members: Members) -> Members:
    """AWS's old way to send an event: 202."""
    accepted = await _invoke(api, "InvokeAsync", {**members, "InvocationType": "Event"}, members.get("InvokeArgs", b""))
    return {"Status": accepted["StatusCode"], "RequestId": accepted["RequestId"]}


async def invoke_with_response_stream(api: Api, members: Members) -> Members:
    """The result as an event stream. Functions here return their result at once: it is one chunk, then the end."""
    answered = await _invoke(api, "InvokeWithResponseStream", members, members.get("Payload", b""))
    end: dict[str, str] = {}
    if "FunctionError" in answered:
        end = {"ErrorCode": "Unhandled", "ErrorDetails": _details(answered["Payload"])}
    if "LogResult" in answered:
        end["LogResult"] = answered.pop("LogResult")
    chunk = answered.pop("Payload", b"")
    stream = b"" if answered.pop("FunctionError", None) else event("PayloadChunk", chunk, "application/octet-stream")
    stream += event("InvokeComplete", json.dumps(end).encode(), "application/json")
    return {**answered, "EventStream": stream, "ResponseStreamContentType": "application/vnd.amazon.eventstream"}


async def _invoke(api: Api, operation: str, members: Members, payload: bytes) -> Members:
    name, qualifier = function_of(members)
    for unknown, why in (
        ("DurableExecutionName", "there are no durable executions"),
        ("TenantId", "there are no tenants"),
    ):
        if unknown in members:
            raise not_here(f"{operation} with {unknown}", why)
    payload = payload or b"{}"
    await _check_json(payload)
    header: dict[str, Any] = {
        "op": "invoke",
        "name": name,
        "qualifier": qualifier,
        "mode": _MODES[members.get("InvocationType", "RequestResponse")],
    }
    tail = members.get("LogType") == "Tail" and header["mode"] == "sync"
    if tail:
        header["log"] = True
    if "ClientContext" in members:
        header["client_context"] = _client_context(members["ClientContext"])
    answer, result = await api.link.call(header, payload)
    told: Members = {
        "StatusCode": answer["status"],
        "ExecutedVersion": answer["version"],
        "RequestId": answer["request_id"],
        "Payload": result,
    }
    if answer.get("error") is not None:
        told["FunctionError"] = "Unhandled"
    if tail:
        log = answer.get("log", "").encode(errors="replace")[-_LOG_TAIL_BYTES:]
        told["LogResult"] = base64.b64encode(log).decode()
    return told


async def _check_json(payload: bytes) -> None:
    """AWS refuses an event that isn't JSON, and so one that is accepted can't fail for it later."""
    try:
        if len(payload) > _CHECKED_AT_ONCE_BYTES:
            await asyncio.to_thread(json.loads, payload)
        else:
            json.loads(payload)
        if payload[:1] not in b'{["0123456789-tfn' and not payload[:4].isspace():
            payload.decode()  # `loads` takes UTF-16 and UTF-32 too
    except (ValueError, RecursionError) as error:
        raise invalid_request(f"Could not parse request body into json: {error}") from None


def _client_context(text: str) -> Any:
    if len(text) > _CLIENT_CONTEXT_BYTES:
        raise invalid_request(f"Client context must be at most {_CLIENT_CONTEXT_BYTES} bytes of base64.")
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise invalid_request("Client context must be a valid Base64-encoded JSON object.") from None


def _details(failure: bytes) -> str:
    return failure.decode(errors="replace")


HANDLERS = {
    "Invoke": invoke,
    "InvokeAsync": invoke_async,
    "InvokeWithResponseStream": invoke_with_response_stream,
}
