"""cgroup v1: one hierarchy per controller, so an environment has up to four groups (memory, cpu, cpuacct, pids).

Groups are made below the executor's own group in each hierarchy, `lambdanb-<executor id>/<environment id>`, where that
is writable (in practice: for root). A hierarchy that isn't there or isn't writable is done without, and its limit falls
to the watchdog.

Memory. The kernel charges tmpfs pages to whoever touched them first, so the environment's /tmp counts against its
group, which on Lambda it does not. A tight kernel limit would therefore fail a write to /tmp with ENOMEM (with
`memory.oom_control=1`, only faults of user code wait for a decision; a `write` doesn't) or kill for it. So the kernel's
limit is `memory + size of /tmp`, and bounds the damage if nobody looks; the true limit is held by the watchdog, which
the kernel wakes by an event (`cgroup.event_control`, threshold on `memory.usage_in_bytes`) when usage crosses `memory +
what is in /tmp now`: see cgroup_memory.py. With no /tmp of tmpfs the two are the same and the kernel alone decides.

`memory.memsw.limit_in_bytes`, where there is one, is set alike: no swap.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Final

from lambdanb.sandbox.cgroup import Enforced, GroupLimits, MemoryNow, quota, read_keyed, write_file
from lambdanb.sandbox.tree import is_alive

_KERNEL_PEAK: Final = "/memory.kmem.max_usage_in_bytes"


class V1Parent:
    """Where the executor's groups are made: a folder of its own in each usable hierarchy."""

    def __init__(self, executor_id: str, folders: Mapping[str, str]) -> None:
        """Make the folders. `folders`: controller -> the executor's own, writable group. OSError if refused."""
        self._folders = {name: f"{folder}/lambdanb-{executor_id}" for name, folder in folders.items()}
        for folder in set(self._folders.values()):
            os.makedirs(folder, exist_ok=True)
        self.enforced = Enforced(
            memory="cgroup v1 memory" if "memory" in self._folders else None,
            cpu="cgroup v1 cfs quota, 20 ms" if "cpu" in self._folders else None,
            processes="cgroup v1 pids.max" if "pids" in self._folders else None,
            counts_cpu="cpuacct" in self._folders,
        )

    def paths(self) -> dict[str, str]:
        return dict(self._folders)

    def create(self, name: str) -> V1Group:
        return V1Group(name, self._folders)

    def close(self) -> None:
        for folder in set(self._folders.values()):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


