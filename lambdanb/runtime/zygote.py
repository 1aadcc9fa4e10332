"""The zygote: a clean process of one thread with the functions' imports done, from which environments are forked.

One per import set. It is started by the executor with a control socket, is told once what to import, says

    {"ready": true, "threads": n, "failed": {module: error}, "rss_kb": n}

and then forks an init, which becomes an environment's, for each {"op": "environment", "child", "rehearse"}. A
template (SnapStart) is the same loop in a process that has run a function's init. Forking is safe only while there is
one thread: a module that starts threads when imported makes `threads` more than 1, and the executor then does without
this zygote.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
from typing import Any, NoReturn

from lambdanb.model import control
from lambdanb.runtime import init
from lambdanb.runtime.measure import resident_kb
from lambdanb.runtime.snapshot import Snapshot
from lambdanb.sandbox import child as sandbox

ALWAYS = ("logging", "tempfile", "random", "datetime", "decimal", "re", "base64", "hashlib", "uuid", "io", "typing")
"""What nearly every handler imports, or its import does: some 10 ms that no cold start needs to pay."""


def main(descriptor: int) -> NoReturn:
    """Import what the executor asks for, then serve it."""
    sock = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = control.receive(sock)
    if asked is None:
        os._exit(0)
    failed = preload([*ALWAYS, *asked.message["modules"]])
    threads = len(os.listdir("/proc/self/task"))
    control.send(sock, {"ready": True, "threads": threads, "failed": failed, "rss_kb": resident_kb()})
    serve(sock, None)


def preload(modules: list[str]) -> dict[str, str]:
    """Import each module; those that fail are left to the function itself, and told."""
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return failed


def serve(sock: socket.socket, initialised: Snapshot | None) -> NoReturn:
    """Fork an environment for each request until the executor is gone."""
    # Environments are not waited for here: the executor learns of their end through their own sockets.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        try:
            asked = control.receive(sock)
        except InterruptedError:
            continue
        if asked is None:
            os._exit(0)
        fork_environment(sock, asked.message, asked.descriptors, initialised)


def fork_environment(
    sock: socket.socket, message: dict[str, Any], descriptors: list[int], initialised: Snapshot | None
) -> None:
    """Fork an init, which builds its sandbox by itself. A failure to fork is told on the environment's socket."""
    (own,) = descriptors
    try:
        pid = sandbox.fork_init(message["child"])
    except OSError as error:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(own)) as environment:
            control.send(environment, {"event": "failed", "error": f"could not fork the environment: {error}"})
    else:
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            init.run(sock, message, own, initialised)
    os.close(own)
