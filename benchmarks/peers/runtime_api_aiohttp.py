"""The same minimal Runtime API as runtime_api.py, by a library instead of by hand: aiohttp, as one would write it.

The hand-written one is the floor of what HTTP costs in Python; this is what a Runtime API costs that is made to be
kept. (Its name isn't that of any module of the client, which is started in this folder.)
"""

from __future__ import annotations

import asyncio
import time
from itertools import count

from aiohttp import web

ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench"


class Exchange:
    """Events wait in a queue for environments, callers wait for the Future of their event's answer."""

    def __init__(self) -> None:
        self.events: asyncio.LifoQueue[tuple[str, bytes]] = asyncio.LifoQueue()
        self.answers: dict[str, asyncio.Future[bytes]] = {}
        self.numbers = count(1)

    async def invoke(self, request: web.Request) -> web.Response:
        request_id = f"00000000-0000-4000-8000-{next(self.numbers):012d}"
        answer = self.answers[request_id] = asyncio.get_running_loop().create_future()
        self.events.put_nowait((request_id, await request.read()))
        return web.Response(body=await answer, content_type="application/json")

    async def next(self, _: web.Request) -> web.Response:
        request_id, event = await self.events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 10_000),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
        }
        return web.Response(body=event, content_type="application/json", headers=headers)

    async def answer(self, request: web.Request) -> web.Response:
        self.answers.pop(request.match_info["id"]).set_result(await request.read())
        return web.Response(status=202, body=b"{}")


async def main() -> None:
    """Serve on a free port of the loopback, which is told on standard output, until killed."""
    exchange = Exchange()
    app = web.Application()
    app.router.add_post("/2015-03-31/functions/function/invocations", exchange.invoke)
    app.router.add_get("/2018-06-01/runtime/invocation/next", exchange.next)
    app.router.add_post("/2018-06-01/runtime/invocation/{id}/response", exchange.answer)
    app.router.add_post("/2018-06-01/runtime/invocation/{id}/error", exchange.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