class V1Group:
    """The groups of one environment."""

    def __init__(self, name: str, parents: dict[str, str]) -> None:
        self.name = name
        self._folders = {controller: f"{parent}/{name}" for controller, parent in parents.items()}
        self._share: float | None = None
        self._peak_fd = self._cpu_fd = -1
        try:
            for folder in dict.fromkeys(self._folders.values()):  # cpu and cpuacct are often one hierarchy
                os.mkdir(folder)
            flags = os.O_RDONLY | os.O_CLOEXEC
            if "memory" in self._folders:
                self._peak_fd = os.open(self._folders["memory"] + "/memory.max_usage_in_bytes", flags)
            if "cpuacct" in self._folders:
                self._cpu_fd = os.open(self._folders["cpuacct"] + "/cpuacct.usage", flags)
        except OSError:
            self.close()
            self.remove()
            raise

    def configure(self, limits: GroupLimits) -> None:
        self.set_memory(limits)
        if "pids" in self._folders:
            write_file(self._folders["pids"] + "/pids.max", str(limits.processes))

    def set_memory(self, limits: GroupLimits) -> None:
        folder = self._folders.get("memory")
        if folder is None:
            return
        value = str(limits.memory_bytes + limits.tmp_bytes)
        # memory <= memory+swap must hold at every step, so the order depends on the direction: one of the two works.
        files = (folder + "/memory.limit_in_bytes", folder + "/memory.memsw.limit_in_bytes")
        try:
            write_file(files[0], value)
        except OSError:
            if os.path.exists(files[1]):
                write_file(files[1], value)
            write_file(files[0], value)
        with contextlib.suppress(OSError):
            write_file(files[1], value)

    def set_cpu(self, share: float | None) -> None:
        folder = self._folders.get("cpu")
        if folder is None or share == self._share:
            return
        self._share = share
        quota_us, period_us = quota(share)
        if quota_us is None:
            write_file(folder + "/cpu.cfs_quota_us", "-1")
            return
        write_file(folder + "/cpu.cfs_period_us", str(period_us))
        write_file(folder + "/cpu.cfs_quota_us", str(quota_us))

    def procs_names(self) -> list[str]:
        return [controller for controller, _ in self._distinct()]

    def open_procs(self) -> list[int]:
        # Not cgroup.procs: a thread that moves itself alone takes no lock that every fork and exit of the machine
        # shares, whose writer waits for an RCU grace period (10 ms on a busy machine). The runtime has one thread then.
        return [os.open(folder + "/tasks", os.O_WRONLY | os.O_CLOEXEC) for _, folder in self._distinct()]

    def _distinct(self) -> list[tuple[str, str]]:
        # cpu and cpuacct are often one hierarchy, by two names or by links.
        first = {folder: controller for controller, folder in reversed(self._folders.items())}
        return [(controller, folder) for folder, controller in first.items()][::-1]

    def memory_peak(self) -> int:
        return int(os.pread(self._peak_fd, 24, 0)) if self._peak_fd >= 0 else 0

    def forget_peak(self) -> None:
        if self._peak_fd >= 0:
            write_file(self._folders["memory"] + "/memory.max_usage_in_bytes", "0")
            write_file(self._folders["memory"] + _KERNEL_PEAK, "0")

    def kernel_memory(self) -> int:
        try:
            with open(self._folders["memory"] + _KERNEL_PEAK, "rb", buffering=0) as file:
                return int(file.read(24))
        except OSError:  # the kernel doesn't charge its own
            return 0

    def memory_now(self) -> MemoryNow:
        return memory_now(self._folders["memory"])

    def cpu_ns(self) -> int:
        return int(os.pread(self._cpu_fd, 24, 0)) if self._cpu_fd >= 0 else 0

    def oom_kills(self) -> int:
        folder = self._folders.get("memory")
        if folder is None:
            return 0
        try:
            with open(folder + "/memory.oom_control", "rb") as file:
                return read_keyed(file.read()).get("oom_kill", 0)
        except OSError:
            return 0

    def kill(self, spare: frozenset[int] = frozenset()) -> bool:
        self._share = None  # as kill_members leaves it
        return kill_members(self._folders, spare)

    def remove(self) -> bool:
        return remove_folders(self._folders)

    def close(self) -> None:
        for fd in (self._peak_fd, self._cpu_fd):
            if fd >= 0:
                os.close(fd)
        self._peak_fd = self._cpu_fd = -1


def memory_now(folder: str) -> MemoryNow:
    """What a memory group holds. OSError when it is gone."""
    with open(folder + "/memory.stat", "rb", buffering=0) as file:
        stat = read_keyed(file.read(8192))
    return MemoryNow(
        held=stat["total_rss"] + stat["total_shmem"], file=stat["total_inactive_file"] + stat["total_active_file"]
    )


def members(folder: str) -> list[int]:
    """The processes of a group, zombies too; none when the group is gone."""
    try:
        with open(folder + "/cgroup.procs", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def lift_cpu(folders: dict[str, str]) -> None:
    """Give a group all the CPU: a process needs some even to die, and a throttled tree would take 100 to 170 ms."""
    if "cpu" in folders:
        with contextlib.suppress(OSError):
            write_file(folders["cpu"] + "/cpu.cfs_quota_us", "-1")


def kill_members(folders: dict[str, str], spare: frozenset[int] = frozenset()) -> bool:
    """Kill everything in the groups once; True when nothing in them runs (zombies don't)."""
    running = {
        pid
        for folder in dict.fromkeys(folders.values())
        for pid in members(folder)
        if pid > 0 and pid not in spare and is_alive(pid)
    }
    if running:
        lift_cpu(folders)
    for pid in running:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return not running


def remove_folders(folders: dict[str, str]) -> bool:
    """Remove the groups; False when one is still busy (the kernel takes a moment to let go of the dead)."""
    gone = True
    for folder in dict.fromkeys(folders.values()):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            gone = False
    return gone
