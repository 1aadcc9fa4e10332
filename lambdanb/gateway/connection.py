"""One client's connection, as aiohttp serves it, with two habits changed.

A client that has sent its request and shut down its half of the connection still gets the answer; aiohttp would drop
both. And there is a bound on connections: who comes beyond it is hung up on, and the others aren't disturbed.

A head that isn't whole within the keep-alive time (a slow loris), and a connection that is idle for it, is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

KEEP_ALIVE_S = 60.0
MOST_CONNECTIONS = 2_000
_HEADER_BYTES = 16 * 1024


class Connection(RequestHandler):
    """See above."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._manager is not None and len(self._manager._connections) > MOST_CONNECTIONS:
            self.force_close()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._current_request is None and not self._messages:
            return None
        # Closed after what is under way. `close` itself would cancel a request that has only just arrived.
        self._close = True
        return True


class Door(Server):
    """Makes a `Connection` of each client that connects."""

    def __init__(self, handle: Callable[[BaseRequest], Awaitable[StreamResponse]]) -> None:
        super().__init__(handle)

    def __call__(self) -> Connection:
        return Connection(
            self,
            loop=self._loop,
            keepalive_timeout=KEEP_ALIVE_S,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,  # a payload is signed as it was sent, and what it unpacks to has no bound
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
