"""Spares: a cold start takes what was forked ahead, without the function noticing, and whatever happens to a spare."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from homes import executor_pid, wait_for_end
from processes import below, eventually, parents_of_all, running

import lambdanb
from lambdanb.client.connection import Executor

SOURCE = """
import os, subprocess

def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # the one that listed them
    return found

opened = descriptors()

def lambda_handler(event, context):
    own = open("/proc/self/status").read()
    child = subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, text=True).stdout
    fields = [dict(line.split(":\\t") for line in text.splitlines() if ":\\t" in line) for text in (own, child)]
    tmp = os.statvfs(os.environ.get("TMPDIR", "/tmp"))
    return {
        "at": os.getcwd(),
        "opened": [opened, descriptors()],
        "capabilities": [[each[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] for each in fields],
        "no_new_privs": [each["NoNewPrivs"] for each in fields],
        "code": sorted(os.listdir(os.environ["LAMBDA_TASK_ROOT"])),
        "tmp_mb": tmp.f_blocks * tmp.f_frsize / 1048576,
        "variables": sorted(os.environ),
        "modules": [name for name in __import__("sys").modules if "rehears" in name and not "." in name],
    }
"""
ECHO = "def lambda_handler(event, context): return event\n"
FALL_BACKS = ["", "cgroups", "namespaces", "seccomp", "cgroups,namespaces,landlock"]


def zygotes(home: Path) -> list[int]:
    """The zygotes of a home's executor."""
    executor = executor_pid(home)
    return [
        pid for pid, parent in parents_of_all().items() if parent == executor and b"lambdanb.runtime" in command(pid)
    ]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def environments(home: Path) -> set[int]:
    """The inits of all environments."""
    return {each["init_pid"] for each in Executor.of(home).ask("environments")["environments"]}


def spares(home: Path) -> set[int]:
    """The inits that are no environment's, with a runtime process below each."""
    parents, theirs = parents_of_all(), zygotes(home)
    forked = {pid for pid, parent in parents.items() if parent in theirs}
    return (forked & set(parents.values())) - environments(home)


def spare(home: Path, besides: frozenset[int] = frozenset()) -> int:
    """The one there is, as soon as there is one."""
    found: set[int] = set()

    def there() -> bool:
        found.clear()
        found.update(spares(home) - besides)
        return len(found) == 1

    assert eventually(there, 10), found
    return found.pop()


def cold_at_once(function: lambdanb.Function, events: Sequence[Any]) -> list[Any]:
    """The answers of cold starts that are asked for together."""
    with ThreadPoolExecutor(len(events)) as callers:
        return list(callers.map(lambda event: function.invoke(event, cold=True).payload, events))


@pytest.mark.parametrize("without", FALL_BACKS)
def test_taken_and_replaced(home: Path, without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_WITHOUT", without)
    function = lambdanb.deploy("echo", ECHO, memory=256)
    first = spare(home)
    for event in range(3):
        invocation = function.invoke(event, cold=True)
        assert invocation.payload == event
        assert invocation.record.cold  # type: ignore[union-attr]
        assert first in environments(home)
        first = spare(home, frozenset({first}))


@pytest.mark.parametrize("without", FALL_BACKS)
def test_the_function_has_nothing_of_it(home: Path, without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No privilege and no descriptor, nobody else's code, and limits of its own: from a spare and, in a burst, not."""
    monkeypatch.setenv("LAMBDANB_WITHOUT", without)
    lambdanb.deploy("other", "def lambda_handler(event, context): return 'other'\n", memory=256, tmp=700)()
    function = lambdanb.deploy("mine", SOURCE, memory=256, tmp=600)
    assert eventually(lambda: bool(spares(home)), 10)
    before = spares(home)
    answers = cold_at_once(function, [None] * 3)
    assert before & environments(home)
    for answer in answers:
        for opened in answer["opened"]:
            kinds = [opened.pop(number).partition(":")[0] for number in ("0", "1", "2")]
            assert kinds == ["/dev/null", "pipe", "pipe"]
            assert [target.partition(":")[0] for target in opened.values()] == ["socket"]
        assert {each for process in answer["capabilities"] for each in process} == {"0" * 16}
        assert answer["no_new_privs"] == ["1", "1"]
        assert answer["code"] == ["lambda_function.py"]
        assert answer["modules"] == []
        assert "LAMBDANB_EXECUTOR" not in answer["variables"]
        if "namespaces" not in without:
            assert answer["at"] == "/var/task"
            assert answer["tmp_mb"] == 600


def test_of_a_template(home: Path) -> None:
    """SnapStart's template has spares too: init ran, and each environment has its own sandbox."""
    function = lambdanb.deploy("snapped", SOURCE, memory=256, tmp=600, snap_start=True)
    function()
    for _ in range(3):
        answer = function.invoke(cold=True).payload
        assert {each for process in answer["capabilities"] for each in process} == {"0" * 16}
        assert answer["code"] == ["lambda_function.py"]
        assert answer["tmp_mb"] == 600
        assert len(answer["opened"][1]) == 4


@pytest.mark.parametrize("whose", ["init", "runtime"])
def test_killed(home: Path, whose: str) -> None:
    function = lambdanb.deploy("echo", ECHO, memory=256)
    for event in range(3):
        init = spare(home)
        victim = init if whose == "init" else below(init)[0]
        os.kill(victim, signal.SIGKILL)
        assert function.invoke(event, cold=True).payload == event
        assert eventually(lambda init=init: not running([init]))  # type: ignore[misc]


def test_its_zygote_is_killed(home: Path) -> None:
    function = lambdanb.deploy("echo", ECHO, memory=256)
    init = spare(home)
    for pid in zygotes(home):
        os.kill(pid, signal.SIGKILL)
    assert function.invoke(1, cold=True).payload == 1
    assert eventually(lambda: init in environments(home) or not running([init]))
    assert function.invoke(2, cold=True).payload == 2
    assert spare(home, frozenset({init}))


@pytest.mark.parametrize("without", ["", "cgroups,namespaces"])
def test_its_executor_is_killed(home: Path, without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that hangs, and couldn't end by itself, is gone."""
    monkeypatch.setenv("LAMBDANB_WITHOUT", without)
    lambdanb.deploy("echo", ECHO, memory=256)
    init = spare(home)
    executor = executor_pid(home)
    assert executor is not None
    everything = below(executor)
    os.kill(init, signal.SIGSTOP)
    os.kill(executor, signal.SIGKILL)
    wait_for_end(executor)
    assert eventually(lambda: not running(everything))


def test_ends_with_the_executor(home: Path) -> None:
    lambdanb.deploy("echo", ECHO, memory=256)
    spare(home)
    executor = executor_pid(home)
    assert executor is not None
    everything = below(executor)
    Executor.of(home).close()
    wait_for_end(executor)
    assert eventually(lambda: not running(everything))


def test_burst(home: Path) -> None:
    """More cold starts at once than there are spares; and then there is one again, and no more."""
    function = lambdanb.deploy("echo", ECHO, memory=128)
    before = spare(home)
    assert cold_at_once(function, range(20)) == list(range(20))
    assert len(environments(home)) == 20
    assert before in environments(home)
    spare(home)
