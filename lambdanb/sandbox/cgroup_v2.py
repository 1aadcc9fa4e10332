"""cgroup v2: one hierarchy, one group per environment, and a kernel that can end it as a whole.

**Not run on the machine where this was written**, which has no v2 controllers: the writes are tested against a folder
with the same files, their meaning is taken from the kernel's Documentation/admin-guide/cgroup-v2.rst.

The executor must first leave the group that it was given, because a group with processes in it can't hand controllers
to its children (EBUSY): it moves its own group's processes into a leaf, `lambdanb-<executor id>/executor`, and then
writes `+memory +cpu +pids` to `cgroup.subtree_control`, from its own group down to the parent of the environments'
groups.

    <own>/lambdanb-<executor id>/executor          the executor and what else was in <own>
    <own>/lambdanb-<executor id>/environment-1     cpu.max, memory.max, memory.high, memory.oom.group, pids.max

Memory. As in cgroup_v1.py, tmpfs pages of /tmp are charged to the group, so `memory.max` is memory + size of /tmp, with
`memory.oom.group=1` (else only one process dies and the handler lives on), and the true limit is `memory.high`: who
crosses it is made to reclaim and is slowed down by the kernel, and the watchdog is told (an event on `memory.events`):
it raises `memory.high` by what is in /tmp, or ends the tree. See cgroup_memory.py. No swap: `memory.swap.max=0`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping

from lambdanb.sandbox.cgroup import Enforced, GroupLimits, MemoryNow, quota, read_keyed, write_file
from lambdanb.sandbox.tree import is_alive

CONTROLLERS = ("memory", "cpu", "pids")
LEAF = "executor"


class V2Parent:
    """Where the executor's groups are made."""

    def __init__(self, executor_id: str, folders: Mapping[str, str]) -> None:
        """Make the folder and hand controllers down. `folders["unified"]`: the executor's own. May raise OSError."""
        self._own = folders["unified"]
        self._folder = f"{self._own}/lambdanb-{executor_id}"
        leaf = f"{self._folder}/{LEAF}"
        os.makedirs(leaf, exist_ok=True)
        _move_all(self._own, leaf)
        available = _words(self._own + "/cgroup.controllers")
        wanted = [name for name in CONTROLLERS if name in available]
        for folder in (self._own, self._folder):
            for name in wanted:  # one by one: one that is refused doesn't take the others with it
                with contextlib.suppress(OSError):
                    write_file(folder + "/cgroup.subtree_control", f"+{name}")
        given = _words(self._folder + "/cgroup.subtree_control")
        if not given:
            raise OSError(f"cgroup v2 hands no controller down below {self._own}: see its cgroup.controllers")
        self.enforced = Enforced(
            memory="cgroup v2 memory" if "memory" in given else None,
            cpu="cgroup v2 cpu.max, 20 ms" if "cpu" in given else None,
            processes="cgroup v2 pids.max" if "pids" in given else None,
            counts_cpu=True,  # cpu.stat has usage_usec in every group, with or without the controller
        )

    def paths(self) -> dict[str, str]:
        return {"unified": self._folder}

    def create(self, name: str) -> V2Group:
        return V2Group(name, self._folder, self.enforced)

    def close(self) -> None:
        take_down(self._folder)


