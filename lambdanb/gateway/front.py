"""The front door: what each request is, who sent it, and what it gets.

In this order: the host and origin (a web page in a browser must not reach functions), whether its head claims a valid
signature, its body within bounds, the signature itself, then the service that it was signed for.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse

from lambdanb.gateway import (
    bodies,
    code_links,
    constraints,
    function_urls,
    open_metrics,
    other_errors,
    shapes,
    signature_v2,
    url_serving,
)
from lambdanb.gateway.api import Api
from lambdanb.gateway.bodies import Bodies
from lambdanb.gateway.forwarding import Forwarding
from lambdanb.gateway.operations import HANDLERS, NOT_OFFERED
from lambdanb.gateway.refusals import Refusal, body_of, headers_of, not_here
from lambdanb.gateway.routes import Operation, Routes
from lambdanb.gateway.services import SERVICES
from lambdanb.gateway.signature import Claim, Head, claim_of, of_known_key, read_claim
from lambdanb.model.errors import RequestTooLargeException, ServiceError, ServiceException

_EVENT_BYTES = 6 * 1024 * 1024
_SMALL_BYTES = 2 * 1024 * 1024
_PACKAGE_BYTES = 70_167_211
"""AWS's own limit of these requests: 50 MB in base64, and the rest of the members."""
_WITH_PACKAGE = frozenset(("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"))

_OWN = frozenset(("lambda", *SERVICES))
"""Whose errors are in the form of Lambda's."""

Answer = tuple[int, Mapping[str, str], bytes]


