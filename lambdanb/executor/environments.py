"""An execution environment as the executor sees it: one init, one runtime, one event at a time.

    starting ──▶ initialising ──▶ idle ◀──▶ busy          (init has forked; the module runs; waiting; handling)
                     │              │        │
                     └──────────────┴────────┴──▶ ending ──▶ down ──▶ initialising     (a fresh runtime, the old /tmp)
                                                               │
    any state ─────────────────────────────────────────────────┴──▶ gone

What can go wrong, and who is told (`Owner`):
- the sandbox can't be built, the zygote is gone, init dies         lost(environment, why); it is gone; unless it has
                                                                    `begun`, nothing of the function has run
- init code raises                                                  init_failed(environment, failure); it will be ended
- the runtime exits, crashes, is killed for memory                  ended(environment, ending); it is down
- the deadline passes                                               ended(environment, ending) with `timed_out`; down
- garbage on the socket, a closed socket, an answer nobody asked    ended(environment, ending) with `why`; down
- init can't end what it should within `ending_s`                   the sandbox ends it from outside; lost(...)
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lambdanb.executor.log_capture import LogCapture
from lambdanb.executor.logs import log_stream_name
from lambdanb.executor.loop import Loop, Timer
from lambdanb.executor.stream import Stream
from lambdanb.executor.times import Times
from lambdanb.model import control

if TYPE_CHECKING:
    from lambdanb.executor.deployments import Deployment
    from lambdanb.executor.invocations import Invocation
    from lambdanb.executor.zygotes import Zygote
    from lambdanb.sandbox.sandbox import Sandbox

_LOG_READ_BYTES = 16384
_CLOSED_SOCKET_S = 0.1


@dataclass(frozen=True)
class Ending:
    """How a runtime ended: its wait status where init collected it, and what the executor knows beyond that."""

    status: int | None
    timed_out: bool = False
    out_of_memory: bool = False
    why: str | None = None


class Owner(Protocol):
    """Who is told what happens in an environment."""

    def ready(self, environment: Environment) -> None: ...
    def replied(self, environment: Environment, header: dict[str, Any], payload: bytes) -> None: ...
    def init_failed(self, environment: Environment, failure: bytes) -> None: ...
    def ended(self, environment: Environment, ending: Ending) -> None: ...
    def lost(self, environment: Environment, why: str) -> None: ...
    def logged(self, environment: Environment, request_id: str | None, text: bytes) -> None: ...
    def logged_ahead(self, deployment: Deployment, log_stream: str, text: bytes) -> None: ...


class Environment:
    """One execution environment. Its owner drives it by `start`, `run`, `end` and `destroy`."""

    def __init__(
        self, loop: Loop, times: Times, owner: Owner, deployment: Deployment, sandbox: Sandbox, environment_id: str
    ) -> None:
        self.loop = loop
        self.times = times
        self.owner = owner
        self.deployment = deployment
        self.sandbox = sandbox
        self.id = environment_id
        self.state = "starting"
        self.invocation: Invocation | None = None
        self.fresh = True
        self.init_ms = 0.0
        self.started_s = 0.0
        self.last_used_s = 0.0
        self.log_stream = log_stream_name(deployment.version, environment_id, int(time.time() * 1000))
        self.init_pid: int | None = None
        self.begun = False
        self.attempts = 1
        self.provisioned = False
        self.expires_s = 0.0
        self.expiry: Timer | None = None
        self.log = LogCapture(self._write_log)
        self._deadline_s = 0.0
        self._deadline_timer: Timer | None = None
        self._ending_timer: Timer | None = None
        self._closed_timer: Timer | None = None
        self._pending_ending = Ending(None)
        self._control: socket.socket | None = None
        self._data: Stream | None = None
        self._log_fd: int | None = None
        self._watched: list[int] = []

    def launch(self, zygote: Zygote, start: dict[str, Any]) -> None:
        """Become an environment of the zygote's: assign a spare, or what it forks now. Raises OSError when it is gone.

        A spare that was killed a moment ago is found out when its socket is read: it is lost before it has begun.
        """
        spare = zygote.take(self.sandbox.ahead)
        self.started_s = time.monotonic()
        control_socket = self._control = spare.control
        self.loop.watch(control_socket.fileno(), self._on_control)
        message = {"op": "assign", "child": self.sandbox.own, "start": start}
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._hand_over(lambda given: control.send(control_socket, message, given))
        if spare.init_pid is not None:
            self._init_is(spare.init_pid)

    def start(self) -> None:
        """Start a fresh runtime in an environment that is down."""
        assert self.state == "down" and self._control is not None
        control_socket = self._control
        self.state = "starting"
        self.started_s = time.monotonic()
        self.fresh = True
        self.sandbox.init_phase()
        self._hand_over(lambda given: control.send(control_socket, {"op": "start"}, given))

    def run(self, invocation: Invocation, message: bytes, deadline_s: float) -> None:
        """Give the environment, which is idle, an encoded event. `deadline_s` is on the monotonic clock."""
        assert self.state == "idle" and self._data is not None
        self.state = "busy"
        self.invocation = invocation
        self._watch_deadline(deadline_s)
        self.sandbox.busy()
        self._data.send(message)

    @property
    def usable(self) -> bool:
        """Idle, and its runtime hasn't hung up. One that died a moment ago is still among the idle ones."""
        return self.state == "idle" and self._data is not None

    def limit_init(self, timeout_s: float) -> None:
        """End the runtime when init isn't done within `timeout_s` from now."""
        self._watch_deadline(time.monotonic() + timeout_s)

    def end(self, ending: Ending) -> None:
        """End the runtime and everything it started; `ended` is told when it is done."""
        if self.state in ("ending", "down", "gone"):
            return
        self.state = "ending"
        self._pending_ending = ending
        self._close_data()
        self.sandbox.ending()
        if self._control is not None:
            try:
                control.send(self._control, {"op": "end"})
            except OSError as error:
                self._lose(f"its init doesn't answer: {error.strerror}")
                return
        self._ending_timer = self.loop.call_later(self.times.ending_s, self._end_from_outside)

    def destroy(self) -> None:
        """End everything at once and give back what the environment held. Nobody is told."""
        if self.state == "gone":
            return
        self.state = "gone"
        for timer in (self._deadline_timer, self._ending_timer, self._closed_timer):
            if timer is not None:
                timer.cancel()
        for descriptor in self._watched:
            self.loop.forget(descriptor)
        self._watched.clear()
        self._close_data()
        self._close_log()
        if self._control is not None:
            self.loop.forget(self._control.fileno())
            self._control.close()
        self.sandbox.destroy()

    def drain_log(self) -> None:
        """Take what the function has printed so far, but no more than a full pipe: it may be printing on."""
        for _ in range(8):
            if self._log_fd is None or not self._read_log():
                return

    def _hand_over(self, send: Callable[[list[int]], None]) -> None:
        """Make the runtime's socket and log pipe, and send their far ends."""
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        try:
            send([theirs.fileno(), writer, *self.sandbox.child_fds])
        except OSError:
            ours.close()
            os.close(reader)
            raise
        finally:
            theirs.close()
            os.close(writer)
        limits = self.deployment.payload_limits
        self._data = Stream(
            self.loop,
            ours,
            payload_bytes=limits.answer_bytes,
            backlog_bytes=limits.request_bytes + 65536,
            on_message=self._on_message,
            on_end=self._on_data_end,
        )
        self._log_fd = reader
        self.loop.watch(reader, self._on_log)

    def _on_control(self, _: int) -> None:
        assert self._control is not None
        try:
            heard = control.receive(self._control)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._lose(f"its init said something unreadable: {error}")
            return
        if heard is None:
            self._lose("its init process ended")
            return
        event = heard.message.get("event")
        self.begun = self.begun or event in ("runtime", "failed")
        if event == "init":
            self._init_is(heard.pid or 0)
        elif event == "runtime":
            if self.state == "starting":
                self.state = "initialising"
            self.sandbox.runtime_started(heard.pid or 0, int(heard.message["rss_kb"]) * 1024)
            for descriptor in heard.descriptors:
                self.sandbox.add_listener(descriptor)
            self._watch_sandbox()
        elif event == "failed":
            self._lose(str(heard.message["error"]))
        elif event == "ended":
            self._runtime_ended(heard.message["status"])

    def _init_is(self, pid: int) -> None:
        self.init_pid = pid
        self.sandbox.after_start(pid)

    def _watch_sandbox(self) -> None:
        for descriptor in self.sandbox.poll_fds:
            if descriptor not in self._watched:
                self._watched.append(descriptor)
                self.loop.watch(descriptor, lambda _, fd=descriptor: self._on_sandbox(fd))  # type: ignore[misc]

    def _on_sandbox(self, descriptor: int) -> None:
        self.sandbox.on_readable(descriptor)
        if descriptor not in self.sandbox.poll_fds:
            self.loop.forget(descriptor)
            self._watched.remove(descriptor)

    def _on_message(self, header: dict[str, Any], payload: bytes) -> None:
        if self.state == "busy" and self.invocation is not None and _answers(header, self.invocation.request_id):
            self.state = "idle"
            # What it printed was in the pipe before its answer was in the socket, so epoll told of both or of neither.
            if self._log_fd is not None and self.loop.may_be_ready(self._log_fd):
                self.drain_log()
            self.owner.replied(self, header, payload)
        elif self.state in ("starting", "initialising") and _tells_of_init(header):
            self._initialised(header, payload)
        else:
            self.end(Ending(None, why="the runtime answered what nobody had asked"))

    def _initialised(self, header: dict[str, Any], payload: bytes) -> None:
        if header["init"]:
            self.state = "idle"
            self.sandbox.invoke_phase()
            self.sandbox.begin()
            self.owner.ready(self)
        else:
            self.owner.init_failed(self, payload)

    def _on_data_end(self, why: str | None) -> None:
        """The runtime's socket ended. As a rule the runtime did too, and init is about to say how."""
        if self.state in ("ending", "down", "gone"):
            return
        self._close_data()
        self._closed_timer = self.loop.call_later(0.0 if why else _CLOSED_SOCKET_S, lambda: self._end_closed(why))

    def _end_closed(self, why: str | None) -> None:
        if why is None and self.sandbox.runtime_lives():
            why = "the runtime closed its connection"
        # Else it has died, and init will say how, once all that it had started is gone: with many, that takes a while.
        self.end(Ending(None, why=why))

    def _runtime_ended(self, status: int) -> None:
        if self.state in ("down", "gone"):
            return
        if not self.begun:
            self._lose("its runtime ended before it had entered its sandbox")
            return
        if self.state in ("starting", "initialising") and self._data is not None:
            # Init's news may come sooner than what it said last: that it failed, and why.
            self._data.read_waiting()
            if self.state == "gone":
                return
        ending = Ending(status)
        if self.state == "ending" and self._pending_ending != Ending(None):
            ending = self._pending_ending
        self._pending_ending = Ending(None)
        if self._ending_timer is not None:
            self._ending_timer.cancel()
            self._ending_timer = None
        if self._closed_timer is not None:
            # It would otherwise end the fresh runtime that comes next.
            self._closed_timer.cancel()
            self._closed_timer = None
        self._close_data()
        self.drain_log()
        self._close_log()
        self.state = "down"
        if not ending.timed_out and self.sandbox.out_of_memory:
            ending = Ending(status, out_of_memory=True)
        self.owner.ended(self, ending)

    def _watch_deadline(self, deadline_s: float) -> None:
        """One timer an environment: it is moved only to come earlier, else it looks again when it comes due."""
        self._deadline_s = deadline_s
        timer = self._deadline_timer
        if timer is not None and timer.due_s <= deadline_s:
            return
        if timer is not None:
            timer.cancel()
        self._deadline_timer = self.loop.call_at(deadline_s, self._check_deadline)

    def _check_deadline(self) -> None:
        self._deadline_timer = None
        if self.state not in ("busy", "starting", "initialising"):
            return
        if self._deadline_s > time.monotonic():
            self._deadline_timer = self.loop.call_at(self._deadline_s, self._check_deadline)
        else:
            self.end(Ending(None, timed_out=True))

    def _end_from_outside(self) -> None:
        self.sandbox.kill()
        ending = self._pending_ending
        if ending.timed_out:
            # Destroyed first: an owner that finds it down would keep it, and its init can't start another runtime.
            self.drain_log()
            self.destroy()
            self.owner.ended(self, ending)
        else:
            self._lose("its init could not end it in time; it was ended from outside")

    def _lose(self, why: str) -> None:
        if self.state != "gone":
            self.drain_log()
            self.destroy()
            self.owner.lost(self, why)

    def _write_log(self, request_id: str | None, text: bytes) -> None:
        self.owner.logged(self, request_id, text)

    def _on_log(self, _: int) -> None:
        self._read_log()

    def _read_log(self) -> bool:
        """Take one piece of the log; False when there is none now."""
        assert self._log_fd is not None
        try:
            text = os.read(self._log_fd, _LOG_READ_BYTES)
        except BlockingIOError:
            return False
        if not text:
            self._close_log()
            return False
        self.log.take(text)
        return len(text) == _LOG_READ_BYTES

    def _close_data(self) -> None:
        if self._data is not None:
            self._data.close()
            self._data = None

    def _close_log(self) -> None:
        if self._log_fd is not None:
            self.loop.forget(self._log_fd)
            with contextlib.suppress(OSError):
                os.close(self._log_fd)
            self._log_fd = None


def _answers(header: Any, request_id: str) -> bool:
    """Whether a header is the runtime's answer to this request. The function can write to the socket, too."""
    return (
        type(header) is dict
        and header.get("id") == request_id
        and type(header.get("error")) is bool
        and type(header.get("rss_kb")) is int
        and type(header.get("cpu_us")) is int
    )


def _tells_of_init(header: Any) -> bool:
    return type(header) is dict and type(header.get("init")) is bool
