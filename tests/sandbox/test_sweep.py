"""What is left of an executor that was killed: nothing, with its watchdog at once, without it at the next start."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_rig import CAPABILITIES, ROOT, TIMEOUT_S, Ended, Rig, running_rig

from lambdanb.sandbox import tree
from lambdanb.sandbox.sweep import sweep
from lambdanb.sandbox.watch_table import SLOTS, WatchTable, create_memory

# An executor with two environments of which one is busy and has daemons; tells its id and all its processes.
EXECUTOR = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import sandbox_rig
from lambdanb.sandbox import tree
from lambdanb.sandbox.identity import own_id
folder = pathlib.Path(sys.argv[2])
rig = sandbox_rig.Rig(folder)
(folder / "executor.sock").touch()
rig.watchdog.remove_at_end(folder / "executor.sock")
one, other = rig.environment(cpu_share=0.1), rig.environment(cpu_share=0.1)
one.run('''
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: pass
    os._exit(0)
os.wait()
open(tmp + "/file", "w").write("x")
''')
one.send("while True: pass")
pids = [pid for root in (rig.zygote.pid,) for pid in (root, *tree.descendants(root))]
print(own_id(), rig.watchdog.pid, *pids, flush=True)
sys.stdin.read()
"""


class Executor:
    """A process that holds a rig, to be killed."""

    def __init__(self, folder: Path) -> None:
        here = str(Path(__file__).parent)
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", EXECUTOR, here, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        self.id, watchdog, *pids = self.process.stdout.readline().split()
        self.watchdog = int(watchdog)
        self.pids = [int(pid) for pid in pids]
        self.handles = [os.pidfd_open(pid) for pid in self.pids]

    def groups(self) -> list[str]:
        folders = [f"{parent}/lambdanb-{self.id}" for parent in CAPABILITIES.cgroup_dirs.values()]
        return [folder for folder in folders if os.path.exists(folder)]

    def folders(self) -> list[str]:
        return os.listdir(self.folder / "tmp") if (self.folder / "tmp").exists() else []

    def running(self) -> list[int]:
        return [pid for pid in self.pids if tree.is_alive(pid)]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        for handle in self.handles:
            os.close(handle)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    tmp_path.chmod(0o755)
    one = Executor(tmp_path)
    yield one
    one.close()


def _await_end(handles: list[int], timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    for handle in handles:
        assert select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0], "it still runs"


def test_the_watchdog_clears_up_after_a_killed_executor(executor: Executor) -> None:
    assert len(executor.pids) >= 6
    assert bool(executor.groups()) == (CAPABILITIES.cgroup is not None)
    watchdog = os.pidfd_open(executor.watchdog)
    started = time.monotonic()
    executor.process.kill()
    _await_end([watchdog, *executor.handles])
    os.close(watchdog)
    assert time.monotonic() - started < 2
    assert executor.running() == []
    assert executor.groups() == []
    assert not (executor.folder / "executor.sock").exists()
    assert executor.folders() == []
    assert (executor.folder / "watchdog.log").read_text() == ""


def test_the_next_executor_keeps_its_socket(executor: Executor) -> None:
    """It may be up before the watchdog of the one that was killed is done: the name is the same, the socket isn't."""
    watchdog = os.pidfd_open(executor.watchdog)
    (executor.folder / "next.sock").touch()
    (executor.folder / "next.sock").rename(executor.folder / "executor.sock")
    executor.process.kill()
    _await_end([watchdog, *executor.handles])
    os.close(watchdog)
    assert (executor.folder / "executor.sock").exists()


def test_stopped_and_deaf_processes_are_cleared_up_too(executor: Executor) -> None:
    tree.send_signal(executor.pids, signal.SIGSTOP)
    executor.process.kill()
    _await_end(executor.handles)
    assert executor.running() == []


def test_the_watchdog_outlives_what_ends_the_notebook(executor: Executor) -> None:
    handle = os.pidfd_open(executor.watchdog)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(executor.watchdog, number)
    assert os.getsid(executor.watchdog) == executor.watchdog
    executor.process.kill()
    _await_end([handle, *executor.handles])
    os.close(handle)
    assert executor.groups() == []


def test_the_sweep_finds_what_killed_executor_and_watchdog_left(executor: Executor) -> None:
    # The zygote and the inits would end by themselves; stopped, they can't.
    os.kill(executor.watchdog, signal.SIGKILL)
    tree.send_signal(executor.pids, signal.SIGSTOP)
    living = sweep(CAPABILITIES.cgroup, CAPABILITIES.cgroup_dirs, executor.folder / "tmp")
    assert (executor.id in executor.folders()) != CAPABILITIES.namespaces
    assert living.processes == 0, "its executor lives"
    assert executor.running() != []
    executor.process.kill()
    executor.process.wait()
    (executor.folder / "tmp" / executor.id).mkdir(parents=True, exist_ok=True)
    (executor.folder / "tmp" / "somebody's").mkdir()
    swept = sweep(CAPABILITIES.cgroup, CAPABILITIES.cgroup_dirs, executor.folder / "tmp")
    _await_end(executor.handles)
    assert executor.running() == []
    assert executor.groups() == []
    assert swept.folders >= 1
    assert executor.folders() == ["somebody's"]
    again = sweep(CAPABILITIES.cgroup, CAPABILITIES.cgroup_dirs, executor.folder / "tmp")
    assert (again.groups, again.folders) == (0, 0)


