"""Requests to the services beside Lambda: who sent them, and on they go.

By whom a request is signed decides what becomes of it:

- the home's own key: the signature is verified here, and it goes on as the account's owner's;
- a function's key: likewise, and it goes on under a session of the function's execution role;
- any other key: only the emulator knows those of its users and sessions. The request goes on as it is, and the emulator
  verifies it. The keys that the emulator itself takes for the owner's, whatever their signature, are refused here.

Bodies of S3 go through in pieces, both ways. Those of the other services are small, and are held.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from hashlib import sha256
from urllib.parse import unquote

import aiohttp
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse

from lambdanb.client.credentials import Credentials
from lambdanb.gateway import bodies, signature, signature_v2, uploads
from lambdanb.gateway.api import Api
from lambdanb.gateway.bodies import Bodies
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.role_sessions import RoleSessions
from lambdanb.gateway.signature import UNSIGNED_PAYLOAD, Claim, Head
from lambdanb.gateway.upstream import Upstream
from lambdanb.model.function_credentials import FunctionIdentity, opened

_BODY_BYTES = 24 * 1024 * 1024
"""The largest request of a service but S3: 500 records of Kinesis, 10 MB, in base64 and JSON."""
_ERROR_BYTES = 4096
_CONNECTION = ("connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
_NOT_SENT = frozenset((*_CONNECTION, "expect", "host"))
_OF_SIGNATURE = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "date")
_QUERY_OF_SIGNATURE = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
) | {"x-amz-content-sha256"}
_QUERY_OF_VERSION_2 = {"awsaccesskeyid", "signature"}
_KEY_ID = re.compile(r"(?=.*[A-Z])[A-Z0-9]{16,128}", re.ASCII)
"""Neither "test" nor an account's number nor none, which are the owner's to the emulator."""
_UNKNOWN_SESSION = re.compile(
    rb"InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|ExpiredToken|InvalidToken"
)


class Forwarding:
    """Sends requests on, and their answers back."""

    def __init__(self, api: Api, held: Bodies, function_secret: bytes) -> None:
        self._api = api
        self._held = held
        self._function_secret = function_secret
        self._upstream = Upstream(api.link, api.home, api.credentials, api.url)
        self._roles = RoleSessions(self._upstream)

    def function_of(self, claim: Claim) -> FunctionIdentity | None:
        """The function whose key the request claims to be signed with, if it is one's."""
        return opened(self._function_secret, claim.key_id, claim.token) if claim.token is not None else None

    async def __call__(self, request: BaseRequest, head: Head, claim: Claim) -> StreamResponse:
        """Raises ServiceError, while nothing of an answer is on its way."""
        # A path that begins with /_ is no service's, but one of the emulator's own pages, which are open to all.
        if not head.path.startswith("/") or head.path.startswith("/_") or "#" in head.path + head.query:
            raise Refusal("AccessDeniedException", f"No service of AWS's has the path {head.path[:100]}.", 403)
        identity = self.function_of(claim)
        if identity is not None:
            known = Credentials(claim.key_id, identity.secret_access_key)
        elif claim.token is None and claim.key_id == self._api.credentials.access_key_id:
            known = self._api.credentials
        else:
            return await self._as_it_is(request, head, claim)
        if claim.service == "s3":
            return await self._s3(request, head, claim, known, identity)
        continue_if_asked(request)
        too_large = Refusal("RequestEntityTooLargeException", f"A request has at most {_BODY_BYTES} bytes.", 413)
        body = await self._held.read(request, _BODY_BYTES, too_large)
        try:
            payload = await bodies.verified(body, head, claim, known)
            headers = sent_headers(head) | {"content-length": str(len(payload))}
            return await self._on(request, head, claim, identity, headers, sha256(payload).hexdigest(), payload)
        finally:
            self._held.release(len(body))

    async def _s3(
        self, request: BaseRequest, head: Head, claim: Claim, known: Credentials, identity: FunctionIdentity | None
    ) -> StreamResponse:
        told = UNSIGNED_PAYLOAD if claim.in_query else head.headers.get("x-amz-content-sha256", "")
        headers = sent_headers(head)
        if claim.stamp == signature_v2.VERSION:
            signature_v2.verify(claim, head, known)
            headers |= signature_v2.headers_in(head)
        else:
            signature.verify(claim, head, told, known)
        if has_body(head):
            self._upstream.check_room(length_of(head))
        continue_if_asked(request)
        pieces = uploads.pieces(request) if has_body(head) else None
        hashed, body = uploads.passing(pieces, told, headers, claim, known)
        return await self._on(request, head, claim, identity, headers, hashed, body)

    async def _on(
        self,
        request: BaseRequest,
        head: Head,
        claim: Claim,
        identity: FunctionIdentity | None,
        headers: dict[str, str],
        payload_hash: str,
        body: bytes | AsyncIterable[bytes] | None,
    ) -> StreamResponse:
        """Signed anew."""
        for name in _OF_SIGNATURE:
            headers.pop(name, None)
        keys = await (self._upstream.root() if identity is None else self._roles.keys(identity))
        query = unsigned_query(head.query, claim) if claim.in_query else head.query
        whole = Head(head.method, head.path, query, headers)
        signed = self._upstream.signed(whole, claim.service, payload_hash, keys)
        answered = await self._upstream.send(head.method, target(whole), signed, body)
        async with answered:
            if identity is not None and answered.status in (400, 403):
                return await self._refused(answered, identity)
            return await back(request, answered)

    async def _refused(self, answered: aiohttp.ClientResponse, identity: FunctionIdentity) -> Response:
        """What the function may not, or a session that the emulator has lost: that is the caller's to try again."""
        text = await answered.read()
        if len(text) <= _ERROR_BYTES and _UNKNOWN_SESSION.search(text):
            self._roles.forget(identity)
            raise Refusal("ServiceUnavailable", "The session of the function's role has ended: try again.", 503)
        response = Response(status=answered.status, body=text)
        copy_headers(answered, response)
        return response

    async def _as_it_is(self, request: BaseRequest, head: Head, claim: Claim) -> StreamResponse:
        """Under a key that only the emulator knows."""
        names = [unquote(part.partition("=")[0]).lower() for part in head.query.split("&")]
        signing = [name for name in names if name in _QUERY_OF_SIGNATURE | _QUERY_OF_VERSION_2]
        both = _QUERY_OF_VERSION_2 & set(signing) and "x-amz-credential" in signing
        ambiguous = both or len(signing) != len(set(signing)) if claim.in_query else bool(signing)
        owners = claim.key_id == self._api.credentials.access_key_id
        if owners or ambiguous or not self._upstream.emulated or not _KEY_ID.fullmatch(claim.key_id):
            raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
        headers = sent_headers(head) | {"host": head.headers["host"]}
        if not claim.in_query:
            headers["authorization"] = claim.authorization  # of one meaning, whatever the client wrote
        if has_body(head):
            self._upstream.check_room(length_of(head))
        continue_if_asked(request)
        body = uploads.pieces(request) if has_body(head) else None
        async with await self._upstream.send(head.method, target(head), headers, body) as answered:
            return await back(request, answered)


