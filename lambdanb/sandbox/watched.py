"""One environment as the watchdog sees it: which of its limits are the watchdog's to hold, and the next time to look.

Only the runtime and what it started is ever stopped or ended, never init: after an end it is init that clears up what
is left and starts a fresh runtime. So ending means to kill once what is there now. To repeat until nothing is left
would hit the fresh runtime.
"""

from __future__ import annotations

import os
import signal
from typing import Final, Protocol

from lambdanb.sandbox import cgroup_v1, cgroup_v2, memory_watch, tmp_quota, tree
from lambdanb.sandbox import watch_table as table_words
from lambdanb.sandbox.cgroup_memory import CgroupMemory
from lambdanb.sandbox.cpu_share import TokenBucket, TreeClock
from lambdanb.sandbox.watch_table import WATCH_TMP, WatchTable

SCAN_S: Final = 0.010
# A short handler must not slip through between two looks.
CPU_LOOK_S: Final = 0.002
TMP_LOOK_S: Final = 0.050
EXACT_S: Final = 0.050
_CPUS: Final = os.cpu_count() or 1


class Place(Protocol):
    """Where the executor's things are."""

    groups: dict[str, str]
    version: str | None
    directory: str


class Watched:
    """The runtime of one environment: made when it is first seen busy, dropped when another has taken its place."""

    def __init__(self, table: WatchTable, slot: int, place: Place, now_s: float) -> None:
        """Begin with the runtime that the slot names now. OSError: its cgroup is gone."""
        self.slot = slot
        self.due_s = now_s
        self.active_s = now_s
        self._words = table.words
        self._base = table.base(slot)
        self.generation = self._load(table_words.GENERATION)
        self.init_pid = self._load(table_words.INIT_PID)
        self.runtime_pid = self._load(table_words.RUNTIME_PID)
        self.runtime_start = self._load(table_words.RUNTIME_START)
        self._watch = self._load(table_words.WATCH)
        self._limit_bytes = self._load(table_words.MEMORY_BYTES)
        self._shared_bytes = self._load(table_words.SHARED_BYTES)
        self._tmp_bytes = self._load(table_words.TMP_BYTES)
        self._pids = [self.runtime_pid]
        self._threads = 1
        self._scan_due_s = self._tmp_due_s = self._exact_due_s = now_s
        self._clock = TreeClock()
        self._clock.resume_at(self._load(table_words.CPU_NS), self._pids)
        self._bucket: TokenBucket | None = None
        self._stopped: list[int] = []
        self._turn = 0
        # A runtime that starts with /tmp too full is let be until it has cleared it: else none could ever start again.
        self._was_over_tmp = self._load(table_words.OVER_TMP) != 0
        self._tmp_folder = f"{place.directory}/{table.environment_id(slot)}"
        group_name = table.group_name(slot)
        self._folders = {name: f"{folder}/{group_name}" for name, folder in place.groups.items()} if group_name else {}
        self.memory: CgroupMemory | None = None
        if self._watch & table_words.WATCH_CGROUP_MEMORY and place.version is not None:
            plain_tmp = self._watch & WATCH_TMP
            self.memory = CgroupMemory(
                place.version,
                self._folders.get("memory") or self._folders["unified"],
                self._limit_bytes - self._shared_bytes,
                0 if plain_tmp else self._tmp_bytes,
            )

    def _load(self, word: int) -> int:
        return int(self._words[self._base + word])

    def _store(self, word: int, value: int) -> None:
        self._words[self._base + word] = value

    def is_current(self) -> bool:
        """Whether the slot is still about this runtime."""
        return self._load(table_words.GENERATION) == self.generation and (
            self._load(table_words.RUNTIME_PID) == self.runtime_pid
        )

    def step(self, now_s: float) -> None:
        """Look, act, and set `due_s`, the time to look again."""
        self.due_s = now_s + SCAN_S
        if self.memory is not None:
            self._look_at_group(self.memory, now_s)
        if self._watch & ~table_words.WATCH_CGROUP_MEMORY == 0:
            return
        if now_s >= self._scan_due_s:
            self._scan_due_s = now_s + SCAN_S
            self._scan()
            if self._watch & table_words.WATCH_MEMORY:
                self._look_at_memory(now_s)
            if self._watch & table_words.WATCH_PROCESSES and self._too_many():
                self._store(table_words.OVER_PROCESSES, self.runtime_pid)
                self._end()
        if self._watch & WATCH_TMP and now_s >= self._tmp_due_s:
            self._tmp_due_s = now_s + TMP_LOOK_S
            self._look_at_tmp()
        if self._watch & table_words.WATCH_CPU:
            self._look_at_cpu(now_s)

    def _scan(self) -> None:
        self._pids = self._tree()
        self._threads = sum(map(tree.thread_count, self._pids))
        if self._watch & table_words.WATCH_CPU:
            self._clock.count_ended([*self._pids, self.init_pid] if self.init_pid else self._pids)

    def _too_many(self) -> bool:
        return self._threads > self._load(table_words.PROCESS_LIMIT) and self._lives()

    # CPU -----------------------------------------------------------------------------------------------------------

    def _look_at_cpu(self, now_s: float) -> None:
        self._store(table_words.CPU_NS, self._clock.read(self._pids))
        ppm = self._load(table_words.CPU_PPM)
        if not ppm:  # init: all there is
            self._bucket = None
            self._go_on()
            self.due_s = min(self.due_s, now_s + CPU_LOOK_S)
            return
        cpu_s = self._clock.total_ns / 1e9
        if self._bucket is None:
            self._bucket = TokenBucket(now_s, cpu_s)
        was_stopped = self._bucket.stopped
        wait_s = self._bucket.step(now_s, cpu_s, ppm / 1e6, min(self._threads, _CPUS) or 1)
        if self._bucket.stopped:
            self._stop()
        elif was_stopped and not self._bucket.stopped:
            self._go_on()
        self.due_s = min(self.due_s, now_s + (wait_s if self._bucket.stopped else min(wait_s, CPU_LOOK_S)))

    def _stop(self) -> None:
        """Stop all, and those too that were born while the others were being stopped; at each look until they go on."""
        for _ in range(4):
            self._pids = self._tree()
            fresh = [pid for pid in self._pids if pid not in self._stopped]
            if not fresh:
                return
            tree.send_signal(fresh, signal.SIGSTOP)
            self._stopped += fresh

    def _tree(self) -> list[int]:
        if self.init_pid:
            return tree.descendants(self.init_pid)
        return [self.runtime_pid, *tree.descendants(self.runtime_pid)]

    def _go_on(self) -> None:
        # Another one first each time, so that none starves at the end of the line.
        self._turn += 1
        first = self._turn % (len(self._stopped) or 1)
        tree.send_signal(self._stopped[first:] + self._stopped[:first], signal.SIGCONT)
        self._stopped = []

    # Memory ----------------------------------------------------------------------------------------------------------

    def _look_at_memory(self, now_s: float) -> None:
        shm = memory_watch.shm_bytes(self.runtime_pid)
        resident = memory_watch.resident_bytes(self._pids) + shm
        peak = self._load(table_words.PEAK_BYTES)
        if resident <= self._limit_bytes and len(self._pids) == 1 and not shm:
            if resident > peak:
                self._store(table_words.PEAK_BYTES, resident)
            return
        if resident <= self._limit_bytes and (resident <= peak or now_s < self._exact_due_s):
            return
        self._exact_due_s = now_s + EXACT_S
        held = memory_watch.held_bytes([self.runtime_pid, *(set(self._pids) - {self.runtime_pid})], self._shared_bytes)
        if held > peak:
            self._store(table_words.PEAK_BYTES, held)
        if held > self._limit_bytes:
            self._end_for_memory()

    def _look_at_group(self, memory: CgroupMemory, now_s: float) -> None:
        tmp_used = 0 if self._watch & WATCH_TMP else tmp_quota.mounted_bytes(self.init_pid, self.runtime_pid)
        if tmp_used is None:
            return  # it is ending, and without /tmp's part what is left can't be judged
        try:
            over, wait_s = memory.look(tmp_used)
        except OSError:  # the group is gone, and the environment with it
            return
        self._store(table_words.PEAK_BYTES, max(self._load(table_words.PEAK_BYTES), memory.peak_bytes))
        self._store(table_words.TMP_PEAK_BYTES, max(self._load(table_words.TMP_PEAK_BYTES), memory.tmp_peak_bytes))
        self.due_s = min(self.due_s, now_s + wait_s)
        if over:
            self._end_for_memory()

    def _end_for_memory(self) -> None:
        if self._lives():
            self._store(table_words.OUT_OF_MEMORY, self.runtime_pid)  # before the end can be noticed
            self._end()

    # /tmp
    # --------------------------------------------------------------------------------------------------------------

    def _look_at_tmp(self) -> None:
        used = tmp_quota.folder_bytes(self._tmp_folder, self._tmp_bytes)
        if used > self._load(table_words.TMP_PEAK_BYTES):
            self._store(table_words.TMP_PEAK_BYTES, used)
        if used <= self._tmp_bytes:
            self._was_over_tmp = False
        elif not self._was_over_tmp and self._lives():
            self._was_over_tmp = True
            self._store(table_words.OVER_TMP, self.runtime_pid)
            self._end()

    # The end
    # -------------------------------------------------------------------------------------------------------------

    def _lives(self) -> bool:
        return self.is_current() and tree.is_alive(self.runtime_pid, self.runtime_start)

    def _end(self) -> None:
        """Kill the runtime and all that it started, once; the rest is init's."""
        if "unified" in self._folders:
            cgroup_v2.lift_cpu(self._folders["unified"])
        else:
            cgroup_v1.lift_cpu(self._folders)
        found = self._tree()
        found += [pid for folder in set(self._folders.values()) for pid in cgroup_v1.members(folder)]
        tree.send_signal(dict.fromkeys([*found, self.runtime_pid]), signal.SIGKILL)

    def resting(self) -> bool:
        """Whether the tree has used no CPU to speak of since the last call."""
        before_ns = self._clock.total_ns
        return self._clock.read(self._pids) - before_ns < 1_000_000

    def close(self) -> None:
        """Let it go on, if it was stopped, and close descriptors."""
        self._go_on()
        if self.memory is not None:
            self.memory.close()
            self.memory = None
