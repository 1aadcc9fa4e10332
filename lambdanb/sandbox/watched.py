"""One environment as the watchdog sees it: which of its limits are the watchdog's to hold, and the next time to look.

Only the runtime and what it started is ever stopped or ended, never init: after an end it is init that clears up what
is left and starts a fresh runtime. So ending means to kill once what is there now. To repeat until nothing is left
would hit the fresh runtime.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from typing import Final, Protocol

from lambdanb.sandbox import cgroup_v1, cgroup_v2, memory_watch, tmp_quota, tree
from lambdanb.sandbox import watch_table as table_words
from lambdanb.sandbox.cgroup_memory import POLL_S, CgroupMemory
from lambdanb.sandbox.cpu_share import TokenBucket, TreeClock
from lambdanb.sandbox.lone import Lone
from lambdanb.sandbox.watch_table import WATCH_TMP, WatchTable

# All looks fall on one grid, so that many environments are looked at in one go. (The watchdog makes it coarser when
# there are many; what a late look let slip is made good for, as the CPU's tokens are counted on.)
TICK_S: Final = 0.002
# A process that has used no CPU since it was looked at has neither forked nor touched memory, and this little doesn't
# matter: its clock, read in 0.5 us, is all that is looked at.
STILL_NS: Final = 300_000
# One that has waited for long is looked at less often, until it has a new event.
WAITING_S: Final = 0.020
WAITING_TICKS: Final = 3
# Else its processes, threads and memory are, 10 ms after the last time. A process without company is asked first
# whether it still has none, in 10 us (lone.py), which is trusted for a while, or left for this much CPU, or 100 ms.
SCAN_CPU_NS: Final = 2_000_000
SCAN_S: Final = 0.010
SCAN_LAZY_S: Final = 0.100
SCAN_WHOLE_S: Final = 1.0
# A look at a tree of a thousand takes 50 to 200 ms: looks take at most a quarter of the watchdog's time, so that they
# don't hold the tree up.
PAUSE_TIMES: Final = 3
# While init code runs: whether its CPU is limited by now.
CPU_LOOK_S: Final = 0.002
TMP_LOOK_S: Final = 0.050
EXACT_S: Final = 0.025
# An environment that has no event and uses more than 1 % of a CPU all the same isn't resting.
REST_S: Final = 1.0
REST_SHARE: Final = 0.01
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
        # Whether there is anything that no cgroup holds.
        self.looks_at_processes = self._watch & ~table_words.WATCH_CGROUP_MEMORY != 0
        self._limit_bytes = self._load(table_words.MEMORY_BYTES)
        self._shared_bytes = self._load(table_words.SHARED_BYTES)
        self._tmp_bytes = self._load(table_words.TMP_BYTES)
        self._pids = [self.runtime_pid]
        self._threads = 1
        self.busy = False
        self._stepped_s = now_s
        self._scanned_s = now_s - SCAN_LAZY_S
        self._tmp_due_s = self._exact_due_s = self._rest_from_s = self._scan_due_s = now_s
        self._scanned_ns = self._tmp_ns = -1
        self._rest_ns = 0
        self._clock = TreeClock()
        self._clock.resume_at(self._load(table_words.CPU_NS), self._pids)
        self._bucket: TokenBucket | None = None
        self._stopped: list[int] = []
        self._turn = 0
        self._clock_id = (~self.runtime_pid << 3) | 2
        self._still_ns = -1  # the runtime's clock, when nothing else is to be watched for a change
        self._still_until_s = now_s
        self._alone = False
        self._whole_s, self._whole_ns = now_s - SCAN_WHOLE_S, -1
        self._lone: Lone | None = None
        if self.looks_at_processes:
            with contextlib.suppress(OSError):
                self._lone = Lone(self.runtime_pid, self.init_pid)
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

    def _is_ending(self) -> bool:
        """Whether what is in the tree matters no more. A thousand take 0.3 s to die, 1 s while looked at."""
        return self._load(table_words.ENDING) == self.runtime_pid

    def still(self, now_s: float, tick_s: float) -> bool:
        """Whether nothing has happened since the last step, which then can be left out. 1 us, for most are still."""
        if now_s - self._rest_from_s >= REST_S:
            return False
        try:
            if not self.looks_at_processes:
                if self.memory is None or not self.memory.calm(now_s):
                    return False
                self.due_s = (int(now_s / POLL_S) + 1) * POLL_S
                return True
            if self._still_ns < 0 or now_s >= self._still_until_s:
                return False
            if time.clock_gettime_ns(self._clock_id) - self._still_ns > STILL_NS:
                return False
        except OSError:  # it has ended
            return False
        if now_s - self._stepped_s > WAITING_S:
            tick_s *= WAITING_TICKS
        self.due_s = (int(now_s / tick_s) + 1) * tick_s
        return True

    def begin(self, now_s: float) -> None:
        """It has an event: look again at the next tick, however long it had waited."""
        self.busy = True
        self._stepped_s = now_s
        if self.looks_at_processes:
            self.due_s = min(self.due_s, (int(now_s / TICK_S) + 1) * TICK_S)

    def step(self, now_s: float, tick_s: float) -> None:
        """Look, act, and set `due_s`, the time to look again."""
        self._stepped_s = now_s
        if self._is_ending():
            self._go_on()
            self.due_s = now_s + POLL_S
            return
        wait_s = POLL_S
        if self.memory is not None:
            wait_s = self._look_at_group(self.memory, now_s)
        if self.looks_at_processes:
            wait_s = min(wait_s, self._look_at_tree(now_s))
        # Rather early than late, but for those that are stopped: they are to go on, not to be looked at.
        tick_s = POLL_S if wait_s >= POLL_S else tick_s
        ticks = (now_s + wait_s) / tick_s
        due = math.ceil(ticks) if self._stopped else max(int(ticks), int(now_s / tick_s) + 1)
        self.due_s = due * tick_s

    def _look_at_tree(self, now_s: float) -> float:
        """Returns after how many seconds to look again."""
        used_ns = self._clock.read(self._pids)
        due = used_ns != self._scanned_ns and now_s - self._scanned_s >= SCAN_S and now_s >= self._scan_due_s
        if due or (used_ns != self._whole_ns and now_s - self._whole_s >= SCAN_WHOLE_S):
            self._look_at_processes(now_s, used_ns - self._scanned_ns)
        if self._watch & WATCH_TMP and now_s >= self._tmp_due_s and used_ns != self._tmp_ns:
            self._tmp_due_s = now_s + TMP_LOOK_S
            self._tmp_ns = used_ns
            self._look_at_tmp()
        wait_s = self._look_at_cpu(now_s) if self._watch & table_words.WATCH_CPU else SCAN_S
        # Alone, and under no limit that time alone would change: its clock tells all.
        alone = self._alone and len(self._pids) == 1 and self.memory is None
        limited = self._bucket is not None and not self._bucket.stopped
        self._still_ns = self._clock.last_ns(self.runtime_pid) if alone and limited else -1
        self._still_until_s = now_s + SCAN_LAZY_S
        return wait_s

    def _look_at_processes(self, now_s: float, fresh_ns: int) -> None:
        resident = None
        if self._alone and self._lone is not None:
            if now_s - self._whole_s < SCAN_WHOLE_S:
                resident = self._lone.resident_bytes()
        elif self._alone and fresh_ns < SCAN_CPU_NS and now_s - self._scanned_s < SCAN_LAZY_S:
            return
        self._scanned_s = now_s
        if resident is not None and fresh_ns < SCAN_CPU_NS and resident <= self._limit_bytes:
            self._scanned_ns = self._clock.total_ns
            if self._watch & table_words.WATCH_MEMORY and resident > self._load(table_words.PEAK_BYTES):
                self._store(table_words.PEAK_BYTES, resident)
            return
        if resident is None:
            began_s = time.monotonic()
            self._scan()
            self._whole_s, self._whole_ns = now_s, self._clock.total_ns
            self._scan_due_s = _pause(began_s)
        self._scanned_ns = self._clock.total_ns
        if self._watch & table_words.WATCH_MEMORY:
            self._look_at_memory(now_s)
        if self._watch & table_words.WATCH_PROCESSES and self._threads > self._load(table_words.PROCESS_LIMIT):
            self._end_for_processes()

    def _end_for_processes(self) -> None:
        if self._lives():
            self._store(table_words.OVER_PROCESSES, self.runtime_pid)
            self._end()

    def _scan(self) -> None:
        self._pids = self._tree()
        self._threads = sum(map(tree.thread_count, self._pids))
        self._alone = self._threads == 1 and len(self._pids) == 1
        if self._watch & table_words.WATCH_CPU:
            self._clock.count_ended([*self._pids, self.init_pid] if self.init_pid else self._pids)

    # CPU -----------------------------------------------------------------------------------------------------------

    def _look_at_cpu(self, now_s: float) -> float:
        self._store(table_words.CPU_NS, self._clock.total_ns)
        ppm = self._load(table_words.CPU_PPM)
        if not ppm:  # init: all there is
            self._bucket = None
            self._go_on()
            return CPU_LOOK_S
        cpu_s = self._clock.total_ns / 1e9
        if self._bucket is None:
            self._bucket = TokenBucket(now_s, cpu_s)
        was_stopped = self._bucket.stopped
        wait_s = self._bucket.step(now_s, cpu_s, ppm / 1e6, min(self._threads, _CPUS) or 1)
        if self._bucket.stopped:
            self._stop()
        elif was_stopped and not self._bucket.stopped:
            self._go_on()
        return wait_s

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
        if resident <= self._limit_bytes and resident <= peak:
            return
        if resident <= self._limit_bytes and now_s < self._exact_due_s:
            self._scanned_ns = -1  # put off, not done: look again though no CPU may be used meanwhile
            return
        began_s = time.monotonic()
        pids = [self.runtime_pid, *(set(self._pids) - {self.runtime_pid})]
        held = memory_watch.held_bytes(pids, self._shared_bytes, self._is_ending)
        if held is None:
            return
        self._exact_due_s = max(now_s + EXACT_S, _pause(began_s))
        if held > peak:
            self._store(table_words.PEAK_BYTES, held)
        if held > self._limit_bytes:
            self._end_for_memory()

    def _look_at_group(self, memory: CgroupMemory, now_s: float) -> float:
        """Returns after how many seconds to look again."""
        try:
            if memory.calm(now_s):
                return POLL_S
        except OSError:  # the group is gone, and the environment with it
            return POLL_S
        tmp_used = 0 if self._watch & WATCH_TMP else tmp_quota.mounted_bytes(self.init_pid, self.runtime_pid)
        if tmp_used is None:
            return POLL_S  # it is ending, and without /tmp's part what is left can't be judged
        try:
            over, wait_s = memory.look(tmp_used)
        except OSError:
            return POLL_S
        self._store(table_words.PEAK_BYTES, max(self._load(table_words.PEAK_BYTES), memory.peak_bytes))
        self._store(table_words.TMP_PEAK_BYTES, max(self._load(table_words.TMP_PEAK_BYTES), memory.tmp_peak_bytes))
        if over:
            self._end_for_memory()
        return wait_s

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
        self._store(table_words.ENDING, self.runtime_pid)
        found = self._tree()
        found += [pid for folder in set(self._folders.values()) for pid in cgroup_v1.members(folder)]
        tree.send_signal(dict.fromkeys([*found, self.runtime_pid]), signal.SIGKILL)

    def resting(self, now_s: float) -> bool:
        """Whether the tree has had no event, and used no CPU to speak of, for a second or two."""
        if now_s - self._rest_from_s < REST_S:
            return False
        used_ns = self._clock.read(self._pids)
        rested = self.active_s <= self._rest_from_s and used_ns - self._rest_ns < REST_S * REST_SHARE * 1e9
        self._rest_from_s, self._rest_ns = now_s, used_ns
        return rested

    def close(self) -> None:
        """Let it go on, if it was stopped, and close descriptors."""
        self._go_on()
        if self._lone is not None:
            self._lone.close()
        if self.memory is not None:
            self.memory.close()
            self.memory = None


def _pause(began_s: float) -> float:
    """When to look again, after a look that began then."""
    now_s = time.monotonic()
    return now_s + PAUSE_TIMES * (now_s - began_s)
