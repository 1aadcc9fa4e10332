"""Reading a request's body: bounded in size, in time, and in what all bodies together hold.

A body may come in AWS's signed chunks (`aws-chunked`); each chunk's signature continues the one before, and the first
continues that of the request.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

from lambdanb.client.credentials import Credentials
from lambdanb.gateway import signature
from lambdanb.gateway.refusals import Refusal, invalid_request
from lambdanb.gateway.signature import Claim, Head
from lambdanb.model.errors import ServiceError, TooManyRequestsException

SLOWEST_S = 30.0
"""Between two pieces of a body."""
LONGEST_S = 300.0
"""For a whole body."""
_ALL_BYTES = 384 * 1024 * 1024
_IN_A_THREAD_BYTES = 1024 * 1024
_STREAMING = "STREAMING-"


class Bodies:
    """All bodies that are held at a time; over the bound, whoever wants to hold more is told to come again later."""

    def __init__(self) -> None:
        self.held_bytes = 0

    def hold(self, size: int) -> None:
        """Count bytes in. Raises TooManyRequestsException."""
        if self.held_bytes + size > _ALL_BYTES:
            raise TooManyRequestsException("Rate Exceeded.", reason="CallerRateLimitExceeded", retry_after_s=1)
        self.held_bytes += size

    def release(self, size: int) -> None:
        """Count bytes out."""
        self.held_bytes -= size

    async def read(self, request: Any, limit: int, too_large: ServiceError) -> bytes:
        """A request's body, which the caller releases. Raises `too_large`, Refusal for one that is too slow."""
        content = request.content
        length = request.content_length
        if length is not None and length > limit:
            raise too_large
        if content.is_eof():
            whole: bytes = content.read_nowait()
            self.hold(len(whole))
            return whole
        pieces: list[bytes] = []
        held = 0
        try:
            async with asyncio.timeout(LONGEST_S):
                while True:
                    async with asyncio.timeout(SLOWEST_S):
                        piece = await content.readany()
                    if not piece:
                        break
                    if held + len(piece) > limit:
                        raise too_large
                    self.hold(len(piece))
                    held += len(piece)
                    pieces.append(piece)
                    if content.is_eof():
                        break
        except TimeoutError:
            self.release(held)
            raise Refusal("RequestTimeoutException", "The body of the request came too slowly.", 408) from None
        except BaseException:
            self.release(held)
            raise
        return b"".join(pieces)


async def verified(body: bytes, head: Head, claim: Claim, known: Credentials) -> bytes:
    """The payload of a body whose signature is right. Raises Refusal."""
    told = head.headers.get("x-amz-content-sha256")
    if told is not None and told.startswith(_STREAMING):
        signature.verify(claim, head, told, known)
        return _unchunked(body, told, claim, known)
    if told == signature.UNSIGNED_PAYLOAD:
        signature.verify(claim, head, told, known)
        return body
    digest = await asyncio.to_thread(_digest, body) if len(body) > _IN_A_THREAD_BYTES else _digest(body)
    if told is not None and not hmac.compare_digest(told.encode(), digest.encode()):
        raise Refusal(
            "InvalidSignatureException",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            403,
        )
    signature.verify(claim, head, digest, known)
    return body


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _unchunked(body: bytes, told: str, claim: Claim, known: Credentials) -> bytes:
    """The payload in AWS's chunks: `size[;chunk-signature=...]`, the bytes, and so on to a chunk of none."""
    signed = "UNSIGNED" not in told
    if told.removesuffix("-TRAILER") not in ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD"):
        raise Refusal("InvalidSignatureException", f"x-amz-content-sha256 has an unknown value: {told[:100]}", 403)
    before, place, pieces = claim.signature, 0, []
    while True:
        end = body.find(b"\r\n", place, place + 4096)
        size_text, _, extension = body[place : max(end, place)].partition(b";")
        if end < 0 or not 0 < len(size_text) <= 8 or not set(size_text) <= set(b"0123456789abcdefABCDEF"):
            raise invalid_request("The body isn't in chunks as its x-amz-content-sha256 says.")
        size = int(size_text, 16)
        chunk = body[end + 2 : end + 2 + size]
        if signed:
            before = _checked(extension, signature.chunk_signature(claim, known, before, _digest(chunk)))
        place = end + 2 + size
        if size == 0:
            break
        if len(chunk) != size or body[place : place + 2] != b"\r\n":
            raise invalid_request("A chunk of the body isn't as long as it says.")
        place += 2
        pieces.append(chunk)
    if told.endswith("-TRAILER") and signed:
        _check_trailer(body[place:], claim, known, before)
    return b"".join(pieces)


def _checked(extension: bytes, expected: str) -> str:
    name, _, given = extension.strip().partition(b"=")
    if name != b"chunk-signature" or not hmac.compare_digest(given, expected.encode()):
        signature.mismatch()
    return expected


def _check_trailer(trailer: bytes, claim: Claim, known: Credentials, before: str) -> None:
    lines = [line for line in trailer.split(b"\r\n") if line]
    given = [line.partition(b":")[2] for line in lines if line.startswith(b"x-amz-trailer-signature:")]
    signed = b"".join(line + b"\n" for line in lines if not line.startswith(b"x-amz-trailer-signature:"))
    expected = signature.trailer_signature(claim, known, before, signed)
    if len(given) != 1 or not hmac.compare_digest(given[0].strip(), expected.encode()):
        signature.mismatch()
