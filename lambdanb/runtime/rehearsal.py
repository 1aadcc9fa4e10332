"""What a waiting runtime process does before it is needed: a little of all that a start does, on nothing.

A fork shares its parent's memory until it writes, and Python writes wherever it looks (reference counts). Each page is
then copied by a page fault: some 450 in a start, which are most of its time. A process that has rehearsed has copies of
those pages already, about 1 MB, and nothing else stays of it: no module, no variable.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from lambdanb.model import control, wire
from lambdanb.runtime import bootstrap, measure
from lambdanb.runtime.handler import Handler, load_handler
from lambdanb.runtime.snapshot import Snapshot
from lambdanb.sandbox import syscalls

_FOLDER = os.path.dirname(__file__)
_MODULE = "lambdanb_rehearsed"
_HEADER = b'{"id":"0","deadline_ms":0,"arn":"arn:aws:lambda:us-east-1:123456789012:function:none"}'


def rehearse(initialised: Snapshot | None) -> None:
    """Go through a start and one event. In a template's fork (`initialised`) without init, which it has behind it."""
    with contextlib.suppress(Exception):  # then the start itself is the first time
        environ = dict(os.environ)
        os.environ.clear()
        os.environ.update(environ)
        time.tzset()
        _hear({"start": {"environ": environ}, "fds": [1, 2, 3]})
        _answer(_module() if initialised is None else lambda event, context: event)


def rehearse_init() -> None:
    """The same for an init, which has shared its memory anew with the runtime process that it forked."""
    with contextlib.suppress(Exception):
        _hear({"op": "none", "child": {"fds": ["memory"]}, "start": {"environ": dict(os.environ)}})
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def _hear(message: dict[str, Any]) -> None:
    ours, theirs = control.pair()
    with ours, theirs:
        control.send(ours, message, [0])
        heard = control.receive(theirs)
        for descriptor in heard.descriptors if heard is not None else []:
            os.close(descriptor)


def _module() -> Handler:
    compile(Path(_FOLDER, f"{_MODULE}.py").read_bytes(), "lambda_function.py", "exec")
    sys.path.insert(0, _FOLDER)
    try:
        return load_handler(f"{_MODULE}.lambda_handler")
    finally:
        sys.path.remove(_FOLDER)
        sys.path_importer_cache.pop(_FOLDER, None)
        sys.modules.pop(_MODULE, None)


def _answer(handler: Handler) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(wire.encode_raw(_HEADER, b'{"key": "photos/cat.jpg", "n": 1.5, "tags": [true, null]}'))
        message = wire.receive(here, wire.MessageReader(1 << 20))
        if message is not None:
            result, _ = bootstrap.handle(handler, *message)
            bootstrap.flush_output()
            said = f'{{"id":"{message[0]["id"]}","rss_kb":{measure.resident_kb()},"cpu_us":{measure.used()[0]}}}'
            bootstrap.say(here, said.encode(), result)
    bootstrap.forget_request()
