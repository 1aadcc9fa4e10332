"""The floor: forked processes, a socketpair each, the same JSON behind a length. No limits, no logs, no records,
no deadline, nobody in between. What is dearer than this is the price of what a contender does.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from measure import Contender, Event
from peers.handler import lambda_handler

length = struct.Struct("!i")


def send(sock: socket.socket, value: Any) -> None:
    """One value as JSON, in a frame."""
    data = json.dumps(value).encode()
    sock.sendall(length.pack(len(data)) + data)


def receive(sock: socket.socket) -> Any:
    """The next value; None at the end of the stream."""
    data = b""
    while len(data) < 4 or len(data) < 4 + length.unpack_from(data)[0]:
        chunk = sock.recv(65536)
        if not chunk:
            return None
        data += chunk
    return json.loads(data[4:])


def serve(sock: socket.socket) -> None:
    """Answer events until the other end is gone."""
    while (event := receive(sock)) is not None:
        send(sock, lambda_handler(event))


@contextmanager
def bare_processes(count: int) -> Iterator[Contender]:
    """`count` forked processes; single calls go to the first, submitted ones to each in turn."""
    socks: list[socket.socket] = []
    pids: list[int] = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for sock in [*socks, ours]:
                sock.close()
            serve(theirs)
            os._exit(0)
        theirs.close()
        socks.append(ours)
        pids.append(pid)
    turn = cycle(socks)

    def call(event: Event) -> Any:
        send(socks[0], event)
        return receive(socks[0])

    def submit(event: Event) -> Callable[[], Any]:
        sock = next(turn)
        send(sock, event)
        return lambda: receive(sock)

    try:
        yield Contender(f"floor: socketpair and fork, {count} processes", call, submit)
    finally:
        for sock in socks:
            sock.close()
        for pid in pids:
            os.waitpid(pid, 0)