def test_a_killed_watchdog_is_started_again_and_goes_on() -> None:
    with running_rig() as rig:
        environment = rig.environment(memory_mb=128, cpu_share=0.3)
        environment.send("while True: pass")
        handle = os.pidfd_open(rig.watchdog.pid)
        os.kill(rig.watchdog.pid, signal.SIGKILL)
        _await_end([handle])
        os.close(handle)
        assert rig.watchdog.restart_if_dead()
        assert not rig.watchdog.restart_if_dead()
        environment.sandbox.kill()
        with pytest.raises(Ended):
            environment.receive()
        environment.restart()
        with pytest.raises(Ended):
            environment.run("block = b'x' * (400 << 20)")
        assert environment.sandbox.out_of_memory


def test_destroy_leaves_nothing_and_may_be_called_again() -> None:
    with running_rig() as rig:
        environment = rig.environment()
        environment.send("""
import os
for _ in range(10):
    if os.fork() == 0:
        os.setsid()
        while True: pass
while True: pass
""")
        handles = [os.pidfd_open(environment.init_pid), os.pidfd_open(environment.runtime_pid)]
        started = time.monotonic()
        environment.sandbox.destroy()
        assert time.monotonic() - started < 0.2
        _await_end(handles)
        for handle in handles:
            os.close(handle)
        environment.sandbox.destroy()
        environment.sandbox.kill()
        assert environment.sandbox.usage(5)[0] >= 5
        environment.sandbox.begin()
        environment.sandbox.busy()
        environment.sandbox.idle()


@pytest.mark.limits
def test_a_throttled_tree_ends_as_fast_as_any() -> None:
    """A process needs CPU to die. Under a quota of 7 % four spinning ones would take 100 ms and more."""
    with running_rig() as rig:
        taken_s = []
        for _ in range(5):
            environment = rig.environment(cpu_share=128 / 1769)
            environment.run("import os, time\nchildren = [os.fork() for _ in range(2)]\nuntil = time.time() + 0.2\n"
                            "while time.time() < until or 0 in children: pass")  # fmt: skip
            environment.send("while True: pass")
            environment.sandbox.ending()
            started = time.monotonic()
            os.kill(environment.runtime_pid, signal.SIGKILL)
            with pytest.raises(Ended):
                environment.receive()
            taken_s.append(time.monotonic() - started)
        assert min(taken_s) < 0.05, taken_s


def test_kill_ends_all_but_init() -> None:
    with running_rig() as rig:
        environment = rig.environment()
        environment.send("import os\nfor _ in range(5): os.fork()\nwhile True: pass")
        environment.sandbox.kill()
        with pytest.raises(Ended):
            environment.receive()
        assert tree.is_alive(environment.init_pid)
        assert not environment.sandbox.out_of_memory
        environment.restart()
        assert environment.run("result = 1")["result"] == 1


def test_the_watchdog_parks_and_wakes() -> None:
    with running_rig() as rig:
        environment = rig.environment(cpu_share=0.3)
        environment.run("result = 1")
        _poll(lambda: rig.watchdog.table.parked)
        cpu = time.clock_gettime_ns((~rig.watchdog.pid << 3) | 2)
        for _ in range(3):
            assert rig.watchdog.table.parked
        assert time.clock_gettime_ns((~rig.watchdog.pid << 3) | 2) - cpu < 1_000_000
        with pytest.raises(Ended):
            environment.run("block = b'x' * (400 << 20)")
        assert environment.sandbox.out_of_memory


def _poll(true: object) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        os.sched_yield()


def test_the_table_gives_slots_and_takes_them_back() -> None:
    memory = create_memory()
    table, other = WatchTable(memory), WatchTable(memory)
    os.close(memory)
    first = table.take_slot("one", "group-1")
    second = table.take_slot("two", "")
    assert first is not None and second is not None
    assert (other.environment_id(first), other.group_name(first)) == ("one", "group-1")
    assert (other.environment_id(second), other.group_name(second)) == ("two", "")
    table.memory[table.state_at(second)] = 2
    assert other.slots_in(2) == [second] and other.slots_in(1) == [first]
    table.free_slot(first)
    assert table.take_slot("three", "") == first
    assert all(table.take_slot("x", "") is not None for _ in range(SLOTS - 2))
    assert table.take_slot("y", "") is None
    table.add_process(4711, 1)
    assert other.processes() == [(4711, 1)]
    table.remove_process(4711)
    assert other.processes() == []
    table.close()
    other.close()


def test_a_rig_leaves_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.close()
    folder = f"lambdanb-{rig.sandboxes.executor_id}"
    assert not [parent for parent in CAPABILITIES.cgroup_dirs.values() if folder in os.listdir(parent)]
