"""The memory limit of a cgroup, with /tmp left out of it. Runs in the watchdog.

The kernel charges the tmpfs pages of the environment's /tmp to its group; on Lambda /tmp isn't memory. So the kernel's
own limit on the group is memory + size of /tmp, which nothing that is allowed can reach, and inside of that this
decides:

    held = anonymous + shared memory, minus what is in /tmp now          (page cache doesn't count: it can be reclaimed)
    held > limit: the tree is ended

It looks when the kernel says that usage has crossed limit + /tmp: cgroup v1 by an eventfd on a threshold of
`memory.usage_in_bytes`, cgroup v2 by an event on `memory.events` for crossing `memory.high` (which slows the group down
until it is answered). Then, and whenever a poll every 40 ms finds that usage has moved, the mark is moved to what is in
/tmp by now. Such a poll is one read of 2 us (`calm`), so that many environments at once cost next to nothing. Page
cache may keep usage above the mark without an event; as long as it does, this looks as often as the room that is left
could be filled, every 2 to 40 ms.

Measured on v1: a loop that touches fresh pages under 128 MB is ended at 129 to 131 MB, and 400 MB written to /tmp at
128 MB of memory pass. What the kernel kills by itself, at the outer limit, is noticed too (`memory.oom_control`,
`oom_kill` of `memory.events`), and the rest of the tree ended: the kernel ends one process only.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import Final

from lambdanb.sandbox import cgroup_v1, cgroup_v2
from lambdanb.sandbox.cgroup import MIB, MemoryNow, read_keyed, write_file

POLL_S: Final = 0.040
_CLOSE_S: Final = 0.002
# A look is due, and the mark moved, when usage, or /tmp, has changed by this much; or when this much time has passed.
_STEP_BYTES: Final = 2 * MIB
_LOOK_S: Final = 0.5
# Faster than this no machine fills fresh pages.
_FILLED_PER_S: Final = 8_000 * MIB


class CgroupMemory:
    """Watches one group. `events`: descriptor -> epoll mask, to be watched; when one is ready, `look` at once.

    events_changed: whether there are others than before; the reader takes it back.
    """

    def __init__(self, version: str, folder: str, limit_bytes: int, tmp_bytes: int) -> None:
        """limit_bytes: what the group itself may hold; tmp_bytes: the size of its tmpfs /tmp. OSError: it is gone."""
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.peak_bytes = 0
        self.tmp_peak_bytes = 0
        self.events: dict[int, int] = {}
        self.events_changed = True
        self._v1 = version == "v1"
        self._tmp_bytes = tmp_bytes
        self._marked_bytes = -1
        self._highest_usage = 0
        self._seen_usage = 0
        self._told = True
        self._look_due_s = 0.0
        self._threshold_fd = -1
        name = "memory.usage_in_bytes" if self._v1 else "memory.current"
        self._usage_fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        control = "memory.oom_control" if self._v1 else "memory.events"
        self._control_fd = os.open(f"{folder}/{control}", os.O_RDONLY | os.O_CLOEXEC)
        if self._v1:
            self._oom_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            with contextlib.suppress(OSError):
                write_file(f"{folder}/cgroup.event_control", f"{self._oom_fd} {self._control_fd}")
            self.events[self._oom_fd] = select.EPOLLIN
        else:
            self._oom_fd = -1
            self.events[self._control_fd] = select.EPOLLPRI
        self._kills = self.kernel_kills()
        self._mark(0)

    def kernel_kills(self) -> int:
        """How many processes the kernel has killed here for memory."""
        try:
            return read_keyed(os.pread(self._control_fd, 512, 0)).get("oom_kill", 0)
        except OSError:
            return 0

    def acknowledge(self, fd: int) -> None:
        """Take the event from a descriptor of `events`; a look is due."""
        self._told = True
        with contextlib.suppress(OSError):
            if fd in (self._oom_fd, self._threshold_fd):
                os.eventfd_read(fd)
            else:
                os.pread(fd, 512, 0)

    def calm(self, now_s: float) -> bool:
        """Whether nothing has happened since the last look that would call for another. OSError: the group is gone."""
        if self._told or now_s >= self._look_due_s:
            self._look_due_s = now_s + _LOOK_S
            return False
        return abs(int(os.pread(self._usage_fd, 24, 0)) - self._seen_usage) < _STEP_BYTES

    def look(self, tmp_used_bytes: int) -> tuple[bool, float]:
        """(over the limit, after how many seconds to look again without an event). OSError: the group is gone."""
        usage = int(os.pread(self._usage_fd, 24, 0))
        self._seen_usage = usage
        wait_s = POLL_S
        self.tmp_peak_bytes = max(self.tmp_peak_bytes, tmp_used_bytes)
        above = usage >= self.limit_bytes + tmp_used_bytes
        if above or usage > self._highest_usage:
            self._highest_usage = usage
            held = self._now().held - tmp_used_bytes
            self.peak_bytes = max(self.peak_bytes, held)
            if held > self.limit_bytes:
                return True, POLL_S
            if above:
                wait_s = max(_CLOSE_S, min(POLL_S, (self.limit_bytes - held) / _FILLED_PER_S))
        self._told = above
        kills = self.kernel_kills()
        if kills > self._kills:
            self._kills = kills
            return True, POLL_S
        if abs(tmp_used_bytes - self._marked_bytes) >= _STEP_BYTES:
            self._mark(tmp_used_bytes)
        return False, wait_s

    def _now(self) -> MemoryNow:
        return cgroup_v1.memory_now(self.folder) if self._v1 else cgroup_v2.memory_now(self.folder)

    def _mark(self, tmp_used_bytes: int) -> None:
        """Have the kernel tell when usage crosses limit + /tmp."""
        if not self._tmp_bytes:
            return  # the kernel's own limit is the true one
        self._marked_bytes = tmp_used_bytes
        mark = self.limit_bytes + tmp_used_bytes
        if not self._v1:
            with contextlib.suppress(OSError):
                kernel = int(read_keyed(self._stat()).get("kernel", 0))
                write_file(f"{self.folder}/memory.high", str(mark + kernel))
            return
        fresh_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            write_file(f"{self.folder}/cgroup.event_control", f"{fresh_fd} {self._usage_fd} {mark}")
        except OSError:
            os.close(fresh_fd)
            return
        if self._threshold_fd >= 0:
            del self.events[self._threshold_fd]
            os.close(self._threshold_fd)  # which takes its threshold back
        self.events_changed = True
        self._threshold_fd = fresh_fd
        self.events[fresh_fd] = select.EPOLLIN

    def _stat(self) -> bytes:
        with open(f"{self.folder}/memory.stat", "rb", buffering=0) as file:
            return file.read(8192)

    def close(self) -> None:
        """Close all descriptors, which ends the events."""
        for fd in (self._usage_fd, self._control_fd, self._oom_fd, self._threshold_fd):
            if fd >= 0:
                os.close(fd)
        self.events.clear()
