"""Real environments for the tests of the sandbox: a zygote process, and environments that execute source."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambdanb.model import control
from lambdanb.sandbox.identity import own_id
from lambdanb.sandbox.probe import probe
from lambdanb.sandbox.sandbox import Sandbox, Sandboxes
from lambdanb.sandbox.watchdog_start import Watchdog

ROOT = Path(__file__).parents[2]
CAPABILITIES = probe()
TIMEOUT_S = 30.0


class Ended(Exception):
    """The runtime ended; the wait status is the argument."""


@contextlib.contextmanager
def running_rig() -> Iterator[Rig]:
    """A rig in a folder that everybody may read, which ends with nothing said in the watchdog's log."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        rig = Rig(Path(name))
        try:
            yield rig
        finally:
            rig.close()
        assert (Path(name) / "watchdog.log").read_text() == ""


class Rig:
    """A watchdog, sandboxes and a zygote. `directory` must be writable."""

    def __init__(self, directory: Path) -> None:
        self.watchdog = Watchdog(directory / "watchdog.log")
        self.sandboxes = Sandboxes(CAPABILITIES, directory / "tmp" / own_id(), self.watchdog)
        self.task_dir = directory / "task"
        self.task_dir.mkdir()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.zygote = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("rig_zygote.py")), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": str(ROOT), "LAMBDANB_EXECUTOR": own_id()},
        )
        theirs.close()
        self.watchdog.add_process(self.zygote.pid)
        self.environments: list[Environment] = []

    def environment(self, **limits: Any) -> Environment:
        one = Environment(self, f"env{len(self.environments)}", **limits)
        self.environments.append(one)
        return one

    def close(self) -> None:
        for one in self.environments:
            one.close()
        self.control.close()
        self.zygote.wait(10)
        self.sandboxes.close()
        self.watchdog.close()


class Environment:
    """One environment, its runtime started."""

    def __init__(self, rig: Rig, name: str, **limits: Any) -> None:
        asked = {"memory_mb": 128, "tmp_mb": 512, "processes": 1024, "files": 1024, "connections": None} | limits
        self.sandbox: Sandbox = rig.sandboxes.create(
            name, **({"cpu_share": 1.0} | asked), task_dir=str(rig.task_dir), readable=[str(ROOT)]
        )
        self.control, theirs = control.pair()
        self.control.settimeout(TIMEOUT_S)
        self.runtime_pid = self.init_pid = 0
        self.sandbox.init_phase()
        with theirs:
            message = {"child": self.sandbox.child}
            self._hand_over(lambda fds: control.send(rig.control, message, [theirs.fileno(), *fds]))
        self._await_runtime()

    def restart(self) -> None:
        """A fresh runtime, after the last one's end was told."""
        self.stream.close()
        self.data.close()
        self.sandbox.init_phase()
        self._hand_over(lambda fds: control.send(self.control, {}, fds))
        self._await_runtime()

    def _hand_over(self, send: Any) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            send([theirs.fileno(), *self.sandbox.child_fds])
        ours.settimeout(TIMEOUT_S)
        self.data = ours
        self.stream = ours.makefile("rw")

    def _await_runtime(self) -> None:
        while True:
            heard = control.receive(self.control)
            assert heard is not None, "init is gone"
            if heard.message["event"] == "init":
                self.init_pid = heard.pid or 0
                self.sandbox.after_start(self.init_pid)
            elif heard.message["event"] == "runtime":
                self.runtime_pid = heard.pid or 0
                self.sandbox.runtime_started(self.runtime_pid, heard.message["rss_kb"] * 1024)
                self.sandbox.invoke_phase()
                return

    def send(self, source: str) -> None:
        self.sandbox.busy()
        self.sandbox.begin()
        self.stream.write(json.dumps(source) + "\n")
        self.stream.flush()

    def receive(self) -> dict[str, Any]:
        """The answer: result or error, wall_s, cpu_s, and as the sandbox sees it, memory_bytes and used_cpu_ns. Or
        Ended.
        """
        try:
            line = self.stream.readline()
        except ConnectionResetError:
            line = ""
        if not line:
            heard = control.receive(self.control)
            assert heard is not None, "init is gone"
            raise Ended(heard.message["status"])
        answer: dict[str, Any] = json.loads(line)
        answer["memory_bytes"], answer["used_cpu_ns"] = self.sandbox.usage(answer["max_rss_bytes"])
        self.sandbox.idle()
        return answer

    def run(self, source: str) -> dict[str, Any]:
        self.send(source)
        return self.receive()

    def close(self) -> None:
        self.sandbox.destroy()
        self.stream.close()
        self.data.close()
        self.control.close()
