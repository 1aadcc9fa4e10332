"""A part's connection to its executor (the gateway's, the sources'): many requests under way on one socket, each answer
to its own waiter.

The connection's end is the part's end: the executor, which owns everything, is gone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from lambdanb.client.connection import ANSWER_BYTES, checked
from lambdanb.client.start import connect
from lambdanb.model import wire

Answer = tuple[dict[str, Any], bytes]


class Link(asyncio.Protocol):
    """Use `Link.to(home, on_end)`."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._reader = wire.MessageReader(ANSWER_BYTES)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._n = 0
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def to(cls, home: Path, on_end: Callable[[], None]) -> Link:
        """A link to the home's executor, as a part of it: it keeps no executor alive."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(on_end), sock=connect(home))
        await link.call({"op": "serve"})
        return link

    async def call(self, header: dict[str, Any], payload: bytes = b"") -> Answer:
        """Send a request and wait for its answer. Raises the service's errors."""
        self._n += 1
        n = header["n"] = self._n
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[n] = answer
        assert self._transport is not None
        self._transport.write(wire.encode(header, payload))
        return checked(await answer)

    async def ask(self, op: str, **arguments: Any) -> Any:
        """A request and an answer that are plain data."""
        _, payload = await self.call({"op": op}, json.dumps(arguments).encode())
        return json.loads(payload)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for header, payload in self._reader.feed(data):
            waiter = self._waiting.pop(header["n"], None)
            if waiter is not None and not waiter.done():
                waiter.set_result((header, payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
