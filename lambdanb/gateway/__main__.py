"""`python -m lambdanb.gateway HOME DESCRIPTOR`: the gateway of a home, on the listening socket of that descriptor.

From its standard input it reads the secret that opens the credentials of functions.

Started by the home's executor, and gone with it.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import sys
from pathlib import Path

import uvloop

from lambdanb.client.credentials import credentials
from lambdanb.client.link import Link
from lambdanb.code.store import CodeStore
from lambdanb.gateway.api import Api
from lambdanb.gateway.connection import Door
from lambdanb.gateway.front import Front

_BACKLOG = 512


async def main() -> None:
    """Serve until the executor hangs up."""
    home = Path(sys.argv[1])
    listening = socket.socket(fileno=int(sys.argv[2]))
    ended = asyncio.Event()
    link = await Link.to(home, ended.set)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    front = Front(Api(link, home, url, credentials(home), CodeStore(home / "code")), sys.stdin.buffer.read())
    server = await asyncio.get_running_loop().create_server(Door(front), sock=listening, backlog=_BACKLOG)
    gc.collect()
    gc.freeze()
    await ended.wait()
    server.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(main())