class Front:
    """Handles requests, as aiohttp's server calls it."""

    def __init__(self, api: Api, function_secret: bytes) -> None:
        """`function_secret` opens the credentials of functions."""
        self.api = api
        self.routes = Routes()
        self._bodies = Bodies()
        self._forwarding = Forwarding(api, self._bodies, function_secret)
        port = api.url.rpartition(":")[2]
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, request: BaseRequest) -> StreamResponse:
        """Never raises for what a client sent."""
        request_id, operation = str(uuid4()), None
        head, claim = _head(request), None
        try:
            self._check_host(head)
            if head.path.startswith(function_urls.PREFIX):
                return await self._function_url(head, request)
            if "origin" in head.headers:
                raise Refusal("AccessDeniedException", "Web pages may not use this endpoint.", 403)
            if head.path == open_metrics.PATH and head.headers.get("authorization", "").startswith("Basic "):
                return await open_metrics.answer(self.api, head)
            claim = signature_v2.claim_of(head) or claim_of(head)
            if claim.service != "lambda":
                return await self._other_service(claim, head, request, request_id)
            if self._forwarding.function_of(claim) is not None:
                raise Refusal("AccessDeniedException", "A function may not call Lambda's own API.", 403)
            of_known_key(claim, self.api.credentials)
            if head.path.startswith(code_links.PREFIX):
                await self._read(request, head, claim, 0, _too_large("GetFunction", 0))
                return Response(body=await code_links.download(self.api, head.path), content_type="application/zip")
            found = self.routes.find(head.method, head.path, head.query)
            if found is None:
                raise Refusal("UnknownOperationException", f"No operation is {head.method} {head.path[:200]}", 404)
            operation, uri, query = found
            limit, too_large = _limit(operation)
            body = await self._read(request, head, claim, limit, too_large)
            try:
                members = shapes.parse(operation, uri, query, head.headers, body)
                status, headers, answered = await self._do(operation, members, request_id)
            finally:
                self._bodies.release(len(body))
            return Response(status=status, headers=headers, body=answered)
        except ServiceError as error:
            if claim.service not in _OWN if claim is not None else other_errors.is_s3(head):
                status, headers, answered = other_errors.answer(error, head, request_id)
                refused = Response(status=status, headers=headers, body=answered)
            else:
                shape = operation.errors.get(error.code) if operation is not None else None
                refused = Response(
                    status=error.status, headers=headers_of(error, request_id), body=body_of(error, shape)
                )
            if "expect" in head.headers:
                refused.force_close()  # whoever waited with the body doesn't send it now
            return refused
        except ConnectionError:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            failed = ServiceException(f"The gateway failed: {error!r:.200}. See executor.log.")
            return Response(status=500, headers=headers_of(failed, request_id), body=body_of(failed, None))

    async def _do(self, operation: Operation, members: dict[str, Any], request_id: str) -> Answer:
        why = NOT_OFFERED.get(operation.name)
        if why is not None:
            raise not_here(operation.name, why)
        if operation.model.input_shape is not None:
            constraints.check(operation.model.input_shape, members)
        result = await HANDLERS[operation.name](self.api, members) or {}
        status, headers, body = shapes.answer(operation, result)
        headers["x-amzn-RequestId"] = result.get("RequestId") or request_id
        return status, headers, body

    async def _other_service(self, claim: Claim, head: Head, request: BaseRequest, request_id: str) -> StreamResponse:
        service = SERVICES.get(claim.service)
        if service is None or self._forwarding.function_of(claim) is not None:
            return await self._forwarding(request, head, claim)
        of_known_key(claim, self.api.credentials)
        body = await self._read(request, head, claim, _SMALL_BYTES, _too_large(claim.service, _SMALL_BYTES))
        try:
            status, headers, answered = await service(self.api, head, body)
        finally:
            self._bodies.release(len(body))
        return Response(status=status, headers={**headers, "x-amzn-RequestId": request_id}, body=answered)

    async def _read(self, request: BaseRequest, head: Head, claim: Claim, limit: int, too_large: ServiceError) -> bytes:
        """The verified payload, which the caller releases."""
        body = await self._bodies.read(request, limit, too_large)
        try:
            payload = await bodies.verified(body, head, claim, self.api.credentials)
        except BaseException:
            self._bodies.release(len(body))
            raise
        self._bodies.release(len(body) - len(payload))
        return payload

    async def _function_url(self, head: Head, request: BaseRequest) -> StreamResponse:
        url = await url_serving.find(self.api, head.path)
        if url is None:
            return _sent(url_serving.forbidden())
        told = url_serving.preflight(url, head)
        if told is None and url.signed:
            too_large = _too_large("InvokeFunctionUrl", _EVENT_BYTES)
            try:
                body = await self._read(request, head, read_claim(head, self.api.credentials), _EVENT_BYTES, too_large)
            except Refusal as refusal:
                if refusal.status != 403:
                    raise
                return _sent(url_serving.forbidden())
        elif told is None:
            if not await url_serving.is_open(self.api, url):
                return _sent(url_serving.forbidden())
            body = await self._bodies.read(request, _EVENT_BYTES, _too_large("InvokeFunctionUrl", _EVENT_BYTES))
        if told is None:
            try:
                told = await url_serving.serve(self.api, url, head, body)
            finally:
                self._bodies.release(len(body))
        return _sent(told)

    def _check_host(self, head: Head) -> None:
        """A name that somebody else's DNS points at this machine isn't its own: web pages get in by those."""
        if head.headers.get("host", "").lower() not in self._hosts:
            raise Refusal("AccessDeniedException", f"This endpoint is {self.api.url}, under no other host.", 403)


def _head(request: BaseRequest) -> Head:
    path, _, query = request.raw_path.partition("?")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    return Head(request.method, path, query, headers)


def _limit(operation: Operation) -> tuple[int, ServiceError]:
    if operation.takes_bytes:
        limit = _EVENT_BYTES
    else:
        limit = _PACKAGE_BYTES if operation.name in _WITH_PACKAGE else _SMALL_BYTES
    return limit, _too_large(operation.name, limit)


def _too_large(operation: str, limit: int) -> ServiceError:
    message = f"Request must be smaller than {limit} bytes for the {operation} operation"
    if operation.startswith("Invoke"):
        return RequestTooLargeException(message)
    return Refusal("RequestEntityTooLargeException", message, 413)


def _sent(told: url_serving.Response) -> StreamResponse:
    response = Response(status=told.status, body=told.body)
    for name, value in told.headers:
        response.headers.add(name, value)
    return response


Service = Callable[[Api, Head, bytes], Awaitable[Answer]]
