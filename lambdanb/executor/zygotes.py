"""The zygotes: one clean process per import set, from which environments are forked.

The plain one, with nothing but what every handler needs, is started with the executor. A function's own set is learnt
from its imports when it is deployed and preloaded then; until that zygote is ready, the plain one serves. A zygote
whose imports left threads behind can't be forked safely and is not used.

A zygote that dies takes no environment with it; the next request for its set starts it again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from lambdanb.executor.loop import Loop
from lambdanb.executor.spares import Spare, Spares
from lambdanb.model import control
from lambdanb.sandbox.watchdog_start import Watchdog

MOST_ZYGOTES = 8
"""Import sets kept ready beside the plain one; the least recently used gives way. Each holds 10 to 100 MB."""

_PLAIN: frozenset[str] = frozenset()
_AGAIN_S = 0.25


class Zygote:
    """One zygote process, or a SnapStart template, which is used in the same way."""

    def __init__(
        self, loop: Loop, sock: socket.socket, watchdog: Watchdog | None, on_change: Callable[[Zygote], None]
    ) -> None:
        sock.setblocking(False)
        self.state = "starting"  # then "ready", "unfit" (its imports left threads) or "gone"
        self.rss_kb = 0
        self.failed: dict[str, str] = {}
        self.failure = b""
        self.last_used_s = time.monotonic()
        self.message: dict[str, Any] = {}
        self._loop = loop
        self._sock = sock
        self.spares = Spares(loop, watchdog, self._send)
        self._on_change = on_change
        loop.watch(sock.fileno(), self._hear)

    def take(self, ahead: dict[str, Any]) -> Spare:
        """An init that isn't any environment's yet, to be assigned. Raises OSError when the zygote is gone."""
        self.last_used_s = time.monotonic()
        return self.spares.take(ahead)

    def close(self) -> None:
        """Let it end: it does so when its socket is closed. Its environments live on."""
        if self.state != "gone":
            self.state = "gone"
            self._loop.forget(self._sock.fileno())
            self._sock.close()
            self.spares.close()

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        control.send(self._sock, message, descriptors)

    def _hear(self, _: int) -> None:
        try:
            heard = control.receive(self._sock)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            heard = None
        if heard is None:
            self.close()
        else:
            self.message = heard.message
            self.rss_kb = heard.message["rss_kb"]
            self.failed = heard.message.get("failed", {})
            self.failure = heard.message.get("failure", "").encode()
            left = any(heard.message.get(what) for what in ("sockets", "children"))
            fit = heard.message["ready"] and heard.message["threads"] == 1 and not left
            self.state = "ready" if fit else "unfit"
        self._on_change(self)


class Zygotes:
    """The zygotes of one executor, by import set."""

    def __init__(self, loop: Loop, executor_id: str, watchdog: Watchdog) -> None:
        self._loop = loop
        self._watchdog = watchdog
        self._executor_id = executor_id
        self.on_ready: Callable[[frozenset[str], Zygote], object] = lambda imports, zygote: None
        self._zygotes: dict[frozenset[str], Zygote] = {}
        self._waiting: list[tuple[frozenset[str], Callable[[Zygote], None]]] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.prepare(_PLAIN)

    def prepare(self, imports: frozenset[str]) -> Zygote:
        """The zygote for this import set; it is started if there is none yet."""
        zygote = self._zygotes.get(imports)
        if zygote is not None and zygote.state != "gone":
            return zygote
        zygote = self._zygotes[imports] = self._start(imports)
        own = [key for key in self._zygotes if key != _PLAIN]
        if len(own) > MOST_ZYGOTES:
            oldest = min(own, key=lambda key: self._zygotes[key].last_used_s)
            self._zygotes.pop(oldest).close()
        return zygote

    def when_ready(self, imports: frozenset[str], callback: Callable[[Zygote], None]) -> None:
        """Call back, perhaps at once, with the best zygote: this set's if it is ready, else the plain one."""
        self.prepare(imports)
        for key in (imports, _PLAIN):
            zygote = self._zygotes[key]
            if zygote.state == "ready":
                callback(zygote)
                return
        self.prepare(_PLAIN)
        self._waiting.append((imports, callback))

    def collect(self) -> None:
        """Wait for those that have ended; the watchdog need not remember them."""
        for pid, process in list(self._processes.items()):
            if process.poll() is not None:
                del self._processes[pid]
                self._watchdog.remove_process(pid)

    def close(self) -> None:
        for zygote in self._zygotes.values():
            zygote.close()

    def _start(self, imports: frozenset[str]) -> Zygote:
        """Start a zygote process and tell it what to import.

        Its environment carries what an interpreter needs and nothing of the notebook's; numeric libraries are told to
        start no threads, because only a process of one thread can be forked.
        """
        ours, theirs = control.pair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lambdanb.runtime", str(theirs.fileno())],
                env=environment_variables() | {"LAMBDANB_EXECUTOR": self._executor_id},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._watchdog.add_process(process.pid)
        self._processes[process.pid] = process
        control.send(ours, {"modules": sorted(imports)})
        return Zygote(self._loop, ours, self._watchdog, lambda zygote: self._changed(imports, zygote))

    def _changed(self, imports: frozenset[str], zygote: Zygote) -> None:
        if zygote.state == "ready":
            self.on_ready(imports, zygote)
        if zygote.state == "gone" and not zygote.rss_kb:
            # It never came up. Whoever waits would start it again at once, and again.
            self._loop.call_later(_AGAIN_S, self._serve_waiting)
        else:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for imports, callback in waiting:
            self.when_ready(imports, callback)


_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TMPDIR")
ONE_THREAD = dict.fromkeys(
    (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
"""Variables that keep numeric libraries from starting threads when they are imported."""


def environment_variables() -> dict[str, str]:
    """What a zygote's process inherits of the executor's own variables."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | ONE_THREAD | {"PYTHONDONTWRITEBYTECODE": "1"}
