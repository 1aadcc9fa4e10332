"""`python -m lambdanb.sources.emulated DESCRIPTOR PARENT`: MiniStack, served on that listening socket.

Nothing of MiniStack's is used but its ASGI application, what writes its state, and what forgets old iterators of
Kinesis; its settings are in `emulated_environment`. What is added:

- it answers the home's own gateway only. MiniStack takes the key "test", any account's number and a request without a
  key for the root user, and has pages that need no key at all: whoever reaches it is its master.
- whatever a service of it would listen on, it isn't reachable from outside this machine.
- snapshots.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hmac
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lambdanb.client.credentials import DOOR_HEADER, Credentials
from lambdanb.sources.lifeline import end_with
from lambdanb.sources.snapshots import Snapshots

_BACKLOG = 512
_KEEP_ALIVE_S = 75.0
_LAST_REQUESTS_S = 0.5
_EXPIRY_EVERY_S = 10.0
_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Receive")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def behind_door(application: Application, key: str, on_change: Callable[[], None]) -> Application:
    """The application, for those who know the key; `on_change` is called when a request may have changed something."""
    header, expected = DOOR_HEADER.lower().encode(), key.encode()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await application(scope, receive, send)
        given = [value for name, value in scope["headers"] if name == header]
        if scope["type"] != "http" or len(given) != 1 or not hmac.compare_digest(given[0], expected):
            return await _refuse(scope, send)
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != header]
        try:
            await application(scope, receive, send)
        finally:
            if may_change(scope):
                on_change()

    return serve


def may_change(scope: Scope) -> bool:
    """Whether a request may change what the emulator holds, as far as its head tells."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    target = next((value for name, value in scope["headers"] if name == b"x-amz-target"), b"")
    return not target.rpartition(b".")[2].decode("latin-1").startswith(_READS)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": 1008})


def only_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: refuses to bind a socket to an address that others than this machine can reach."""
    if event == "socket.bind":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            told = f"lambdanb's emulator listens on loopback only, not on {address[0] or 'any address'}"
            raise PermissionError(errno.EACCES, told)


def hold(path: Path) -> int:
    """Take the lock of what the home's services hold; it is this process's, and its snapshots', until they end."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.pwrite(lock, f"{os.getpid():<20}".encode(), 0)
    return lock


def seldom(work: Callable[[], None], every_s: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """Work that is done at most so often, however often it is asked for."""
    due_s = clock()

    def maybe() -> None:
        nonlocal due_s
        now_s = clock()
        if now_s >= due_s:
            due_s = now_s + every_s
            work()

    return maybe


async def serve(descriptor: int, lock: int) -> None:
    """Until SIGTERM."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack import app as ministack
    from ministack.core.persistence import save_all
    from ministack.services import kinesis

    # Each read makes an iterator that is good for 5 minutes, and each request looks through all of them for old ones:
    # with a stream that is read all the time, a request would soon take longer than everything else together.
    kinesis._expire_iterators = seldom(kinesis._expire_iterators, _EXPIRY_EVERY_S)
    snapshots = Snapshots(lambda: save_all(ministack._build_persistence_save_dict()), lock)

    def on_change() -> None:
        snapshots.changed = True

    known = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.backlog = _BACKLOG
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.graceful_timeout = _LAST_REQUESTS_S
    config.loglevel = "WARNING"
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    taking = asyncio.create_task(snapshots.take_all(ended))

    async def until_told() -> None:
        # MiniStack writes its state itself when all connections are closed; a request that waits may keep one open.
        await ended.wait()
        await taking

    application = behind_door(ministack.app, known.door_key, on_change)
    await hypercorn_serve(application, config, shutdown_trigger=until_told)  # type: ignore[arg-type]


def main() -> None:
    """Start as `lambdanb.sources.emulator` asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(int(sys.argv[2]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.addaudithook(only_loopback)
    asyncio.run(serve(int(sys.argv[1]), hold(Path(os.environ["HOME"]) / "lock")))


if __name__ == "__main__":
    main()
