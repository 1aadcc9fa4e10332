"""How busy the machine is while a load test runs: whether it, and not the function, may be what limits.

Linux only, from /proc; elsewhere every share is 0.
"""

from __future__ import annotations

import os
import time


class MachineUse:
    """CPU shares since the last look: of the whole machine (1: every core is busy), of the executor, and of this
    process (1: a whole core each)."""

    def __init__(self, executor_pid: int) -> None:
        self._executor = f"/proc/{executor_pid}/stat"
        self._per_s = os.sysconf("SC_CLK_TCK")
        self._before = self._counters()

    def shares(self) -> tuple[float, float, float]:
        """Machine, executor, this process."""
        before, self._before = self._before, self._counters()
        wall_s, own_s, executor, busy, total = (new - old for new, old in zip(self._before, before, strict=True))
        return (
            busy / total if total > 0 else 0.0,
            # Negative when the executor has gone.
            max(executor / self._per_s / wall_s, 0.0) if wall_s > 0 else 0.0,
            own_s / wall_s if wall_s > 0 else 0.0,
        )

    def _counters(self) -> tuple[float, ...]:
        fields = [int(text) for text in _read("/proc/stat").partition("\n")[0].split()[1:9]]
        total = sum(fields)
        idle = sum(fields[3:5])
        # After the command's name, which may hold anything: user and system time are the 12th and 13th.
        of_executor = _read(self._executor).rpartition(")")[2].split()
        executor = sum(map(int, of_executor[11:13]))
        return time.monotonic(), time.process_time(), executor, total - idle, total


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