async def back(request: BaseRequest, answered: aiohttp.ClientResponse) -> StreamResponse:
    """The answer, as it comes. What breaks off in the middle is broken off here too."""
    response = StreamResponse(status=answered.status, reason=answered.reason)
    copy_headers(answered, response)
    await response.prepare(request)
    try:
        async for piece in answered.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError) as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("The answer broke off.") from error
    return response


def copy_headers(answered: aiohttp.ClientResponse, response: StreamResponse) -> None:
    """All that aren't of the connection."""
    for name, value in answered.headers.items():
        if not value.isascii():  # bytes that aren't UTF-8 can't be sent again as they were
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if name.lower() == "content-length":
            response.headers[name] = value
        elif name.lower() not in _CONNECTION:
            response.headers.add(name, value)


def continue_if_asked(request: BaseRequest) -> None:
    """Tell a client that waits with its body (Expect: 100-continue) that its request's head is accepted."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def has_body(head: Head) -> bool:
    """Whether bytes follow the request's head."""
    return "transfer-encoding" in head.headers or length_of(head) > 0


def length_of(head: Head) -> int:
    """How many bytes follow, as far as the head tells."""
    told = head.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


def sent_headers(head: Head) -> dict[str, str]:
    """What goes on of the request's headers."""
    return {name: value for name, value in head.headers.items() if name not in _NOT_SENT}


def unsigned_query(query: str, claim: Claim) -> str:
    """The query of a presigned URL without what signs it."""

    def signs(part: str) -> bool:
        name = unquote(part.partition("=")[0]).lower()
        if claim.stamp == signature_v2.VERSION:
            return name in signature_v2.SIGNING or name.startswith("x-amz-")
        return name in _QUERY_OF_SIGNATURE

    return "&".join(part for part in query.split("&") if not signs(part))


def target(head: Head) -> str:
    """Path and query, as they are sent."""
    return f"{head.path}?{head.query}" if head.query else head.path
