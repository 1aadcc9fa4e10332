"""cgroup v2's writes, against a folder with the same files: this says that the right values go to the right files,
and nothing of what a kernel makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdanb.sandbox import cgroup_v2
from lambdanb.sandbox.cgroup import MIB, Enforced, GroupLimits
from lambdanb.sandbox.cgroup_memory import CgroupMemory

FILES = {
    "cgroup.procs": "",
    "cgroup.controllers": "cpuset cpu io memory pids\n",
    "cgroup.subtree_control": "        memory cpu pids\n",
    "cgroup.kill": "",
    "cpu.max": "max 100000\n",
    "cpu.stat": "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n",
    "memory.max": "max\n",
    "memory.high": "max\n",
    "memory.swap.max": "max\n",
    "memory.oom.group": "0\n",
    "memory.peak": "1048576\n",
    "memory.current": "524288\n",
    "memory.stat": "anon 4096\nfile 20480\nkernel 1000\nshmem 8192\ninactive_file 1024\nactive_file 2048\n",
    "memory.events": "low 0\nhigh 3\nmax 0\noom 1\noom_kill 2\noom_group_kill 1\n",
    "pids.max": "max\n",
}


@pytest.fixture
def unified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own group in a folder where a new folder is filled with files, as the kernel does it."""
    make = os.mkdir

    def filled(path: str, mode: int = 0o777) -> None:
        make(path, mode)
        for name, content in FILES.items():
            (Path(path) / name).write_text(content)

    monkeypatch.setattr(os, "mkdir", filled)
    os.mkdir(f"{tmp_path}/own")
    monkeypatch.setattr(cgroup_v2, "is_alive", lambda pid: False)
    return tmp_path / "own"


def _value(path: Path) -> str:
    """What was written over the file's beginning."""
    return path.read_text()


def test_the_executor_leaves_its_group_before_it_hands_controllers_down(unified: Path) -> None:
    (unified / "cgroup.procs").write_text("4711\n")
    parent = cgroup_v2.V2Parent("77-1-2", {"unified": str(unified)})
    folder = unified / "lambdanb-77-1-2"
    assert _value(folder / "executor" / "cgroup.procs") == "4711"
    assert _value(unified / "cgroup.subtree_control").startswith("+pids")
    assert _value(folder / "cgroup.subtree_control").startswith("+pids")
    assert parent.paths() == {"unified": str(folder)}
    assert parent.enforced.memory and parent.enforced.cpu and parent.enforced.processes and parent.enforced.counts_cpu


def test_a_group_without_controllers_is_refused(unified: Path) -> None:
    (unified / "lambdanb-x").mkdir()
    (unified / "cgroup.controllers").write_text("\n")
    (unified / "lambdanb-x" / "cgroup.subtree_control").write_text("\n")
    with pytest.raises(OSError, match="hands no controller down"):
        cgroup_v2.V2Parent("x", {"unified": str(unified)})


def _group(unified: Path) -> tuple[cgroup_v2.V2Group, Path]:
    enforced = Enforced(memory="m", cpu="c", processes="p", counts_cpu=True)
    return cgroup_v2.V2Group("environment-1", str(unified), enforced), unified / "environment-1"


def test_limits_go_to_their_files(unified: Path) -> None:
    group, folder = _group(unified)
    group.configure(GroupLimits(128 * MIB, 512 * MIB, 256))
    assert _value(folder / "memory.max").startswith(str(640 * MIB))
    assert _value(folder / "memory.high").startswith(str(128 * MIB))
    assert _value(folder / "memory.swap.max").startswith("0")
    assert _value(folder / "memory.oom.group").startswith("1")
    assert _value(folder / "pids.max").startswith("256")
    group.set_cpu(0.5)
    assert _value(folder / "cpu.max").startswith("10000 20000")
    group.set_cpu(None)
    assert _value(folder / "cpu.max").startswith("max 20000")
    group.set_memory(GroupLimits(128 * MIB, 0, 256))
    assert _value(folder / "memory.high").startswith("max")
    group.close()


def test_usage_comes_from_its_files(unified: Path) -> None:
    group, _ = _group(unified)
    assert group.memory_peak() == 1 << 20
    assert group.cpu_ns() == 1_234_000
    assert group.oom_kills() == 2
    assert (group.memory_now().held, group.memory_now().file) == (12288, 3072)
    group.close()
    assert group.memory_peak() == group.cpu_ns() == 0


def test_the_mark_follows_what_is_in_tmp(unified: Path) -> None:
    group, folder = _group(unified)
    (folder / "memory.events").write_text("high 0\noom_kill 0\n")
    watch = CgroupMemory("v2", str(folder), 100 * MIB, 512 * MIB)
    assert _value(folder / "memory.high").startswith(str(100 * MIB + 1000))
    assert watch.look(0)[0] is False
    (folder / "memory.current").write_text(str(300 * MIB))
    (folder / "memory.stat").write_text(FILES["memory.stat"].replace("shmem 8192", f"shmem {250 * MIB}"))
    assert watch.look(250 * MIB)[0] is False
    assert _value(folder / "memory.high").startswith(str(350 * MIB + 1000))
    assert watch.look(100 * MIB)[0] is True
    (folder / "memory.events").write_text("high 0\noom_kill 1\n")
    assert watch.look(250 * MIB)[0] is True, "the kernel killed"
    watch.close()
    group.close()


def test_kill_asks_the_kernel(unified: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, folder = _group(unified)
    assert group.kill()
    (folder / "cgroup.procs").write_text("4711\n")
    monkeypatch.setattr(cgroup_v2, "is_alive", lambda pid: True)
    assert not group.kill()
    assert _value(folder / "cgroup.kill") == "1"
    group.close()
