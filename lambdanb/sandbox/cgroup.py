"""What a cgroup can do for an environment, whichever version the machine has: the face of cgroup_v1.py and
cgroup_v2.py.

A *parent* is the place below which groups may be made; a *group* holds the runtime process of one environment and its
children (the environment's init stays outside, so that it is never throttled and never killed for memory). The executor
opens the group's `cgroup.procs` files and passes the descriptors; the runtime joins by writing `0` to them, which works
from inside any namespace and without any path.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Protocol

MIB: Final = 1 << 20
CPU_PERIOD_US: Final = 20_000
# A share so small that its quota would be under the kernel's least (1 ms) gets a longer period instead.
LEAST_QUOTA_US: Final = 1_000


@dataclass(frozen=True)
class GroupLimits:
    """The numbers of a group. `tmp_bytes`: what of /tmp is tmpfs and so is charged to the group beside the memory."""

    memory_bytes: int
    tmp_bytes: int
    processes: int


@dataclass(frozen=True)
class Enforced:
    """Which limits a parent's groups hold, each by what; what is None is left to the watchdog."""

    memory: str | None = None
    cpu: str | None = None
    processes: str | None = None
    counts_cpu: bool = False


@dataclass(frozen=True)
class MemoryNow:
    """Bytes charged to a group. held: anonymous and shared memory and tmpfs; file: page cache."""

    held: int
    file: int


class Group(Protocol):
    """One group. After `remove()` nothing else may be called."""

    name: str

    def configure(self, limits: GroupLimits) -> None:
        """Set memory and processes; CPU is full until `set_cpu`."""

    def set_memory(self, limits: GroupLimits) -> None:
        """Change the memory limit alone."""

    def set_cpu(self, share: float | None) -> None:
        """Share of one vCPU (may be over 1); None: all there is."""

    def procs_names(self) -> list[str]:
        """What `open_procs()` opens, in its order."""

    def open_procs(self) -> list[int]:
        """Fresh descriptors for joining; the caller closes them."""

    def memory_peak(self) -> int:
        """The most bytes ever charged, page cache and tmpfs too. A few microseconds."""

    def forget_peak(self) -> None:
        """Count `memory_peak` anew from here, where the kernel lets us."""

    def memory_now(self) -> MemoryNow:
        """What the group holds now, by kind (some 50 us). OSError when the group is gone."""

    def kernel_memory(self) -> int:
        """What of `memory_peak` was the kernel's own (stacks, page tables); what is now, where that isn't kept."""

    def cpu_ns(self) -> int:
        """CPU time used so far, of the dead too. A few microseconds."""

    def oom_kills(self) -> int:
        """How often the kernel killed here for memory."""

    def kill(self, spare: frozenset[int] = frozenset()) -> bool:
        """Kill all members once or, where the kernel can, for good; True when none is left."""

    def remove(self) -> bool:
        """Remove the group; False when it is still busy: try again later. One that is gone counts as removed."""

    def close(self) -> None:
        """Close the descriptors and leave the group where it is."""


class Parent(Protocol):
    """Where groups are made."""

    enforced: Enforced

    def paths(self) -> dict[str, str]:
        """Hierarchy -> folder of the executor's own group of groups, for the watchdog and the sweep."""

    def create(self, name: str) -> Group:
        """Make a group."""

    def close(self) -> None:
        """Remove the executor's own folder, when it is empty."""


def quota(share: float | None) -> tuple[int | None, int]:
    """(quota, period) in microseconds for a share of one vCPU; quota None: no limit.

    20 ms: with 100 ms a short handler runs free within its first period, with 10 ms the kernel's rounding is far off.
    """
    if share is None:
        return None, CPU_PERIOD_US
    us = round(share * CPU_PERIOD_US)
    if us >= LEAST_QUOTA_US:
        return us, CPU_PERIOD_US
    return LEAST_QUOTA_US, min(1_000_000, round(LEAST_QUOTA_US / share))


def write_file(path: str, value: str) -> None:
    """Write one value to a control file. OSError is the kernel's answer."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def read_keyed(text: bytes) -> dict[str, int]:
    """`name value` lines (memory.stat, cpu.stat, memory.events) as a dict."""
    return {name.decode(): int(value) for name, value in (line.split() for line in text.splitlines() if line)}
