"""The sandbox of an execution environment, as the executor holds it: limits set, usage read, everything ended.

`Sandboxes` makes them with the best mechanisms of this machine (probe.py): cgroups where they may be made, the watchdog
process for what is left. What happens inside the environment's own processes (namespaces, rlimits, seccomp) is told to
them by `Sandbox.ahead` and `Sandbox.own`, plain dicts that child.py obeys.

An environment is an *init* process and, below it, a *runtime* process that runs the function. Only the runtime and its
children are limited; init is outside, holds /tmp and survives.

    sandbox = sandboxes.create(...)          before the zygote forks init
    sandbox.after_start(init_pid)            init has announced itself
    sandbox.runtime_started(pid, rss)        so has the runtime: limits are in force, the CPU is full
    sandbox.invoke_phase()                   init code is done: the share of CPU that the memory buys
    sandbox.busy(), begin() ... usage(), idle()      for each event: a few microseconds in all
    sandbox.ending()                         before init is asked to end the runtime (timeout), so that it dies at once
    sandbox.destroy()
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lambdanb.sandbox import child_spec, tmp_quota, tree, watch_table
from lambdanb.sandbox.cgroup import MIB, Group, GroupLimits, Parent
from lambdanb.sandbox.cgroup_v1 import V1Parent
from lambdanb.sandbox.cgroup_v2 import V2Parent
from lambdanb.sandbox.connections import ConnectionLimit
from lambdanb.sandbox.identity import own_id
from lambdanb.sandbox.probe import Capabilities
from lambdanb.sandbox.watchdog_start import Watchdog

# A process needs a few pages to be able to do anything, even to say that it has too little.
_LEAST_MEMORY_BYTES: Final = 4 * MIB
_READY_GROUPS: Final = 4
_KILL_TIMEOUT_S: Final = 0.02


class Sandboxes:
    """Makes sandboxes for one executor, and keeps a few cgroups ready, since making one costs 0.3 ms."""

    def __init__(
        self, capabilities: Capabilities, directory: Path, watchdog: Watchdog | None, executor_id: str | None = None
    ) -> None:
        """directory: for the environments' temporary folders, where /tmp can't be a tmpfs (made when it is needed).

        executor_id: names the cgroups; by default `own_id()`, by which sweep.py can tell whether it still lives.
        Without a watchdog the limits that only it can hold are not held.
        """
        self.capabilities = capabilities
        self.directory = directory
        self.watchdog = watchdog
        self.executor_id = executor_id or own_id()
        self.parent: Parent | None = None
        self._ready: list[Group] = []
        self._made = 0
        self._leaving: list[Group] = []
        with contextlib.suppress(OSError):  # then the watchdog polls
            if capabilities.cgroup == "v1":
                self.parent = V1Parent(self.executor_id, capabilities.cgroup_dirs)
            elif capabilities.cgroup == "v2":
                self.parent = V2Parent(self.executor_id, capabilities.cgroup_dirs)
        if watchdog is not None:
            folders = self.parent.paths() if self.parent is not None else {}
            watchdog.tell({"cgroups": folders, "version": capabilities.cgroup, "directory": str(directory)}, keep=True)
            watchdog.remove_at_end(directory)
        self.refill()

    def create(
        self,
        environment_id: str,
        *,
        memory_mb: int,
        tmp_mb: int,
        processes: int,
        files: int,
        connections: int | None,
        cpu_share: float,
        task_dir: str,
        readable: Sequence[str],
        template: bool = False,
    ) -> Sandbox:
        """A sandbox for an environment that is about to be forked.

        cpu_share: in vCPUs, over 1 too. connections: how many outbound ones at a time; None: any number.
        readable: files and folders that the function may read beside the system's. Raises OSError when neither a
        temporary folder nor a descriptor is to be had.
        """
        tmp_dir = None
        if not self.capabilities.namespaces:
            tmp_dir = self.directory / environment_id
            tmp_dir.mkdir(parents=True, mode=0o700)
        group = None if self.parent is None else self._take_group()
        first = self.ahead(task_dir, readable, template=template)
        own = child_spec.own(
            self.capabilities,
            first,
            memory_mb=memory_mb,
            tmp_mb=tmp_mb,
            processes=processes,
            files=files,
            connections=connections,
            task_dir=task_dir,
            fds=[] if group is None else group.procs_names(),
            tmp_dir=None if tmp_dir is None else str(tmp_dir),
        )
        sandbox = Sandbox(
            self,
            environment_id,
            group,
            first,
            own,
            tmp_dir,
            GroupLimits(memory_mb * MIB, 0 if tmp_dir else tmp_mb * MIB, processes),
            tmp_bytes=tmp_mb * MIB,
            connections=connections,
            cpu_share=cpu_share,
        )
        return sandbox

    def ahead(self, task_dir: str, readable: Sequence[str], *, template: bool = False) -> dict[str, Any]:
        """What an init is told that may become this sandbox's, or any other's with equal instructions."""
        code_dir = os.path.dirname(task_dir)
        return child_spec.ahead(self.capabilities, code_dir=code_dir, readable=readable, template=template)

    def refill(self) -> None:
        """Make cgroups ahead; to be called when there is time, after environments have begun or ended.

        Also tries again to remove those that were still busy.
        """
        self._leaving = [group for group in self._leaving if not group.remove()]
        with contextlib.suppress(OSError):
            while self.parent is not None and len(self._ready) < _READY_GROUPS:
                self._ready.append(self._make_group())

    def close(self) -> None:
        """Remove what is left of the cgroups and the temporary folder; the environments must have been destroyed."""
        deadline = time.monotonic() + 0.5
        leaving = self._ready + self._leaving
        while leaving and time.monotonic() < deadline:
            for group in leaving:
                group.kill()
            leaving = [group for group in leaving if not group.remove()]
            if leaving:
                time.sleep(0.001)
        self._ready, self._leaving = [], []
        if self.parent is not None:
            self.parent.close()
            self.parent = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _take_group(self) -> Group:
        return self._ready.pop() if self._ready else self._make_group()

    def _make_group(self) -> Group:
        assert self.parent is not None
        self._made += 1
        return self.parent.create(f"environment-{self._made}")

    def give_back(self, group: Group | None, folder: Path | None) -> None:
        """Take over what a destroyed sandbox held: removing it may take longer than its caller should wait."""
        if group is not None and not group.remove():
            self._leaving.append(group)
        if folder is None:
            return
        if self.watchdog is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self.watchdog.tell({"remove": str(folder)})


class Sandbox:
    """The sandbox of one environment. Made by `Sandboxes.create`."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        environment_id: str,
        group: Group | None,
        ahead: dict[str, Any],
        own: dict[str, Any],
        folder: Path | None,
        limits: GroupLimits,
        *,
        tmp_bytes: int,
        connections: int | None,
        cpu_share: float,
    ) -> None:
        self.environment_id = environment_id
        self.ahead = ahead
        self.own = own
        self._child_fds: list[int] = []
        self.poll_fds: dict[int, ConnectionLimit] = {}
        self.shared_bytes = 0
        self.limits = limits
        self._sandboxes = sandboxes
        self._group = group
        self._folder = folder
        self._connections = connections
        self._cpu_share = cpu_share
        self._init: tuple[int, int] | None = None
        self._runtime: tuple[int, int] | None = None
        self._oom_kills = 0
        self._peak = self._measured = self._max_memory = 0
        self._destroyed = False
        self._cpu_clock = 0
        self._cpu_at_begin = 0
        # What the groups can't do is the watchdog's.
        enforced = sandboxes.parent.enforced if sandboxes.parent is not None and group is not None else None
        self._memory_by_group = enforced is not None and enforced.memory is not None
        self._cpu_by_group = enforced is not None and enforced.cpu is not None
        counts_cpu = enforced is not None and enforced.counts_cpu
        # Bound once: these are called for every event.
        self._read_cpu = group.cpu_ns if group is not None and counts_cpu else self._cpu_ns
        self._read_peak = group.memory_peak if group is not None else int
        processes_held = _counts_by_namespace(sandboxes.capabilities)
        processes_held |= enforced is not None and enforced.processes is not None
        watch = watch_table.WATCH_CGROUP_MEMORY if self._memory_by_group else watch_table.WATCH_MEMORY
        watch |= 0 if self._cpu_by_group else watch_table.WATCH_CPU
        watch |= 0 if processes_held else watch_table.WATCH_PROCESSES
        watch |= 0 if folder is None else watch_table.WATCH_TMP
        self._watchdog = sandboxes.watchdog
        self._table = self._watchdog.table if self._watchdog is not None else None
        slot = None
        if self._table is not None:
            slot = self._table.take_slot(environment_id, "" if group is None else group.name)
        self._slot = slot
        self._state_at = watch_table.WatchTable.state_at(slot) if slot is not None else -1
        self._base = watch_table.WatchTable.base(slot) if slot is not None else -1
        self._store(watch_table.WATCH, watch)
        self._store(watch_table.MEMORY_BYTES, limits.memory_bytes)
        self._store(watch_table.TMP_BYTES, tmp_bytes)
        self._store(watch_table.PROCESS_LIMIT, limits.processes)
        if group is not None:
            group.configure(limits)

    def _store(self, word: int, value: int) -> None:
        if self._table is not None and self._base >= 0:
            self._table.words[self._base + word] = value

    def _load(self, word: int) -> int:
        return int(self._table.words[self._base + word]) if self._table is not None and self._base >= 0 else 0

    # Starting ------------------------------------------------------------------------------------------------------

    def after_start(self, init_pid: int) -> None:
        """Init runs; `init_pid` in the executor's own numbers."""
        started = tree.start_time(init_pid)
        if started is not None:
            self._init = (init_pid, started)
            self._store(watch_table.INIT_START, started)
            self._store(watch_table.INIT_PID, init_pid)

    def runtime_started(self, runtime_pid: int, shared_bytes: int) -> None:
        """The runtime runs. `shared_bytes`: resident at its fork, which the kernel charges to the zygote, not to it."""
        started = tree.start_time(runtime_pid)
        self._close_child_fds()
        if started is None:
            return
        if self._runtime is not None:
            self._forget_peak()
        self._runtime = (runtime_pid, started)
        self.shared_bytes = min(shared_bytes, self.limits.memory_bytes - _LEAST_MEMORY_BYTES)
        self._cpu_clock = (~runtime_pid << 3) | 2
        self._store(watch_table.SHARED_BYTES, self.shared_bytes)
        self._store(watch_table.CPU_NS, 0)
        self._store(watch_table.ENDING, 0)
        self._store(watch_table.RUNTIME_START, started)
        self._store(watch_table.RUNTIME_PID, runtime_pid)
        if self._group is not None:
            limits = self.limits
            own = limits.memory_bytes - self.shared_bytes
            with contextlib.suppress(OSError):
                self._group.set_memory(GroupLimits(own, limits.tmp_bytes, limits.processes))
            self._oom_kills = self._group.oom_kills()
        self.busy()
        if self._watchdog is not None:
            self._watchdog.wake()

    def _forget_peak(self) -> None:
        """A fresh runtime hasn't used what the one before it did, perhaps to its death."""
        self._peak = self._measured = self._max_memory = 0
        self._store(watch_table.PEAK_BYTES, 0)
        if self._memory_by_group and self._group is not None:
            with contextlib.suppress(OSError):
                self._group.forget_peak()

    @property
    def child(self) -> dict[str, Any]:
        """The whole of what its processes are told."""
        return self.ahead | self.own

    @property
    def child_fds(self) -> list[int]:
        """Descriptors to pass to init with each start of a runtime, named by `own["fds"]`; closed once it runs."""
        if not self._child_fds and self._group is not None:
            self._child_fds = self._group.open_procs()
        return self._child_fds

    def _close_child_fds(self) -> None:
        for fd in self._child_fds:
            os.close(fd)
        self._child_fds = []

    def add_listener(self, fd: int) -> None:
        """The descriptor of the runtime's seccomp filter: connections are decided here, on this loop (`poll_fds`)."""
        if self._connections is None:
            os.close(fd)
            return
        self.poll_fds[fd] = ConnectionLimit(fd, self._connections, self._processes)

    def _processes(self) -> list[int]:
        return [] if self._init is None else tree.descendants(self._init[0])

    def on_readable(self, fd: int) -> str | None:
        """Serve a descriptor of `poll_fds` that is readable; "closed" when it must be watched no more."""
        supervisor = self.poll_fds.get(fd)
        if supervisor is None:
            return "closed"
        if supervisor.on_readable():
            return None
        del self.poll_fds[fd]
        supervisor.close()
        return "closed"

    # CPU and the hints -----------------------------------------------------------------------------------------------

    def init_phase(self) -> None:
        """All the CPU there is, as on Lambda; also the start of a fresh runtime."""
        self._set_cpu(None)

    def invoke_phase(self) -> None:
        """From here on the share of CPU that the memory buys."""
        self._set_cpu(self._cpu_share)
        self.idle()

    def ending(self) -> None:
        """The runtime is about to be ended, by init or otherwise.

        A process needs CPU to die: with its share alone a throttled tree takes 100 to 170 ms, with all the CPU 3 to 6.
        """
        if self._runtime is not None:
            self._store(watch_table.ENDING, self._runtime[0])
        self._set_cpu(None)

    def _set_cpu(self, share: float | None) -> None:
        if self._cpu_by_group and self._group is not None:
            with contextlib.suppress(OSError):
                self._group.set_cpu(share)
        self._store(watch_table.CPU_PPM, 0 if share is None else max(1, round(share * 1e6)))

    def busy(self) -> None:
        """An event is about to be handled."""
        table = self._table
        if table is not None and self._state_at >= 0:
            table.memory[self._state_at] = watch_table.BUSY
            if table.words[watch_table.PARKED]:
                self._watchdog.wake()  # type: ignore[union-attr]

    def idle(self) -> None:
        """The event is done."""
        if self._table is not None and self._state_at >= 0:
            self._table.memory[self._state_at] = watch_table.IDLE

    # Usage
    # -------------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Count CPU time from here."""
        self._cpu_at_begin = self._read_cpu()

    def usage(self, max_rss_bytes: int = 0) -> tuple[int, int]:
        """(Max Memory Used in bytes, CPU time in ns since the last call, or `begin()`).

        Max Memory Used is the environment's so far, as AWS reports it for a reused environment; it counts the whole
        tree and leaves out /tmp and the page cache. `max_rss_bytes`: the runtime's own ru_maxrss, which catches what a
        poll misses. CPU time counts children too where there is a cgroup or the watchdog counts; else only the runtime
        process.
        """
        self._note_memory(max_rss_bytes)
        before, self._cpu_at_begin = self._cpu_at_begin, self._read_cpu()
        return self._max_memory, self._cpu_at_begin - before

    def _note_memory(self, max_rss_bytes: int) -> None:
        if self._memory_by_group:
            peak = self._read_peak()
            if peak > self._peak:
                self._peak = peak
                self._measured = self._held_of(peak)
            held = max(self._measured, self._load(watch_table.PEAK_BYTES)) + self.shared_bytes
        else:
            held = max(self._load(watch_table.PEAK_BYTES), self.shared_bytes)
        self._max_memory = max(self._max_memory, held, max_rss_bytes)

    def _cpu_ns(self) -> int:
        if not self._cpu_clock:
            return 0
        try:
            own = time.clock_gettime_ns(self._cpu_clock)
        except OSError:
            own = 0
        return max(own, self._load(watch_table.CPU_NS))

    def _held_of(self, peak: int) -> int:
        """What of a peak was neither the kernel's own, page cache nor /tmp. Only called when there is a new peak."""
        if self._group is None:
            return self._measured
        try:
            now = self._group.memory_now()
        except OSError:
            return self._measured
        tmp = 0
        if self.limits.tmp_bytes and self._runtime is not None:
            seen = tmp_quota.mounted_bytes(self._init[0] if self._init else 0, self._runtime[0])
            tmp = max(self._load(watch_table.TMP_PEAK_BYTES), seen or 0)
        # A bound, for those are known as they are by now: above the limit, only what the watchdog saw counts.
        most = min(peak - now.file - tmp - self._group.kernel_memory(), self.limits.memory_bytes - self.shared_bytes)
        return max(self._measured, most, now.held - tmp)

    # The end
    # -----------------------------------------------------------------------------------------------------------

    @property
    def out_of_memory(self) -> bool:
        """Whether the last runtime's death was the memory limit's doing: the watchdog's or the kernel's."""
        if self._runtime is not None and self._load(watch_table.OUT_OF_MEMORY) == self._runtime[0]:
            return True
        return self._memory_by_group and self._group is not None and self._group.oom_kills() > self._oom_kills

    def runtime_lives(self) -> bool:
        """Whether the last runtime still runs."""
        return self._runtime is not None and tree.is_alive(*self._runtime)

    def kill(self) -> None:
        """End every process of the environment but init, for when init can't."""
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        spare = frozenset() if self._init is None else frozenset({self._init[0]})
        while True:
            done = self._group is None or self._group.kill(spare)
            if self._init is not None and tree.is_alive(*self._init):
                done &= tree.end_descendants(self._init[0], timeout_s=_KILL_TIMEOUT_S)
            if self._runtime is not None and tree.is_alive(*self._runtime):
                tree.send_signal([*tree.descendants(self._runtime[0]), self._runtime[0]], signal.SIGKILL)
                done = False
            if done or time.monotonic() > deadline:
                return
            time.sleep(0.0003)

    def destroy(self) -> None:
        """End everything, init too, and give back what was held. Never raises; may be called again; at most 50 ms."""
        if self._destroyed:
            return
        self._destroyed = True
        for step in (self._close_child_fds, self._end_processes, self._close_supervisors, self._give_back):
            with contextlib.suppress(OSError):
                step()

    def _end_processes(self) -> None:
        if self._init is None:
            self.kill()
            return
        pid, _ = self._init
        self.ending()
        if self._sandboxes.capabilities.namespaces and tree.is_alive(*self._init):
            os.kill(pid, signal.SIGKILL)  # the first process of a PID namespace takes all others with it
            if self._group is not None:
                self._group.kill()
            return
        self.kill()
        if tree.is_alive(*self._init):
            os.kill(pid, signal.SIGKILL)

    def _close_supervisors(self) -> None:
        for supervisor in self.poll_fds.values():
            supervisor.close()
        self.poll_fds.clear()

    def _give_back(self) -> None:
        # What was used may be asked for yet, to report on what was destroyed.
        self._note_memory(0)
        used_ns = self._read_cpu()
        self._read_cpu = lambda: used_ns
        if self._table is not None and self._slot is not None:
            self._table.free_slot(self._slot)
            self._slot, self._state_at, self._base = None, -1, -1
        group, self._group = self._group, None
        if group is not None:
            group.close()
        self._sandboxes.give_back(group, self._folder)


def _counts_by_namespace(capabilities: Capabilities) -> bool:
    # RLIMIT_NPROC: per environment inside a user namespace of its own, but never for the root of the machine.
    return capabilities.namespaces and capabilities.uid != 0
