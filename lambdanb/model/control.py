"""Control messages: one JSON object a packet, with open descriptors beside it, over a SOCK_SEQPACKET pair.

Used between executor, zygote and init, where descriptors have to change hands and messages are few. Events go over
`lambdanb.model.wire`.
"""

from __future__ import annotations

import array
import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MESSAGE_BYTES = 192 * 1024
"""Largest message: what a default socket buffer takes as one packet."""

_DESCRIPTORS = 16
_ANCILLARY_BYTES = socket.CMSG_SPACE(_DESCRIPTORS * 4) + socket.CMSG_SPACE(12)
SCM_CREDENTIALS = 2


@dataclass
class Control:
    """A received message. `pid` is the sender's, as the receiver's PID namespace sees it, where it was asked for."""

    message: dict[str, Any]
    descriptors: list[int] = field(default_factory=list)
    pid: int | None = None


def pair() -> tuple[socket.socket, socket.socket]:
    """The executor's end, on which the kernel tells who sent each message, and the end to hand over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def send(sock: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message. Raises OSError when the other end is gone."""
    data = json.dumps(message).encode()
    if len(data) > MESSAGE_BYTES:
        raise ValueError(f"a control message of {len(data)} bytes, where at most {MESSAGE_BYTES} fit")
    if descriptors:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)
    else:
        sock.send(data, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> Control | None:
    """Wait for one message; None when the other end is gone. Raises BlockingIOError on a non-blocking socket."""
    data, ancillary, _, _ = sock.recvmsg(MESSAGE_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None
    pid = None
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % 4])
        elif kind == SCM_CREDENTIALS:
            pid = struct.unpack("3i", content)[0]
    return Control(json.loads(data), list(descriptors), pid)
