"""A message stream over a socket of the loop: reads messages, and writes without ever blocking.

What the kernel doesn't take at once is kept and written when the other end reads. Peers that don't read are bounded by
`backlog_bytes`: over it the stream ends, since memory must not grow for somebody who left.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from lambdanb.executor.loop import READ, WRITE, Loop
from lambdanb.model.wire import RECEIVE_BYTES, MessageReader, WireError


class Stream:
    """`on_message(header, payload)` for each message; `on_end(why)` once, with None for an ordinary end of stream."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        payload_bytes: int,
        backlog_bytes: int,
        on_message: Callable[[Any, bytes], None],
        on_end: Callable[[str | None], None],
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._reader = MessageReader(payload_bytes)
        self._backlog_bytes = backlog_bytes
        self._on_message = on_message
        self._on_end = on_end
        self._out = bytearray()
        self._gathered: list[bytes] = []
        self._writing = False
        self.closed = False
        loop.watch(sock.fileno(), self._ready)

    def send(self, message: bytes) -> None:
        """Write an encoded message now, as far as the kernel takes it."""
        self._write(message)

    def gather(self, message: bytes) -> None:
        """Write at the end of the loop's round, together with what else is gathered: one wake-up for many replies."""
        if not self._gathered:
            self._loop.at_end_of_round(self._write_gathered)
        self._gathered.append(message)

    def read_waiting(self) -> None:
        """Read what has arrived by now, whether or not the loop has told of it yet."""
        while not self.closed and self._read():
            pass

    def close(self) -> None:
        """End the stream from this side; `on_end` isn't called."""
        if not self.closed:
            self.closed = True
            self._loop.forget(self._sock.fileno())
            self._sock.close()

    def _write_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def _write(self, data: bytes) -> None:
        if self.closed:
            return
        if self._out:
            self._out += data
        else:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._end(f"writing failed: {error.strerror}")
                return
            if sent == len(data):
                return
            self._out += memoryview(data)[sent:]
        if len(self._out) > self._backlog_bytes:
            self._end(f"{len(self._out)} bytes wait for an end that doesn't read")
        elif not self._writing:
            self._writing = True
            self._loop.watch(self._sock.fileno(), self._ready, READ | WRITE)

    def _ready(self, events: int) -> None:
        if events & WRITE and self._writing:
            self._drain()
        if events & ~WRITE and not self.closed:
            self._read()

    def _drain(self) -> None:
        try:
            sent = self._sock.send(memoryview(self._out)[:1048576])
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"writing failed: {error.strerror}")
            return
        del self._out[:sent]
        if not self._out:
            self._writing = False
            self._loop.watch(self._sock.fileno(), self._ready, READ)

    def _read(self) -> bool:
        """Read once; whether there was anything."""
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end(f"reading failed: {error.strerror}")
            return False
        if not data:
            self._end("the stream ended within a message" if self._reader.pending else None)
            return False
        try:
            messages = self._reader.feed(data)
        except WireError as error:
            self._end(str(error))
            return False
        for header, payload in messages:
            self._on_message(header, payload)
            if self.closed:
                return False
        return True

    def _end(self, why: str | None) -> None:
        if not self.closed:
            self.close()
            self._on_end(why)
