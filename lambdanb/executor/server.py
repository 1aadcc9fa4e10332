"""The executor's door: a Unix socket in a folder that only its user may enter.

A client sends messages (`lambdanb.model.wire`) and gets one answer to each, in the order in which they are finished:

    {"n": 7, "op": "invoke", "name": ..., ...} + event   ──▶
    ◀──   {"n": 7, ...} + payload        or        {"n": 7, "refused": {code, message, ...}}

Connections are also the lifeline: while one is open the executor lives (`on_alone` is called when the last has gone);
those of its own parts, such as the gateway, don't count.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambdanb.executor.loop import Loop
from lambdanb.executor.own_log import report_defect
from lambdanb.executor.stream import Stream
from lambdanb.model.database import StoreUnusable
from lambdanb.model.errors import ServiceError, ServiceException
from lambdanb.model.wire import encode, encode_raw

REQUEST_BYTES = 80 * 1024 * 1024
"""Largest payload of a request: a deployment package of 50 MB in base64, with room. Events are limited by the rules."""

_UNREAD_BYTES = 256 * 1024 * 1024
"""Answers that may wait for one client that doesn't read them."""

Handle = Callable[["Client", dict[str, Any], bytes], None]


class Client:
    """One connection. Each request is answered or refused once, at any time, also when the client has left.

    `waiting`: requests that have not been. `serves`: it is a part of the executor (the gateway) and
    keeps nobody alive.
    """

    def __init__(self, stream: Stream) -> None:
        self.waiting = 0
        self.serves = False
        self._stream = stream

    @property
    def gone(self) -> bool:
        return self._stream.closed

    def answer(self, n: int, header: dict[str, Any], payload: bytes = b"") -> None:
        """Answer request `n`."""
        header["n"] = n
        self.waiting -= 1
        self._stream.gather(encode(header, payload))

    def answer_soon(self, head: bytes, payload: bytes) -> None:
        """Answer with a header that is JSON already and names its request.

        At once, when the client waits for nothing else; several answers go out together, at the end of the round.
        """
        self.waiting -= 1
        if self.waiting == 0:
            self._stream.send(encode_raw(head, payload))
        else:
            self._stream.gather(encode_raw(head, payload))

    def refuse(self, n: int, error: ServiceError) -> None:
        """Answer request `n` with an error of the service."""
        self.waiting -= 1
        self._stream.gather(encode({"n": n, "refused": error.to_wire()}))


class Server:
    """Listens in a folder of the home; gives each request to `handle(client, header, payload)`."""

    def __init__(self, loop: Loop, folder: Path, handle: Handle, on_alone: Callable[[], None]) -> None:
        self.clients: set[Client] = set()
        self._loop = loop
        self._handle = handle
        self._on_alone = on_alone
        self._log = folder.parent / "executor.log"
        self._socket = listen(folder)
        loop.watch(self._socket.fileno(), self._accept)

    def close(self) -> None:
        """Take no more clients. The socket's file stays, for the next executor to replace."""
        self._loop.forget(self._socket.fileno())
        self._socket.close()

    @property
    def in_use(self) -> bool:
        """Whether anybody is connected beside the executor's own parts."""
        return any(not client.serves for client in self.clients)

    def serve(self, client: Client) -> None:
        """This client is a part of the executor."""
        client.serves = True
        if not self.in_use:
            self._on_alone()

    def take_waiting(self) -> None:
        """Let in who has knocked but isn't served yet: ask before deciding that nobody is there."""
        self._accept(0)

    def _accept(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sock, _ = self._socket.accept()
            if peer_uid(sock) != os.geteuid():
                sock.close()
                return
            self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        def on_end(_: str | None) -> None:
            self.clients.discard(client)
            if not self.in_use:
                self._on_alone()

        stream = Stream(
            self._loop,
            sock,
            payload_bytes=REQUEST_BYTES,
            backlog_bytes=_UNREAD_BYTES,
            on_message=lambda header, payload: self._serve(client, header, payload),
            on_end=on_end,
        )
        client = Client(stream)
        self.clients.add(client)

    def _serve(self, client: Client, header: Any, payload: bytes) -> None:
        n = header.get("n") if type(header) is dict else None
        if type(n) is not int:
            return  # nobody who speaks this protocol, and no number under which to tell it so
        client.waiting += 1
        try:
            self._handle(client, header, payload)
        except ServiceError as error:
            client.refuse(n, error)
        except StoreUnusable as error:
            client.refuse(n, ServiceException(str(error)))
        except Exception as error:
            report_defect()
            client.refuse(n, ServiceException(f"The executor failed at {header!r:.200}: {error!r}. See {self._log}."))


def listen(folder: Path) -> socket.socket:
    """A listening socket `executor.sock` in `folder`, which is made, or made private, first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return bind_in_folder(folder, "executor.sock", 128)


def bind_in_folder(folder: Path, name: str, backlog: int) -> socket.socket:
    """A listening socket in a folder, in place of what another executor left there.

    It is bound through the folder's descriptor: a socket's path may have 107 bytes, a home's path more.
    """
    (folder / name).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.bind(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
