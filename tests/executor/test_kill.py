"""kill -9 of anything: the caller is told or a retry succeeds, nothing stays behind, no acknowledged event is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from homes import executor_pid, wait_for_end
from processes import below, cgroups, eventually, running

import lambdanb
from lambdanb.client.connection import Executor

SOURCE = """
import os, time

def lambda_handler(event, context):
    if event == "slow":
        time.sleep(20)
    return event
"""


def command(pid: int) -> str:
    """The command line, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def call_slowly(function: lambdanb.Function) -> tuple[threading.Thread, list[BaseException]]:
    """A caller that waits for a slow invocation, and what it got."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function("slow")
        except Exception as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    return caller, raised


def busy(home: Path) -> list[dict[str, Any]]:
    environments = Executor.of(home).ask("environments")["environments"]
    return [environment for environment in environments if environment["state"] == "busy"]


def test_environment(home: Path) -> None:
    function = lambdanb.deploy("victim", SOURCE, timeout=30)
    caller, raised = call_slowly(function)
    assert eventually(lambda: len(busy(home)) == 1)
    os.kill(busy(home)[0]["init_pid"], signal.SIGKILL)
    caller.join(2)
    assert not caller.is_alive()
    assert isinstance(raised[0], lambdanb.FunctionError)
    assert raised[0].error_type == "Runtime.ExitError"
    assert "init process ended" in raised[0].error_message
    assert function("again") == "again"


def test_zygotes(home: Path) -> None:
    """Environments outlive their zygote; the next cold start has a new one."""
    function = lambdanb.deploy("victim", SOURCE, timeout=30)
    assert function(1) == 1
    executor = executor_pid(home)
    assert executor is not None
    zygotes = [pid for pid, parent in parents() if parent == executor and "lambdanb.runtime" in command(pid)]
    for pid in zygotes:
        os.kill(pid, signal.SIGKILL)
    assert function(2) == 2
    assert function.invoke(3, cold=True).payload == 3


def parents() -> list[tuple[int, int]]:
    from processes import parents_of_all

    return list(parents_of_all().items())


def test_watchdog(home: Path) -> None:
    """It is started again, and limits hold on."""
    function = lambdanb.deploy("victim", SOURCE)
    assert function(1) == 1
    executor = executor_pid(home)
    assert executor is not None
    found = [pid for pid, parent in parents() if parent == executor and "sandbox.watchdog" in command(pid)]
    os.kill(found[0], signal.SIGKILL)

    def restarted() -> bool:
        alive = [pid for pid, parent in parents() if parent == executor and "sandbox.watchdog" in command(pid)]
        return bool(alive) and alive != found

    assert eventually(restarted)
    assert function(2) == 2


def test_executor(home: Path) -> None:
    function = lambdanb.deploy("victim", SOURCE, timeout=30)
    others = set(cgroups())
    assert function(1) == 1
    caller, raised = call_slowly(function)
    assert eventually(lambda: len(busy(home)) == 1)
    executor = executor_pid(home)
    assert executor is not None
    everything = [executor, *below(executor)]
    mine = [group for group in cgroups() if group not in others or str(executor) in group]
    os.kill(executor, signal.SIGKILL)
    caller.join(2)
    assert not caller.is_alive()
    assert isinstance(raised[0], lambdanb.ExecutorLost)
    assert "the function may have run" in str(raised[0])
    assert eventually(lambda: not running(everything))
    assert eventually(lambda: not set(mine) & set(cgroups()))
    assert eventually(lambda: not (home / "run" / "executor.sock").exists())
    assert eventually(lambda: not any((home / "tmp").glob("*")))
    # The function is still there, and the next call has an executor again.
    assert function("again") == "again"


NOTEBOOK = """
import sys, lambdanb
function = lambdanb.deploy("victim", {source!r}, timeout=30)
function(1)
pending = [function.submit("slow") for _ in range(3)]
print("busy", flush=True)
pending[0].result()
"""


def test_the_only_client(home: Path) -> None:
    """The connection is the lifeline: within 2 s nothing runs, and nothing is left on disk but the home's own files."""
    client = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK.format(source=SOURCE)],
        stdout=subprocess.PIPE,
        env=os.environ | {"LAMBDANB_HOME": str(home)},
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"busy\n"
    executor = executor_pid(home)
    assert executor is not None
    everything = [executor, *below(executor)]
    assert len(everything) >= 5
    client.kill()
    client.wait()
    client.stdout.close()
    assert eventually(lambda: not running(everything))
    assert not (home / "run" / "executor.sock").exists()
    assert not any((home / "tmp").glob("*"))
    assert not [group for group in cgroups() if str(executor) in group]
    assert sorted(entry.name for entry in home.iterdir() if not entry.name.endswith(("-wal", "-shm"))) == [
        "code",
        "events.db",
        "executor.lock",
        "executor.log",
        "gateway.port",
        "logs",
        "records.db",
        "registry.db",
        "run",
    ]


