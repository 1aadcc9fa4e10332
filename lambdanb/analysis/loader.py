"""The loader: the process that sends a load test's requests, each at its due time, however slow the answers are.

`python -m lambdanb.analysis.loader`, started by `loader_start`, which writes one line of JSON to its standard input.
One loop over one connection to the executor; nothing in it waits for an answer, for the notebook, or for the executor
to read. Its standard input is its lifeline: a line there has it send no more (STOP) or by another plan (CHANGE, which
is in the table then); its end ends the loader at once.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from lambdanb.analysis.load_table import (
    ANSWERED,
    DONE,
    ENDED_S,
    ENDING,
    ERROR,
    EXECUTOR_LOST,
    INTERRUPTED,
    OK,
    PLANNED,
    REFUSED,
    SAMPLES,
    SENT,
    START_MONOTONIC_S,
    START_WALL_S,
    STOPPED_S,
    THROTTLED,
    UNANSWERED,
    LoadTable,
)
from lambdanb.analysis.machine_use import MachineUse
from lambdanb.analysis.payloads import Payloads
from lambdanb.analysis.punctual import be_punctual
from lambdanb.client.connection import ANSWER_BYTES
from lambdanb.client.start import connect
from lambdanb.model.wire import MessageReader, Request

STOP, CHANGE = b"stop\n", b"change\n"
STOPPING_S = 1.0
"""How long the answers under way are waited for after an interrupt."""
_LEAD_S = 0.05
_STDIN = 0
_TOGETHER = 32
"""Requests that are due already and go out in one system call."""
_RECEIVE_BYTES = 16_384
"""Answers that are read before the clock is looked at again: some 100, half a millisecond."""
_SAMPLE_S = 0.5


class Loader:
    """The loop."""

    def __init__(self, sock: socket.socket, request: Request, table: LoadTable, payloads: Payloads) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._request = request
        self._table = table
        self._payloads = payloads
        self._reader = MessageReader(ANSWER_BYTES)
        self._unsent: deque[tuple[int, int, memoryview]] = deque()
        self._next = 0
        self._answered = 0
        self._start_s = 0.0

    def run(self, seconds: float, answers_s: float, stay_s: float) -> int | None:
        """Send everything, wait at most `answers_s` for the last answers; how it ended, or None with the notebook.

        It doesn't end before `stay_s`, as other requests may be planned until then.
        """
        table, last = self._table, int(self._table.head[PLANNED])
        use = MachineUse(_peer_pid(self._socket))
        sample_every_s = max(_SAMPLE_S, (seconds + answers_s) / SAMPLES)
        self._start_s = time.monotonic() + _LEAD_S
        table.head[START_WALL_S] = time.time() + _LEAD_S
        table.head[START_MONOTONIC_S] = self._start_s
        watched: list[Any] = [self._socket, _STDIN]
        sample_s, give_up_s, ending = sample_every_s, math.inf, UNANSWERED
        while True:
            now_s = time.monotonic() - self._start_s
            if self._next < last and table.due_s[self._next] <= now_s:
                if not self._send_due(now_s, last):
                    return EXECUTOR_LOST
                now_s = time.monotonic() - self._start_s
            if self._next == last:
                if self._answered == last and now_s >= stay_s:
                    return INTERRUPTED if ending == INTERRUPTED else DONE
                give_up_s = min(give_up_s, max(now_s, stay_s) + answers_s)
            if now_s >= give_up_s:
                return ending
            if now_s >= sample_s:
                sample_s = now_s + sample_every_s
                table.put_sample(use.shares())
            wake_s = min(table.due_s[self._next] if self._next < last else math.inf, give_up_s, sample_s)
            if stay_s > now_s:
                wake_s = min(wake_s, stay_s)
            wait_s = max(wake_s - (time.monotonic() - self._start_s), 0.0)
            # select, as it alone takes microseconds in every Python.
            readable, writable, _ = select.select(watched, watched[:1] if self._unsent else [], [], wait_s)
            if _STDIN in readable:
                told = os.read(_STDIN, 64)
                if not told:
                    return None
                if STOP in told:
                    last, ending, stay_s = self._next, INTERRUPTED, 0.0
                    give_up_s = now_s + STOPPING_S
                    table.head[STOPPED_S] = now_s
                elif ending != INTERRUPTED:
                    table.take_change(self._next)
                    last, give_up_s = int(table.head[PLANNED]), math.inf
            if writable and not self._write():
                return EXECUTOR_LOST
            if self._socket in readable and not self._receive():
                return EXECUTOR_LOST

    def _send_due(self, now_s: float, last: int) -> bool:
        """Send what is due, some of it if it is much; False when the executor is gone."""
        due_s, first = self._table.due_s, self._next
        messages: list[bytes] = []
        while self._next < last and due_s[self._next] <= now_s and len(messages) < _TOGETHER:
            messages.append(self._request.encode(self._next, self._payloads[self._next]))
            self._next += 1
        self._table.head[SENT] = self._next
        self._unsent.append((first, self._next, memoryview(b"".join(messages))))
        return self._write()

    def _write(self) -> bool:
        """Give the kernel what it takes. A request's time is that of the call that took the rest of it."""
        while self._unsent:
            first, end, data = self._unsent[0]
            sent_s = time.monotonic() - self._start_s
            try:
                size = self._socket.send(data)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if size < len(data):
                self._unsent[0] = (first, end, data[size:])
                return True
            self._unsent.popleft()
            for n in range(first, end):
                self._table.sent_s[n] = sent_s
        return True

    def _receive(self) -> bool:
        """Note the answers that are there; False when the executor is gone."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        answered_s = time.monotonic() - self._start_s
        for header, payload in self._reader.feed(data):
            n = header["n"]
            self._table.answered_s[n] = answered_s
            self._answered += 1
            if "refused" in header:
                self._note_refusal(n, header["refused"])
                continue
            self._table.put_request_id(n, header["request_id"])
            if header.get("error") is None:
                self._table.status[n] = OK
            else:
                self._table.status[n] = ERROR
                self._table.put_error(n, _error_type(payload))
        self._table.head[ANSWERED] = self._answered
        return True

    def _note_refusal(self, n: int, refused: dict[str, Any]) -> None:
        throttled = refused["code"] == "TooManyRequestsException"
        self._table.status[n] = THROTTLED if throttled else REFUSED
        self._table.put_error(n, (refused.get("reason") if throttled else None) or refused["code"])


def _error_type(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Unhandled"


def _peer_pid(sock: socket.socket) -> int:
    pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def _read_plan() -> dict[str, Any] | None:
    """The line that the notebook writes; None when it went away before."""
    line = b""
    while not line.endswith(b"\n"):
        # Not a byte more: what the notebook says after it is for the loop.
        data = os.read(_STDIN, 1)
        if not data:
            return None
        line += data
    plan: dict[str, Any] = json.loads(line)
    return plan


def main() -> int:
    """Run the plan on standard input."""
    plan = _read_plan()
    if plan is None:
        return 0
    table = LoadTable(plan["table_fd"], plan["requests"])
    payloads = Payloads(plan["payloads_fd"])
    loader = Loader(connect(Path(plan["home"])), Request(**plan["request"]), table, payloads)
    be_punctual()
    ending = loader.run(plan["seconds"], plan["answers_s"], plan["stay_s"])
    if ending is not None:
        table.head[ENDED_S] = time.monotonic() - table.head[START_MONOTONIC_S]
        table.head[ENDING] = ending
    return 0


if __name__ == "__main__":
    sys.exit(main())
