"""The watchdog: `python -m lambdanb.sandbox.watchdog TABLE_FD WAKE_FD LIFELINE_FD`, one beside each executor.

It does what must neither delay the executor's loop nor be delayed by it:

1. holds the limits that the kernel doesn't hold by itself on this machine, by looking at the environments that are busy
   (watched.py): memory, CPU share, processes, the size of /tmp, and the memory cgroup's allowance for /tmp;
2. clears up when the executor is gone, however it went (janitor.py): its pipe then reads end of file.

After a second in which nothing was busy it parks: it says so in the table and blocks, at no cost; the executor's next
`busy()` wakes it. Every ten seconds it looks whether an idle environment uses CPU all the same, in a thread that a
handler left running; then it is watched like a busy one.

It lives in a session of its own and ignores SIGINT, SIGHUP and SIGTERM: only the executor's end ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import threading
import time
from typing import Final

from lambdanb.sandbox import janitor, tree
from lambdanb.sandbox.watch_table import BUSY, IDLE, INIT_PID, RUNTIME_PID, WatchTable
from lambdanb.sandbox.watched import TICK_S, Watched

# Where trees are looked at, one that becomes busy must be seen this soon.
_SEEN_S: Final = 0.006
_STATES_S: Final = 0.1
# With more than so many at a time, each is looked at less often.
_FEW: Final = 12
_GLANCE_S: Final = 10.0
# The executor may have stored "busy" before it saw "parked"; by then its store is visible to us too.
_SETTLE_S: Final = 0.001


class Watchdog:
    """The loop."""

    def __init__(self, table_fd: int, wake_fd: int, lifeline_fd: int) -> None:
        self.table = WatchTable(table_fd)
        self.leftovers = janitor.Leftovers(self.table)
        self._wake_fd = wake_fd
        self._lifeline_fd = lifeline_fd
        self._unread = b""
        self._watched: dict[int, Watched] = {}
        self._states = b""
        self._states_due_s = 0.0
        self._woken = False
        self._by_event: dict[int, Watched] = {}
        self._glanced: dict[int, tuple[int, int]] = {}
        self._epoll = select.epoll()
        for fd in (wake_fd, lifeline_fd):
            os.set_blocking(fd, False)
            self._epoll.register(fd, select.EPOLLIN)

    def run(self) -> None:
        """Watch until the executor is gone, then clear up."""
        self._let_all_go_on()
        self.table.ready = True
        while True:
            self._step_all(time.monotonic())
            if self._watched:
                timeout_s = max(0.0, min([one.due_s for one in self._watched.values()]) - time.monotonic())
                if any(one.looks_at_processes for one in self._watched.values()):
                    timeout_s = min(timeout_s, _SEEN_S)
            else:
                timeout_s = -1.0
            if not (self._wait(timeout_s) if timeout_s >= 0 else self._park()):
                break
        for one in self._watched.values():
            one.close()
        self.leftovers.remove()

    def _step_all(self, now_s: float) -> None:
        """Look at those whose time has come; those that have been idle for long are let go."""
        if self._woken:
            # A runtime has started, perhaps in a slot that was another's when it was looked at last.
            self._woken, self._states = False, b""
            for before in list(self._watched.values()):
                if not before.is_current():
                    self._drop(before)
        states = self.table.states()
        if states != self._states or now_s >= self._states_due_s:
            self._states, self._states_due_s = states, now_s + _STATES_S
            busy = self.table.slots_in(BUSY)
            for slot in busy:
                one = self._watched.get(slot) or self._watch(slot, now_s)
                if one is None:
                    self._states_due_s = now_s
                    continue
                one.active_s = now_s
                if not one.busy:
                    one.begin(now_s)
            if len(busy) < len(self._watched):
                for slot in self._watched.keys() - busy:
                    self._watched[slot].busy = False
        tick_s = TICK_S * max(1.0, len(self._watched) / _FEW)
        for one in list(self._watched.values()):
            if now_s >= one.due_s and not one.still(now_s, tick_s):
                if one.resting(now_s):
                    self._drop(one)
                elif one.is_current():
                    one.step(now_s, tick_s)
                    self._follow_events(one)
                else:
                    self._drop(one)

    def _watch(self, slot: int, now_s: float) -> Watched | None:
        if (old := self._watched.get(slot)) is not None:
            self._drop(old)
        if not self.table.words[self.table.base(slot) + RUNTIME_PID]:
            return None
        self._read_notes()  # what is said of the environment's place was said before the slot was filled
        try:
            one = Watched(self.table, slot, self.leftovers, now_s)
        except (OSError, KeyError):  # it was gone before we came to look
            return None
        self._watched[slot] = one
        return one

    def _follow_events(self, one: Watched) -> None:
        if one.memory is None or not one.memory.events_changed:
            return
        one.memory.events_changed = False
        events = one.memory.events
        for fd in [fd for fd, owner in self._by_event.items() if owner is one and fd not in events]:
            del self._by_event[fd]  # closed, and so gone from the epoll set
        for fd, mask in events.items():
            if self._by_event.get(fd) is not one:
                self._by_event[fd] = one
                with contextlib.suppress(FileExistsError):
                    self._epoll.register(fd, mask)

    def _drop(self, one: Watched) -> None:
        self._watched.pop(one.slot, None)
        self._states_due_s = 0.0
        self._by_event = {fd: owner for fd, owner in self._by_event.items() if owner is not one}
        one.close()

    def _let_all_go_on(self) -> None:
        """An earlier watchdog may have died while it had trees stopped."""
        for slot in self.table.slots_in(IDLE) + self.table.slots_in(BUSY):
            init_pid = self.table.words[self.table.base(slot) + INIT_PID]
            if init_pid:
                tree.send_signal(tree.descendants(init_pid), signal.SIGCONT)

    def _park(self) -> bool:
        self.table.parked = True
        try:
            time.sleep(_SETTLE_S)
            if self.table.slots_in(BUSY):
                return True
            while True:
                if not self._wait(_GLANCE_S):
                    return False
                if self.table.slots_in(BUSY) or self._find_restless():
                    return True
        finally:
            self.table.parked = False

    def _find_restless(self) -> bool:
        """Watch those idle ones that use CPU all the same: more than 1 % since the last glance."""
        found = False
        seen: dict[int, tuple[int, int]] = {}
        for slot in self.table.slots_in(IDLE):
            pid = self.table.words[self.table.base(slot) + RUNTIME_PID]
            try:
                used_ns = time.clock_gettime_ns((~pid << 3) | 2) if pid else 0
            except OSError:
                continue
            seen[slot] = (pid, used_ns)
            before = self._glanced.get(slot)
            if before is not None and before[0] == pid and used_ns - before[1] > _GLANCE_S * 1e7:
                found |= self._watch(slot, time.monotonic()) is not None
        self._glanced = seen
        return found

    def _wait(self, timeout_s: float) -> bool:
        """Wait for an event; False when the executor is gone. `select` waits in microseconds, epoll in milliseconds."""
        if not select.select([self._epoll], [], [], timeout_s)[0]:
            return True
        for fd, _ in self._epoll.poll(0):
            if fd == self._lifeline_fd:
                if not self._read_notes():
                    return False
            elif fd == self._wake_fd:
                self._woken = True
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(fd)
            elif (one := self._by_event.get(fd)) is not None:
                if one.memory is not None:
                    one.memory.acknowledge(fd)
                one.due_s = 0.0
        return True

    def _read_notes(self) -> bool:
        try:
            text = os.read(self._lifeline_fd, 65536)
        except BlockingIOError:
            return True
        if not text:
            return False
        *lines, self._unread = (self._unread + text).split(b"\n")
        for line in lines:
            note = json.loads(line)
            if "cgroups" in note:
                self.leftovers.groups, self.leftovers.version = note["cgroups"], note["version"]
                self.leftovers.directory = note["directory"]
            if "remove_at_end" in note:
                self.leftovers.paths.extend(map(tuple, note["remove_at_end"]))
            if "remove" in note:  # in a thread: a big folder must not hold up the limits of others
                threading.Thread(target=shutil.rmtree, args=(note["remove"], True), daemon=True).start()
        return True


def main() -> None:
    """Start as the executor asks."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # To be late here is to let a limit slip; both need privileges, and without them it is merely less exact.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    Watchdog(*map(int, sys.argv[1:4])).run()


if __name__ == "__main__":
    main()