def test_every_acknowledged_event_of_1000_runs(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor is killed three times while events run. Each runs at least once; one may run twice, as on AWS."""
    monkeypatch.setenv("LAMBDANB_TIMES", json.dumps({"retry_first_s": 0.1, "retry_second_s": 0.1}))
    function = lambdanb.deploy("counts", "def lambda_handler(event, context):\n    print('ran', event, 'end')\n")
    for number in range(1000):
        assert function.invoke(number, mode="async").status_code == 202
        if number in (200, 500, 999):
            kill_executor(home)
    assert eventually(lambda: not waiting(home), 60)
    assert ran(function) == set(range(1000))


def kill_executor(home: Path) -> None:
    pid = executor_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)


def waiting(home: Path) -> bool:
    return bool(Executor.of(home).ask("environments")["events"])


def ran(function: lambdanb.Function) -> set[int]:
    lines = [line.split() for line in function.logs(n=100_000)]
    return {int(words[1]) for words in lines if words[:1] == ["ran"] and words[-1] == "end"}


def test_interrupted_call_leaves_the_executor_sound(home: Path) -> None:
    """Ctrl-C, as SIGINT to a process that waits for its function."""
    lambdanb.deploy("victim", SOURCE, timeout=30)
    script = """
import lambdanb
f = lambdanb.get("victim")
print("calling", flush=True)
try:
    f("slow")
except KeyboardInterrupt:
    print("after", f("quick"), flush=True)
"""
    client = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"LAMBDANB_HOME": str(home)}
    )
    assert client.stdout is not None
    client.stdout.readline()
    assert eventually(lambda: len(busy(home)) == 1)
    client.send_signal(signal.SIGINT)
    out, _ = client.communicate(timeout=5)
    assert out == b"after quick\n"


def test_a_retry_after_the_executor_was_killed_while_idle(home: Path) -> None:
    function = lambdanb.deploy("victim", SOURCE)
    assert function(1) == 1
    kill_executor(home)
    begun = time.monotonic()
    assert function(2) == 2
    assert time.monotonic() - begun < 5


def test_zygotes_that_never_come_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one is killed as it starts: the caller is told in bounded time, and when it is over all is well again."""
    monkeypatch.setenv("LAMBDANB_TIMES", json.dumps({"fork_timeout_s": 1.0}))
    function = lambdanb.deploy("victim", SOURCE, timeout=30)
    assert function(1) == 1
    executor = executor_pid(home)
    assert executor is not None
    over = threading.Event()

    def kill_all() -> None:
        while not over.is_set():
            for pid, parent in parents():
                if parent == executor:
                    try:
                        if "lambdanb.runtime" in command(pid):
                            os.kill(pid, signal.SIGKILL)
                    except (OSError, ProcessLookupError):
                        pass
            over.wait(0.005)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        told = function.invoke(2, cold=True)
    finally:
        over.set()
        killer.join()
    if told.error is not None:
        assert told.error.error_type == "Runtime.ExitError"
        assert "no zygote could be started" in told.error.error_message or "ended" in told.error.error_message
    assert function.invoke(3, cold=True).payload == 3
