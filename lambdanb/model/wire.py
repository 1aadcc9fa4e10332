"""The wire between client, executor and runtime: messages of two frames, a small JSON header and a payload of bytes.

A frame is `multiprocess.connection`'s own (a 4-byte big-endian length, then the bytes), so that a
`multiprocess.connection.Connection` can take part with `send_bytes` and `recv_bytes`. The payload is JSON that
was encoded once by the caller and is decoded once by the function; nobody between them looks into it.

Frames are written two at a time in one system call: each write to a stream may wake the other end.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

HEADER_BYTES = 8 * 1024 * 1024
"""Largest header that is accepted. Replies carry log text in it; requests never come near."""

RECEIVE_BYTES = 65536
"""To ask a socket for at a time. More would have malloc map and unmap pages at each call: measured, 30 us of it."""

_length = struct.Struct("!i")
_dumps = json.JSONEncoder(separators=(",", ":")).encode
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class WireError(Exception):
    """The other end doesn't speak this protocol: a length that can't be, or a header that isn't JSON."""


def encode(header: Any, payload: bytes = b"") -> bytes:
    """One message: the header as JSON, then the payload, each in a frame of its own."""
    return encode_raw(_dumps(header).encode(), payload)


def encode_raw(head: bytes, payload: bytes = b"") -> bytes:
    """One message whose header is JSON already: on the hot path headers are put together from known parts."""
    return b"".join((_length.pack(len(head)), head, _length.pack(len(payload)), payload))


class Request:
    """A request's header, encoded once and sent any number of times, each under a number of its own."""

    def __init__(self, **header: Any) -> None:
        self.header = header
        self._start = _dumps(header)[:-1]

    def encode(self, n: int, payload: bytes) -> bytes:
        """The message that asks for this as request `n`."""
        return encode_raw(f'{self._start},"n":{n}}}'.encode(), payload)


class MessageReader:
    """Cuts a stream of bytes into messages. Feed it whatever arrived; it gives the whole messages in there.

    `payload_bytes` is the largest payload accepted. A length over it raises WireError before anything of that
    size is kept, so that a peer that lies about a length costs nothing.
    """

    def __init__(self, payload_bytes: int) -> None:
        self._payload_bytes = payload_bytes
        self._chunks = bytearray()
        self._header: Any = None
        self._has_header = False

    @property
    def pending(self) -> bool:
        """True between messages when a part of the next one has arrived."""
        return bool(self._chunks) or self._has_header

    def feed(self, data: bytes) -> list[tuple[Any, bytes]]:
        """The messages completed by `data`, as (header, payload)."""
        if not self._chunks and not self._has_header:
            whole = _whole_message(data, self._payload_bytes)
            if whole is not None:
                return [whole]
        messages: list[tuple[Any, bytes]] = []
        buffer = self._chunks
        buffer += data
        start = 0
        while len(buffer) - start >= 4:
            (length,) = _length.unpack_from(buffer, start)
            limit = self._payload_bytes if self._has_header else HEADER_BYTES
            if not 0 <= length <= limit:
                raise WireError(f"a frame of {length} bytes, where at most {limit} are allowed")
            end = start + 4 + length
            if len(buffer) < end:
                break
            if self._has_header:
                self._has_header = False
                messages.append((self._header, bytes(buffer[start + 4 : end])))
                self._header = None
            else:
                self._header = _parse_header(bytes(buffer[start + 4 : end]))
                self._has_header = True
            start = end
        del buffer[:start]
        return messages


def _whole_message(data: bytes, payload_bytes: int) -> tuple[Any, bytes] | None:
    """The usual case without copies: `data` is exactly one message."""
    size = len(data)
    if size < 8:
        return None
    (head,) = _length.unpack_from(data)
    if not 0 <= head <= size - 8:
        return None
    (body,) = _length.unpack_from(data, 4 + head)
    if body != size - 8 - head or body > payload_bytes:
        return None
    return _parse_header(data[4 : 4 + head]), data[8 + head :]


def _parse_header(raw: bytes) -> Any:
    # The scanner itself: `decode` around it looks for white space, which no header has, and takes as long again.
    try:
        header, end = _scan(raw.decode(), 0)
        if end == len(raw):
            return header
    except (ValueError, RecursionError, StopIteration):
        pass
    raise WireError(f"a header that isn't JSON: {raw[:80]!r}")


def receive(sock: socket.socket, reader: MessageReader) -> tuple[Any, bytes] | None:
    """Wait on a blocking socket for the next message; None at the end of the stream.

    For ends that have one request under way at a time: the reader then never holds more than one message.
    """
    while True:
        data = sock.recv(RECEIVE_BYTES)
        if not data:
            return None
        for message in reader.feed(data):
            return message
