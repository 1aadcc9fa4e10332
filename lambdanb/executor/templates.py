"""SnapStart: a template is a process that has run a function's init once, and is then forked like a zygote.

The template lives in a sandbox of its own, under the function's limits, and its environments' namespaces are nested in
its: when it ends, they end. A snapshot can't carry threads, connections or other processes. An init that leaves some
behind, or fails, makes no template: its environments then run init as without SnapStart. What init prints is in the
function's log, in a stream of the template's own.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lambdanb.executor.log_capture import LogCapture
from lambdanb.executor.logs import log_stream_name
from lambdanb.executor.loop import Loop
from lambdanb.executor.zygotes import ONE_THREAD, Zygote, Zygotes
from lambdanb.model import control

if TYPE_CHECKING:
    from lambdanb.executor.deployments import Deployment
    from lambdanb.sandbox.sandbox import Sandbox, Sandboxes
    from lambdanb.sandbox.watchdog_start import Watchdog


class Template:
    """The template of one deployment; `zygote.state` tells whether it can be forked."""

    def __init__(
        self,
        loop: Loop,
        sandbox: Sandbox,
        template: socket.socket,
        watchdog: Watchdog | None,
        write_log: Callable[[bytes], None],
    ) -> None:
        self.sandbox = sandbox
        self.zygote = Zygote(loop, template, watchdog, self._changed)
        self.on_ready: Callable[[Zygote], object] = lambda zygote: None
        self.on_close: Callable[[], object] = lambda: None
        self._loop = loop
        self._init: socket.socket | None = None
        self.closed = False
        self._waiting: list[Callable[[Zygote | None], None]] = []
        self._log = LogCapture(lambda _, text: write_log(text))
        self._log_fd: int | None = None

    def launch(self, zygote: Zygote, start: dict[str, Any], template: socket.socket) -> None:
        """Have it forked from the zygote of the function's imports, and run init. Raises OSError.

        `template`: the far end of the template's own socket.
        """
        self._init = zygote.take(self.sandbox.ahead).control
        self._loop.watch(self._init.fileno(), self._hear)
        self._log_fd, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._log_fd, False)
        self._loop.watch(self._log_fd, self._on_log)
        try:
            message = {"op": "assign", "child": self.sandbox.own, "start": start}
            control.send(self._init, message, [template.fileno(), writer, *self.sandbox.child_fds])
        finally:
            os.close(writer)

    def when_known(self, callback: Callable[[Zygote | None], None]) -> None:
        """Call back, perhaps at once, with the template's zygote, or None when there will be none."""
        state = self.zygote.state
        if state == "starting":
            self._waiting.append(callback)
        else:
            callback(self.zygote if state == "ready" else None)

    def limit(self, timeout_s: float) -> None:
        """End it when its init isn't done by then: those who wait for it then run init as without SnapStart."""
        self._loop.call_later(timeout_s, self._check_time)

    def _check_time(self) -> None:
        if self.zygote.state == "starting":
            self.close()
            self._changed(self.zygote)

    def close(self) -> None:
        """End the template, and with it the environments that were forked from it."""
        if not self.closed:
            self.closed = True
            self.on_close()
        self.zygote.close()
        if self._init is not None:
            self._loop.forget(self._init.fileno())
            self._init.close()
            self._init = None
        self.sandbox.destroy()
        self._end_log()

    def _on_log(self, _: int) -> None:
        self._read_log()

    def _read_log(self) -> bool:
        """Take one piece of the log; False when there is none now."""
        if self._log_fd is None:
            return False
        try:
            text = os.read(self._log_fd, 16384)
        except BlockingIOError:
            return False
        if not text:
            self._close_log()
            return False
        self._log.take(text)
        return True

    def _end_log(self) -> None:
        """Init is over, or all of it: what it printed is there, at most a full pipe."""
        for _ in range(8):
            if not self._read_log():
                break
        self._log.complete()
        if self.closed:
            self._close_log()

    def _close_log(self) -> None:
        if self._log_fd is not None:
            self._loop.forget(self._log_fd)
            os.close(self._log_fd)
            self._log_fd = None

    def _changed(self, zygote: Zygote) -> None:
        self._end_log()
        if zygote.state == "ready":
            self.sandbox.invoke_phase()
            self.on_ready(zygote)
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            self.when_known(callback)

    def _hear(self, _: int) -> None:
        assert self._init is not None
        try:
            heard = control.receive(self._init)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            heard = None
        event = heard.message.get("event") if heard is not None else "ended"
        if heard is not None and event == "init":
            self.sandbox.after_start(heard.pid or 0)
        elif heard is not None and event == "runtime":
            self.sandbox.runtime_started(heard.pid or 0, int(heard.message["rss_kb"]) * 1024)
        else:
            self.close()
            self._changed(self.zygote)


def start_template(
    loop: Loop,
    sandboxes: Sandboxes,
    zygotes: Zygotes,
    deployment: Deployment,
    readable: list[str],
    write_log: Callable[[str, bytes], None],
) -> Template:
    """Begin a template. It is forked from the zygote of the function's imports as soon as that is ready.

    `write_log(log stream, text)` gets what init prints.
    """
    template_id = os.urandom(16).hex()
    sandbox = deployment.create_sandbox(sandboxes, template_id, readable, template=True)
    ours, theirs = control.pair()
    log_stream = log_stream_name(deployment.version, template_id, int(time.time() * 1000))
    template = Template(loop, sandbox, ours, sandboxes.watchdog, lambda text: write_log(log_stream, text))
    start = deployment.start_message(log_stream, template=True, environment_id=template_id)
    start["environ"] = ONE_THREAD | start["environ"]

    def fork(zygote: Zygote) -> None:
        with theirs:
            if template.closed:
                return
            sandbox.init_phase()
            try:
                template.launch(zygote, start, theirs)
            except OSError:
                template.close()

    zygotes.when_ready(deployment.imports, fork)
    return template
