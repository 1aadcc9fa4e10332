"""AWS's event stream encoding: messages of headers and a payload, each with its lengths and two checksums.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from binascii import crc32

_STRING = 7
_OVERHEAD_BYTES = 16
"""Prelude (two lengths and their checksum) and the message's checksum."""


def event(event_type: str, payload: bytes, content_type: str) -> bytes:
    """One event."""
    headers = b"".join(
        _header(name, value)
        for name, value in ((":event-type", event_type), (":content-type", content_type), (":message-type", "event"))
    )
    prelude = struct.pack("!II", _OVERHEAD_BYTES + len(headers) + len(payload), len(headers))
    message = b"".join((prelude, struct.pack("!I", crc32(prelude)), headers, payload))
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
