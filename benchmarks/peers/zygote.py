"""A bare zygote of the same size as ours: our modules and what a function imports, then nothing but fork, run the
source, answer. What a sandboxed cold start costs beyond it is the price of the sandbox and of the executor.

Run with a descriptor, this file is the zygote; imported, it gives the contenders.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from measure import Contender, Event
from peers.floor import receive, send


def run_source(source: str) -> Any:
    """The handler of a function's source, after its init."""
    module: dict[str, Any] = {"__name__": "lambda_function"}
    exec(compile(source, "lambda_function.py", "exec"), module)
    return module["lambda_handler"]


def answer(sock: socket.socket, source: str) -> None:
    """Init, then one event, from a process that is new."""
    handler = run_source(source)
    send(sock, handler(receive(sock), None))


def serve(control: socket.socket) -> None:
    """Fork for each socket that is handed over."""
    from lambdanb.runtime import zygote

    source, preload = receive(control)
    zygote.preload([*zygote.ALWAYS, *preload])
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    send(control, "ready")
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            return
        if os.fork() == 0:
            control.close()
            with socket.socket(fileno=descriptors[0]) as sock:
                answer(sock, source)
            os._exit(0)
        os.close(descriptors[0])


@contextmanager
def bare_zygote(name: str, source: str, preload: list[str]) -> Iterator[Contender]:
    """Fork to first answer, of a zygote that has imported `preload`."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, __file__, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]), ours:
        theirs.close()
        send(ours, [source, preload])
        if receive(ours) != "ready":
            raise SystemExit("the bare zygote did not get ready")

        def call(event: Event) -> Any:
            mine, its = socket.socketpair()
            with mine:
                with its:
                    socket.send_fds(ours, [b"f"], [its.fileno()])
                send(mine, event)
                return receive(mine)

        yield Contender(name, call)


FRESH = """
import json, sys
source, event = json.load(sys.stdin)
module = {"__name__": "lambda_function"}
exec(compile(source, "lambda_function.py", "exec"), module)
json.dump(module["lambda_handler"](event, None), sys.stdout)
"""


@contextmanager
def fresh_process(name: str, source: str) -> Iterator[Contender]:
    """A Python started for the event, with all of its imports to do and nothing else."""

    def call(event: Event) -> Any:
        asked = json.dumps([source, event])
        done = subprocess.run([sys.executable, "-c", FRESH], input=asked, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    yield Contender(name, call)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as own:
        serve(own)