def _open_peak(folder: str) -> int:
    """The peak came with Linux 5.19; since 6.12 whoever may write to it counts it anew, for that descriptor alone."""
    path = folder + "/memory.peak"
    if not os.path.exists(path):
        return os.open(folder + "/memory.current", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


class V2Group:
    """The group of one environment."""

    def __init__(self, name: str, parent: str, enforced: Enforced) -> None:
        self.name = name
        self._folder = f"{parent}/{name}"
        self._enforced = enforced
        self._share: float | None = None
        self._peak_fd = self._cpu_fd = -1
        os.mkdir(self._folder)
        try:
            if enforced.memory:
                self._peak_fd = _open_peak(self._folder)
            self._cpu_fd = os.open(self._folder + "/cpu.stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.close()
            self.remove()
            raise

    def configure(self, limits: GroupLimits) -> None:
        if self._enforced.memory:
            write_file(self._folder + "/memory.oom.group", "1")
            if os.path.exists(self._folder + "/memory.swap.max"):
                write_file(self._folder + "/memory.swap.max", "0")
        self.set_memory(limits)
        if self._enforced.processes:
            write_file(self._folder + "/pids.max", str(limits.processes))

    def set_memory(self, limits: GroupLimits) -> None:
        if not self._enforced.memory:
            return
        write_file(self._folder + "/memory.max", str(limits.memory_bytes + limits.tmp_bytes))
        write_file(self._folder + "/memory.high", str(limits.memory_bytes) if limits.tmp_bytes else "max")

    def set_cpu(self, share: float | None) -> None:
        if not self._enforced.cpu or share == self._share:
            return
        self._share = share
        quota_us, period_us = quota(share)
        write_file(self._folder + "/cpu.max", f"{'max' if quota_us is None else quota_us} {period_us}")

    def procs_names(self) -> list[str]:
        return ["unified"]

    def open_procs(self) -> list[int]:
        return [os.open(self._folder + "/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)]

    def memory_peak(self) -> int:
        return int(os.pread(self._peak_fd, 24, 0)) if self._peak_fd >= 0 else 0

    def forget_peak(self) -> None:
        with contextlib.suppress(OSError):  # an older kernel: the peak stays
            os.write(self._peak_fd, b"reset\n")

    def memory_now(self) -> MemoryNow:
        return memory_now(self._folder)

    def kernel_memory(self) -> int:
        try:
            with open(self._folder + "/memory.stat", "rb", buffering=0) as file:
                stat = read_keyed(file.read(8192))
        except OSError:
            return 0
        parts = ("kernel_stack", "pagetables", "percpu", "slab")  # before Linux 5.18 without their sum
        return stat.get("kernel", sum(stat.get(part, 0) for part in parts))

    def cpu_ns(self) -> int:
        if self._cpu_fd < 0:
            return 0
        # "usage_usec 1234\n..." is the first line.
        return int(os.pread(self._cpu_fd, 40, 0).split(None, 2)[1]) * 1000

    def oom_kills(self) -> int:
        if not self._enforced.memory:
            return 0
        try:
            with open(self._folder + "/memory.events", "rb") as file:
                return read_keyed(file.read()).get("oom_kill", 0)
        except OSError:
            return 0

    def kill(self, spare: frozenset[int] = frozenset()) -> bool:
        self._share = None  # as kill_members leaves it
        return kill_members(self._folder)

    def remove(self) -> bool:
        try:
            os.rmdir(self._folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def close(self) -> None:
        for fd in (self._peak_fd, self._cpu_fd):
            if fd >= 0:
                os.close(fd)
        self._peak_fd = self._cpu_fd = -1


def memory_now(folder: str) -> MemoryNow:
    """What a group holds. OSError when it is gone."""
    with open(folder + "/memory.stat", "rb", buffering=0) as file:
        stat = read_keyed(file.read(8192))
    return MemoryNow(held=stat["anon"] + stat["shmem"], file=stat["inactive_file"] + stat["active_file"])


def lift_cpu(folder: str) -> None:
    """Give a group all the CPU: a throttled tree would take many periods to die."""
    with contextlib.suppress(OSError):
        write_file(folder + "/cpu.max", "max")


def kill_members(folder: str) -> bool:
    """Kill all in the group, at once where there is cgroup.kill (Linux 5.14); True when nothing in it runs."""
    try:
        with open(folder + "/cgroup.procs", "rb") as file:
            running = [int(pid) for pid in file.read().split()]
    except OSError:
        return True
    running = [pid for pid in running if pid > 0 and is_alive(pid)]
    if not running:
        return True
    lift_cpu(folder)
    try:
        write_file(folder + "/cgroup.kill", "1")
    except OSError:
        for pid in running:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    return False


def take_down(folder: str) -> bool:
    """Undo what `V2Parent` did: the executor's processes back to where they were, its folder removed; True when gone.

    The environments' groups must be empty. A group can only take processes back once it hands no controllers down.
    """
    own = os.path.dirname(folder)
    try:
        with os.scandir(folder) as entries:
            groups = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name != LEAF]
    except FileNotFoundError:
        return True
    try:
        for name in groups:
            os.rmdir(f"{folder}/{name}")
        for parent in (folder, own):
            for controller in CONTROLLERS:
                with contextlib.suppress(OSError):
                    write_file(parent + "/cgroup.subtree_control", f"-{controller}")
        if os.path.isdir(f"{folder}/{LEAF}"):
            _move_all(f"{folder}/{LEAF}", own)
            os.rmdir(f"{folder}/{LEAF}")
        os.rmdir(folder)
    except OSError:
        return False
    return True


def _words(path: str) -> list[str]:
    with open(path) as file:
        return file.read().split()


def _move_all(origin: str, target: str, timeout_s: float = 0.5) -> None:
    """Move every process of a group; repeated, as those that are moved may fork meanwhile."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        pids = _words(origin + "/cgroup.procs")
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                write_file(target + "/cgroup.procs", pid)
