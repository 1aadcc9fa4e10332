"""A minimal Runtime API over HTTP, as a process of its own: what awslambdaric, unmodified, asks for its events.

It takes invocations as the Runtime Interface Emulator does, by POST to /2015-03-31/functions/function/invocations, and
gives each to the environment that became idle last. One asyncio loop, kept connections, no header that isn't needed:
as fast as HTTP in Python comes.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench"


class Exchange:
    """Events that wait for an environment, environments that wait for an event, callers that wait for an answer."""

    def __init__(self) -> None:
        self.events: deque[tuple[Connection, bytes]] = deque()
        self.idle: list[Connection] = []
        self.callers: dict[str, Connection] = {}
        self.count = 0

    def match(self) -> None:
        while self.events and self.idle:
            caller, event = self.events.popleft()
            self.count += 1
            request_id = f"00000000-0000-4000-8000-{self.count:012d}"
            self.callers[request_id] = caller
            deadline_ms = int(time.time() * 1000) + 10_000
            self.idle.pop().reply(
                "200 OK",
                event,
                f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\nLambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
                f"Lambda-Runtime-Invoked-Function-Arn: {ARN}\r\n",
            )


class Connection(asyncio.Protocol):
    """One kept HTTP/1.1 connection, of a caller or an environment."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.exchange.idle:
            self.exchange.idle.remove(self)

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            request, *headers = self.data[:end].decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
            size = int(fields.get("content-length", 0))
            if len(self.data) < end + 4 + size:
                return
            body, self.data = self.data[end + 4 : end + 4 + size], self.data[end + 4 + size :]
            method, path, _ = request.split(" ")
            self.answer(method, path.split("/")[2:], body)

    def answer(self, method: str, path: list[str], body: bytes) -> None:
        match method, path:
            case "GET", ["runtime", "invocation", "next"]:
                self.exchange.idle.append(self)
                self.exchange.match()
            case "POST", ["functions", _, "invocations"]:
                self.exchange.events.append((self, body))
                self.exchange.match()
            case "POST", ["runtime", "invocation", request_id, ("response" | "error") as outcome]:
                failed = "X-Amz-Function-Error: Unhandled\r\n" if outcome == "error" else ""
                self.exchange.callers.pop(request_id).reply("200 OK", body, failed)
                self.reply("202 Accepted", b"{}")
            case _:
                self.reply("404 Not Found", b"{}")

    def reply(self, status: str, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode("latin-1") + body)


async def main() -> None:
    """Serve on a free port of the loopback, which is told on standard output, until killed."""
    exchange = Exchange()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(exchange), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
