"""Bodies on their way through: pieces that go on as they come, with what was signed of them checked on the way.

Nothing of a body is held but its last piece, which goes on when the whole has been found right: until then whoever
gets it knows that it isn't whole. What was wrong is raised in the middle, which breaks the request off.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterable, AsyncIterator
from hashlib import sha256
from typing import Any, NoReturn

from lambdanb.client.credentials import Credentials
from lambdanb.gateway import signature
from lambdanb.gateway.bodies import SLOWEST_S
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Claim

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = f"{SIGNED}-TRAILER"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OF_NOTHING = sha256(b"").hexdigest()
_LINE_BYTES = 4096
_CHUNK_BYTES = 64 * 1024 * 1024


def passing(
    body: AsyncIterator[bytes] | None, told: str, headers: dict[str, str], claim: Claim, known: Credentials
) -> tuple[str, AsyncIterable[bytes] | None]:
    """The body of a request to S3 as it goes on, and its x-amz-content-sha256 (before: `told`), whose signature is
    right. `headers` are changed to what they then are. Raises Refusal."""
    if body is None:
        if _DIGEST.fullmatch(told) and told != _OF_NOTHING:
            raise _other_hash()
        return told, None
    if told == SIGNED:
        headers["content-length"] = headers.pop("x-amz-decoded-content-length", "0")
        encodings = [each.strip() for each in headers.pop("content-encoding", "").split(",")]
        left = [each for each in encodings if each not in ("", "aws-chunked")]
        if left:
            headers["content-encoding"] = ",".join(left)
        return signature.UNSIGNED_PAYLOAD, SignedChunks(body, claim, known, framed=False)
    if told == SIGNED_TRAILER:
        headers.pop("content-length", None)
        return UNSIGNED_TRAILER, SignedChunks(body, claim, known, framed=True)
    if _DIGEST.fullmatch(told):
        return told, of_hash(body, told)
    if told in (signature.UNSIGNED_PAYLOAD, UNSIGNED_TRAILER):
        return told, body
    raise Refusal("InvalidArgument", f"x-amz-content-sha256 has an unknown value: {told[:100]!r}", 400)


async def pieces(request: Any) -> AsyncIterator[bytes]:
    """A request's body as it comes. Raises Refusal when it comes too slowly."""
    try:
        while True:
            async with asyncio.timeout(SLOWEST_S):
                piece = await request.content.readany()
            if not piece:
                return
            yield piece
    except TimeoutError:
        raise Refusal("RequestTimeoutException", "The body of the request came too slowly.", 408) from None


async def of_hash(body: AsyncIterator[bytes], expected: str) -> AsyncIterator[bytes]:
    """The body, if its hash is the expected one."""
    hashed, last = sha256(), b""
    async for piece in body:
        hashed.update(piece)
        if last:
            yield last
        last = piece
    if not hmac.compare_digest(hashed.hexdigest().encode(), expected.encode()):
        raise _other_hash()
    if last:
        yield last


class SignedChunks:
    """A body in signed chunks (`size;chunk-signature=...`): its bytes, or, with `framed`, its chunks unsigned."""

    def __init__(self, body: AsyncIterator[bytes], claim: Claim, known: Credentials, *, framed: bool) -> None:
        self._body = body
        self._claim = claim
        self._known = known
        self._framed = framed
        self._ahead = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = b""
        async for piece in self._checked():
            if held:
                yield held
            held = piece
        yield held

    async def _checked(self) -> AsyncIterator[bytes]:
        """Each chunk's last piece comes when the chunk's signature has been found right."""
        before = self._claim.signature
        while True:
            size, given = _chunk_head(await self._line())
            if self._framed:
                yield b"%x\r\n" % size
            hashed, last, left = sha256(), b"", size
            while left:
                piece = await self._some(left)
                hashed.update(piece)
                left -= len(piece)
                if last:
                    yield last
                last = piece
            before = signature.chunk_signature(self._claim, self._known, before, hashed.hexdigest())
            if not hmac.compare_digest(given, before.encode()):
                signature.mismatch()
            if last:
                yield last
            if size == 0:
                break
            if await self._line():
                _malformed()
            if self._framed:
                yield b"\r\n"
        if self._framed:
            yield await self._trailer(before)

    async def _trailer(self, before: str) -> bytes:
        """The trailing headers, without the signature of them, and the empty line at the end."""
        lines, given = [], b""
        while line := await self._line():
            name, _, value = line.partition(b":")
            if name == b"x-amz-trailer-signature":
                given = value.strip()
            else:
                lines.append(line)
        signed = b"".join(line + b"\n" for line in lines)
        expected = signature.trailer_signature(self._claim, self._known, before, signed)
        if not hmac.compare_digest(given, expected.encode()):
            signature.mismatch()
        return b"".join(line + b"\r\n" for line in (*lines, b""))

    async def _line(self) -> bytes:
        """Up to the next line's end; what is left at the end of the body is a line too."""
        while (end := self._ahead.find(b"\r\n")) < 0:
            if len(self._ahead) > _LINE_BYTES:
                _malformed()
            piece = await anext(self._body, b"")
            if not piece:
                line, self._ahead = self._ahead, b""
                return line
            self._ahead += piece
        line, self._ahead = self._ahead[:end], self._ahead[end + 2 :]
        return line

    async def _some(self, most: int) -> bytes:
        if not self._ahead:
            self._ahead = await anext(self._body, b"")
            if not self._ahead:
                _malformed()
        piece, self._ahead = self._ahead[:most], self._ahead[most:]
        return piece


def _chunk_head(line: bytes) -> tuple[int, bytes]:
    digits, _, extension = line.partition(b";")
    name, _, given = extension.strip().partition(b"=")
    if not 0 < len(digits) <= 8 or not set(digits) <= set(b"0123456789abcdefABCDEF") or name != b"chunk-signature":
        _malformed()
    size = int(digits, 16)
    if size > _CHUNK_BYTES:
        _malformed()
    return size, given


def _other_hash() -> Refusal:
    told = "The provided 'x-amz-content-sha256' header does not match what was computed."
    return Refusal("XAmzContentSHA256Mismatch", told, 400)


def _malformed() -> NoReturn:
    raise Refusal("IncompleteBody", "The body isn't in signed chunks as its x-amz-content-sha256 says.", 400)
