"""Groups of cgroup v1, made for real where this user may; skipped elsewhere, where the watchdog does their work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_rig import CAPABILITIES

from lambdanb.sandbox.cgroup import MIB, GroupLimits, quota
from lambdanb.sandbox.cgroup_v1 import V1Group, V1Parent, members

needs_v1 = pytest.mark.skipif(CAPABILITIES.cgroup != "v1", reason="no cgroup v1 for this user")
LIMITS = GroupLimits(memory_bytes=128 * MIB, tmp_bytes=512 * MIB, processes=10)


@pytest.fixture
def parent() -> Iterator[V1Parent]:
    one = V1Parent(f"test-{os.getpid()}", CAPABILITIES.cgroup_dirs)
    yield one
    one.close()
    assert not [folder for folder in one.paths().values() if os.path.exists(folder)]


@pytest.fixture
def group(parent: V1Parent) -> Iterator[V1Group]:
    one = parent.create("environment-1")
    one.configure(LIMITS)
    yield one
    while not one.kill():
        os.sched_yield()
    one.close()
    while not one.remove():
        os.sched_yield()


def _run(group: V1Group, source: str) -> subprocess.CompletedProcess[str]:
    """Run source in a process that joins the group by the descriptors alone, as a runtime does."""
    fds = group.open_procs()
    join = f"import os\nfor fd in {fds}: os.write(fd, b'0'); os.close(fd)\n"
    try:
        return subprocess.run([sys.executable, "-c", join + source], pass_fds=fds, capture_output=True, text=True)
    finally:
        for fd in fds:
            os.close(fd)


@needs_v1
def test_memory_is_limited_without_swap_and_counted(parent: V1Parent, group: V1Group) -> None:
    group.set_memory(GroupLimits(64 * MIB, 0, 10))
    folder = Path(parent.paths()["memory"]) / group.name
    assert (folder / "memory.limit_in_bytes").read_text() == f"{64 * MIB}\n"
    with_swap = folder / "memory.memsw.limit_in_bytes"
    assert not with_swap.exists() or with_swap.read_text() == f"{64 * MIB}\n"
    assert group.oom_kills() == 0
    assert _run(group, "block = b'x' * (30 << 20)").returncode == 0
    assert 30 * MIB < group.memory_peak() < 64 * MIB
    assert _run(group, "block = b'x' * (90 << 20)").returncode == -9
    assert group.oom_kills() == 1
    assert group.memory_now().held < 2 * MIB
    group.set_memory(LIMITS)  # up and down again
    group.set_memory(GroupLimits(64 * MIB, 0, 10))


@needs_v1
def test_processes_and_threads_are_counted_together(group: V1Group) -> None:
    source = """
import subprocess, threading
stop = threading.Event()
started = 0
children = [subprocess.Popen(["sleep", "60"]) for _ in range(4)]
try:
    while started < 50:
        threading.Thread(target=stop.wait).start()
        started += 1
except RuntimeError: pass
stop.set()
[child.kill() for child in children]
print(started)
"""
    assert int(_run(group, source).stdout) == LIMITS.processes - 1 - 4


@needs_v1
def test_cpu_time_of_the_dead_counts(group: V1Group) -> None:
    source = "import time\nwhile time.process_time() < 0.2: pass"
    _run(group, source)
    assert 0.15e9 < group.cpu_ns() < 1e9


@needs_v1
def test_the_quota_is_set_and_lifted(parent: V1Parent, group: V1Group) -> None:
    folder = Path(parent.paths()["cpu"]) / group.name
    group.set_cpu(0.5)
    assert (folder / "cpu.cfs_quota_us").read_text() == "10000\n"
    assert (folder / "cpu.cfs_period_us").read_text() == "20000\n"
    group.set_cpu(0.01)
    assert (folder / "cpu.cfs_quota_us").read_text() == "1000\n"
    assert (folder / "cpu.cfs_period_us").read_text() == "100000\n"
    group.set_cpu(None)
    assert (folder / "cpu.cfs_quota_us").read_text() == "-1\n"


@needs_v1
def test_a_group_in_use_is_not_removed_until_it_is_empty(group: V1Group) -> None:
    fds = group.open_procs()
    source = f"import os\nfor fd in {fds}: os.write(fd, b'0')\nprint('in', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", source], pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        assert not group.remove()
        assert group.kill(frozenset({process.pid})), "it was to be spared"
        assert not group.kill()
        assert process.wait() == -9
    for fd in fds:
        os.close(fd)
    assert group.kill()


@needs_v1
def test_a_group_that_is_gone_is_no_error(parent: V1Parent) -> None:
    group = parent.create("environment-2")
    group.close()
    assert group.remove()
    assert group.remove()
    assert group.kill()
    assert group.oom_kills() == 0
    assert group.memory_peak() == group.cpu_ns() == 0
    assert members("/sys/fs/cgroup/memory/never-was") == []


def test_the_quota_of_a_share() -> None:
    assert quota(None) == (None, 20_000)
    assert quota(1.0) == (20_000, 20_000)
    assert quota(128 / 1769) == (1_447, 20_000)
    assert quota(5.8) == (116_000, 20_000)
    assert quota(0.01) == (1_000, 100_000)
