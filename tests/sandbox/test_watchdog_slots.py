"""A slot of the watchdog's table is one environment's after another's: the next one is watched from its start."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from sandbox_rig import CAPABILITIES

from lambdanb.sandbox import tree, watch_table
from lambdanb.sandbox.cgroup import MIB, GroupLimits
from lambdanb.sandbox.cgroup_v1 import V1Group, V1Parent
from lambdanb.sandbox.watch_table import WatchTable
from lambdanb.sandbox.watchdog import Watchdog

pytestmark = pytest.mark.skipif(CAPABILITIES.cgroup != "v1", reason="no cgroup v1 for this user")


@pytest.fixture
def parent() -> Iterator[V1Parent]:
    one = V1Parent(f"test-slots-{os.getpid()}", CAPABILITIES.cgroup_dirs)
    yield one
    one.close()


def begin(table: WatchTable, group: V1Group, pid: int) -> int:
    """As a sandbox whose runtime has just started."""
    slot = table.take_slot(group.name, group.name)
    assert slot is not None
    started = tree.start_time(pid)
    assert started is not None
    for word, value in {
        watch_table.WATCH: watch_table.WATCH_CGROUP_MEMORY,
        watch_table.MEMORY_BYTES: 128 * MIB,
        watch_table.RUNTIME_START: started,
        watch_table.RUNTIME_PID: pid,
    }.items():
        table.words[table.base(slot) + word] = value
    table.memory[table.state_at(slot)] = watch_table.BUSY
    return slot


def test_at_once_though_the_group_before_lingers(parent: V1Parent) -> None:
    """A group that is removed tells so. One that can't be removed yet is quiet, though nothing is well."""
    memory, wake = watch_table.create_memory(), os.eventfd(0)
    lifeline, lifeline_end = os.pipe()
    table, watchdog = WatchTable(memory), Watchdog(memory, wake, lifeline)
    watchdog.leftovers.groups, watchdog.leftovers.version = parent.paths(), "v1"
    groups = [parent.create("environment-1"), parent.create("environment-2")]
    try:
        for group in groups:
            group.configure(GroupLimits(128 * MIB, 0, 10))
        slot = begin(table, groups[0], os.getpid())
        now_s = time.monotonic()
        watchdog._step_all(now_s)
        assert watchdog._watched[slot].runtime_pid == os.getpid()
        table.free_slot(slot)
        assert begin(table, groups[1], os.getppid()) == slot
        os.eventfd_write(wake, 1)
        assert watchdog._wait(0.0)
        watchdog._step_all(now_s + 0.001)
        assert watchdog._watched[slot].runtime_pid == os.getppid()
        watchdog._watched[slot].close()
    finally:
        for group in groups:
            group.close()
            group.remove()
        for descriptor in (memory, wake, lifeline, lifeline_end):
            os.close(descriptor)
