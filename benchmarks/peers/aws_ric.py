"""AWS's own runtime interface client, unmodified, fed over HTTP by the minimal Runtime APIs beside this file."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measure import EVENT, Contender, Event

HERE = Path(__file__).parent
RIC = "awslambdaric over HTTP"


@contextmanager
def runtime_clients(count: int, api_name: str, how: str) -> Iterator[Contender]:
    """`count` environments, fed by the Runtime API of that file name (`how` it is made, for the table).

    Each is started in this folder (so no file in it may be named like a module of the client). A caller posts its
    event to the Runtime API over a kept connection of its thread.
    """
    with ExitStack() as stack:
        api = process(stack, [sys.executable, str(HERE / f"{api_name}.py")], stdout=subprocess.PIPE)
        port = int(api.stdout.readline())
        environment = os.environ | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "LAMBDA_TASK_ROOT": str(HERE),
        }
        for _ in range(count):
            command = [sys.executable, "-m", "awslambdaric", "handler.lambda_handler"]
            process(stack, command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        own = threading.local()

        def call(event: Event) -> Any:
            if not hasattr(own, "sock"):
                own.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
                own.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return json.loads(post(own.sock, json.dumps(event).encode()))

        threads = stack.enter_context(ThreadPoolExecutor(count))
        # As many at once as there are environments: each has had one, and so each is up, before anything is measured.
        for future in [threads.submit(call, EVENT) for _ in range(20 * count)]:
            future.result()
        yield Contender(
            f"{RIC}, {how}, {count} environments",
            call,
            submit=lambda event: threads.submit(call, event).result,
        )


def process(stack: ExitStack, command: list[str], **options: Any) -> Any:
    """Start a process that is ended with `stack`."""
    started = stack.enter_context(subprocess.Popen(command, **options))
    stack.callback(started.kill)
    return started


def post(sock: socket.socket, body: bytes) -> bytes:
    """The answer's body to one POST of an invocation."""
    head = b"POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n"
    sock.sendall(head % len(body) + body)
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += sock.recv(65536)
    head, data = data[:end].lower(), data[end + 4 :]
    size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(data) < size:
        data += sock.recv(65536)
    return data
