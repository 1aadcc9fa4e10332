"""Talking to the executor: one request, one answer.

A calling thread uses a connection for itself and reads its own answer, so that a call wakes nobody else; connections
are kept for the next call. Futures share one more connection, whose answers a thread reads.

A connection that turned out dead before anything was sent is replaced without a word. When the executor goes away with
a request under way, the caller gets ExecutorLost, and the next call finds or starts another executor.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

from lambdanb.client.home import home as chosen_home
from lambdanb.client.start import connect
from lambdanb.model import wire
from lambdanb.model.errors import ExecutorLost, from_wire
from lambdanb.model.wire import Request

_DYING_S = 1.0
ANSWER_BYTES = 256 * 1024 * 1024

Answer = tuple[dict[str, Any], bytes]


class Executor:
    """The client's end of one home's executor. `Executor.of(home)` gives the one that all of this process shares."""

    _shared: ClassVar[dict[Path, Executor]] = {}

    def __init__(self, home: Path) -> None:
        self.home = home
        self._idle: list[_Line] = []
        self._pipeline: _Pipeline | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, home: Path | None = None) -> Executor:
        """The executor of a home; of LAMBDANB_HOME, or the user's own, when none is named."""
        home = home or chosen_home()
        executor = cls._shared.get(home)
        if executor is None:
            executor = cls._shared.setdefault(home, cls(home))
        return executor

    def call(self, request: Request, payload: bytes = b"") -> Answer:
        """Send a request and wait for its answer. Raises the service's errors, and ExecutorLost."""
        line = self._take()
        try:
            answer = line.call(request, payload)
        except BaseException as error:
            # An interrupt leaves an answer on its way: this connection can't be used again.
            line.close()
            if isinstance(error, ExecutorLost):
                self._hang_up_idle()
            raise
        self._idle.append(line)
        return checked(answer)

    def ask(self, op: str, **arguments: Any) -> Any:
        """A request and an answer that are plain data."""
        _, payload = self.call(Request(op=op), json.dumps(arguments).encode())
        return json.loads(payload)

    def submit(self, request: Request, payload: bytes, read: Callable[[Answer], Any]) -> Future[Any]:
        """Send a request; the Future gets what `read`, in the reading thread, makes of the answer."""
        with self._lock:
            if self._pipeline is None or self._pipeline.ended:
                self._pipeline = _Pipeline(connect(self.home))
            pipeline = self._pipeline
        return pipeline.submit(request, payload, read)

    def __reduce__(self) -> tuple[Callable[[Path], Executor], tuple[Path]]:
        """Pickled, it is the home; connections are each process's own."""
        return Executor.of, (self.home,)

    def close(self) -> None:
        """Hang up. The executor ends when its last client has; the next call connects again."""
        with self._lock:
            pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()
        self._hang_up_idle()

    def _hang_up_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> _Line:
        while self._idle:
            with contextlib.suppress(IndexError):
                line = self._idle.pop()
                if line.usable():
                    return line
                line.close()
        return _Line(connect(self.home))

    def _forget_after_fork(self) -> None:
        """In a forked child: the connections are the parent's."""
        self._lock = threading.Lock()
        if self._pipeline is not None:
            self._pipeline.forget()
            self._pipeline = None
        for line in self._idle:
            line.close()
        self._idle.clear()


def checked(answer: Answer) -> Answer:
    """The answer, or the error of the service that it is."""
    refused = answer[0].get("refused")
    if refused is not None:
        raise from_wire(refused)
    return answer


class _Line:
    """A connection with one request under way at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = wire.MessageReader(ANSWER_BYTES)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN | select.POLLHUP)

    def usable(self) -> bool:
        """Nothing is to be read between calls, unless the other end has hung up."""
        return not self._poll.poll(0)

    def call(self, request: Request, payload: bytes) -> Answer:
        try:
            self._socket.sendall(request.encode(0, payload))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise lost(request, sent=False) from error
        try:
            answer = wire.receive(self._socket, self._reader)
        except ConnectionResetError:
            answer = None
        if answer is None:
            wait_for_peer_end(self._socket)
            raise lost(request, sent=True)
        return answer

    def close(self) -> None:
        self._socket.close()


def wait_for_peer_end(sock: socket.socket) -> None:
    """A dying executor closes its sockets one by one: wait until it is dead, so that the next call doesn't reach it."""
    pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], _DYING_S)
        finally:
            os.close(descriptor)


class _Pipeline:
    """A connection with many requests under way, and the thread that reads their answers."""

    def __init__(self, sock: socket.socket) -> None:
        self.ended = False
        self._given_up = False
        self._socket = sock
        self._pending: dict[int, tuple[Request, Future[Any], Callable[[Answer], Any]]] = {}
        self._sending = threading.Lock()
        self._n = 0
        threading.Thread(target=self._read, name="lambdanb-futures", daemon=True).start()

    def submit(self, request: Request, payload: bytes, read: Callable[[Answer], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._sending:
            self._n += 1
            n = self._n
            self._pending[n] = (request, future, read)
            try:
                self._socket.sendall(request.encode(n, payload))
            except OSError:
                self._pending.pop(n, None)
                self.ended = True
                future.set_exception(lost(request, sent=False))
            except BaseException:
                # An interrupt: half a request may be on its way, and nothing can follow it on this connection.
                self.close()
                raise
        return future

    def close(self) -> None:
        """Hang up: what is under way is given up."""
        self.ended = self._given_up = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """In a forked child, which has no reading thread: let go of the descriptor, without a word to the executor."""
        self._socket.close()

    def _read(self) -> None:
        reader = wire.MessageReader(ANSWER_BYTES)
        while True:
            try:
                data = self._socket.recv(wire.RECEIVE_BYTES)
            except OSError:
                data = b""
            if not data:
                break
            for header, payload in reader.feed(data):
                _, future, read = self._pending.pop(header["n"])
                _settle(future, read, (header, payload))
        self.ended = True
        if not self._given_up:
            wait_for_peer_end(self._socket)
        with self._sending:
            pending, self._pending = self._pending, {}
            self._socket.close()
        for request, future, _ in pending.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(lost(request, sent=True, given_up=self._given_up))


def _settle(future: Future[Any], read: Callable[[Answer], Any], answer: Answer) -> None:
    """Give the Future what comes of its answer; one that was cancelled is left alone."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = read(checked(answer))
    except Exception as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def lost(request: Request, *, sent: bool, given_up: bool = False) -> ExecutorLost:
    """The error of a request whose executor went away, or whose connection was given up here."""
    header = request.header
    what = f"invoking {header['name']}" if header["op"] == "invoke" else f"the request {header['op']!r}"
    if not sent:
        return ExecutorLost(f"The executor went away before {what} was sent; call again.", False)
    if header.get("mode") == "sync":
        run = "the function may have run, in part or whole, and its result is lost"
    elif header["op"] == "invoke":
        run = "the event may have been accepted, in which case it will run"
    else:
        run = "it may have been carried out"
    if given_up:
        return ExecutorLost(f"The connection was closed here (by Ctrl-C or close) during {what}: {run}.", None)
    return ExecutorLost(f"The executor went away during {what}: {run}. The next call starts another executor.", None)


def _after_fork() -> None:
    for executor in Executor._shared.values():
        executor._forget_after_fork()


os.register_at_fork(after_in_child=_after_fork)
