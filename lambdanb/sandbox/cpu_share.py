"""CPU share without cgroups: SIGSTOP and SIGCONT as a token bucket on the measured CPU clock.

Tokens are CPU seconds. They flow in at `share` per second of wall time, up to what one period (20 ms) is worth; what
the tree has used, as its CPU clocks say, is taken out. Below zero the tree is stopped until it is paid for. Because the
loop is closed over measured time, a late wake-up isn't lost: what ran over is stopped for longer (error 0.6 to 1 %; an
open-loop duty cycle is 14 to 30 % off, and nice is no limit at all).

The clock of a whole process is `clock_gettime` of `(~pid << 3) | 2`; /proc/<pid>/schedstat is that of the main thread
only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final

PERIOD_S: Final = 0.020
_LATE_PERIODS: Final = 5
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# In /proc/<pid>/stat after the name: CPU time of the children that were waited for, user and system.
_CHILDREN_USER: Final = 13
_CHILDREN_SYSTEM: Final = 14


class TokenBucket:
    """When a tree that used `cpu_s` so far must stand still. `stopped` is what its processes should be now."""

    def __init__(self, now_s: float, cpu_s: float) -> None:
        self.stopped = False
        self._tokens_s: float | None = None  # full at first
        self._now_s = now_s
        self._cpu_s = cpu_s

    def step(self, now_s: float, cpu_s: float, share: float, parallel: int) -> float:
        """Account for the time since the last step; sets `stopped`, returns after how many seconds to look again.

        parallel: on how many CPUs the tree can run at once, so how fast it can use up its tokens.
        """
        full_s = PERIOD_S * share
        before_s = full_s if self._tokens_s is None else self._tokens_s
        # A tree that is stopped isn't idle: what flows in while it waits for a late look isn't lost to it.
        most_s = full_s * _LATE_PERIODS if self.stopped else max(full_s, before_s)
        elapsed_s, used_s = now_s - self._now_s, cpu_s - self._cpu_s
        # What flows in while it runs isn't lost to a full bucket: it is being used. At worst it was idle first.
        ran_s = min(elapsed_s, used_s / parallel)
        tokens_s = min(most_s, before_s + (elapsed_s - ran_s) * share) + ran_s * share - used_s
        self._tokens_s, self._now_s, self._cpu_s = tokens_s, now_s, cpu_s
        # Once stopped, wait until half a bucket is there: a turn of less would go to whoever comes first in the tree.
        enough_s = full_s / 2 if self.stopped else 0.0
        self.stopped = tokens_s <= enough_s
        if self.stopped:
            return (full_s / 2 - tokens_s) / share + 0.0002
        return max(0.0005, min(tokens_s / parallel, PERIOD_S / 4))


class TreeClock:
    """CPU time of a changing set of processes, that of the dead included."""

    def __init__(self) -> None:
        self.total_ns = 0
        self._last_ns: dict[int, int] = {}
        self._ended_ns = 0  # what was counted of processes that have ended
        self._waited_ns: int | None = None
        self._unseen_ns = 0

    def read(self, pids: Iterable[int]) -> int:
        """Add what the processes used since the last reading; returns the total in ns. 0.5 us each."""
        for pid in pids:
            try:
                now_ns = time.clock_gettime_ns((~pid << 3) | 2)
            except OSError:
                self._ended_ns += self._last_ns.pop(pid, 0)
                continue
            last_ns = self._last_ns.get(pid, 0)
            self.total_ns += now_ns - last_ns if now_ns >= last_ns else now_ns  # less than before: a new process
            self._last_ns[pid] = now_ns
        return self.total_ns

    def last_ns(self, pid: int) -> int:
        """What the process's clock read last; -1 when it has none."""
        return self._last_ns.get(pid, -1)

    def resume_at(self, total_ns: int, pids: Iterable[int]) -> None:
        """Go on from an earlier clock's total of this tree, which has in it what the dead had used."""
        self.total_ns = max(total_ns, self.read(pids))

    def count_ended(self, pids: Iterable[int]) -> None:
        """Add what processes used that came and went between two readings, as their parents have it in their accounts.

        That account is in ticks of 10 ms, so this follows a little behind. pids: the tree and its init. 15 us each.
        """
        alive = set(pids)
        for pid in [pid for pid in self._last_ns if pid not in alive]:
            self._ended_ns += self._last_ns.pop(pid)
        waited_ns = 0
        for pid in alive:
            try:
                with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
                    text = file.read(1024)
            except OSError:
                continue
            fields = text[text.rfind(b")") + 2 :].split()
            waited_ns += (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) * _TICK_NS
        if self._waited_ns is None:
            self._waited_ns = waited_ns
            return
        unseen_ns = waited_ns - self._waited_ns - self._ended_ns
        if unseen_ns > self._unseen_ns:
            self.total_ns += unseen_ns - self._unseen_ns
            self._unseen_ns = unseen_ns
