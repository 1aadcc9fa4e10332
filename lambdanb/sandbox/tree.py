"""Trees of processes: who descends from a process, and how to end them all.

A handler may start children, and those may daemonise: fork twice, call setsid, close everything. Killing a pid leaves
the children, killing a process group leaves whoever made a group of its own. What nobody can shake off is descent, as
long as the root of the tree is a *subreaper* (prctl PR_SET_CHILD_SUBREAPER) or the first process of a PID namespace:
orphans are given to it, so they stay below it. So a tree is walked from its root, everything found is killed, and the
walk is repeated until it finds nothing alive; a process that was killed can't fork any more, so this ends after a few
turns (2 to 4 ms for twenty children of which five had daemonised).

The walk reads /proc/<pid>/task/<tid>/children (each thread has its own); where the kernel has no such files (it is
built without CONFIG_PROC_CHILDREN) it reads all of /proc once instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

# In /proc/<pid>/stat, counted after the closing bracket of the name, which may itself hold spaces and brackets.
_STATE = 0
_PARENT = 1
_THREADS = 17
_START_TIME = 19
_PAGE_BYTES = 4096


def _stat_fields(pid: int) -> list[bytes] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(1024)
    except OSError:
        return None
    return text[text.rfind(b")") + 2 :].split()


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such process.

    Together with the pid it names a process for good: a pid alone may have been given to somebody else since.
    """
    fields = _stat_fields(pid)
    return int(fields[_START_TIME]) if fields else None


def is_alive(pid: int, started: int | None = None) -> bool:
    """Whether the process runs (a zombie doesn't); with `started`, whether it is still the same one."""
    fields = _stat_fields(pid)
    if not fields or fields[_STATE] in (b"Z", b"X"):
        return False
    return started is None or int(fields[_START_TIME]) == started


def children(pid: int) -> list[int]:
    """The children of every thread of a process, zombies too; none when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                text = piece = file.read(_PAGE_BYTES)
                while len(piece) > _PAGE_BYTES // 2:  # the kernel gives at most a page at a time: 600 children or so
                    piece = file.read(_PAGE_BYTES)
                    text += piece
        except FileNotFoundError:
            if os.path.exists("/proc/thread-self/children"):
                continue  # the thread has ended meanwhile
            return _children_by_scan(pid)
        except OSError:
            continue
        if text:
            found.extend(map(int, text.split()))
    return found


def _children_by_scan(parent: int) -> list[int]:
    wanted = str(parent).encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat_fields(int(name))
            if fields and fields[_PARENT] == wanted:
                found.append(int(name))
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, not itself, parents before their children."""
    found = children(pid)
    for one in found:  # grows while it is walked
        found.extend(children(one))
    return found


def thread_count(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    fields = _stat_fields(pid)
    return int(fields[_THREADS]) if fields and fields[_STATE] not in (b"Z", b"X") else 0


def send_signal(pids: Iterable[int], number: int) -> None:
    """Signal each; those that are gone are passed over."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def end_descendants(root: int, timeout_s: float = 0.5) -> bool:
    """Kill all that descends from `root`, but not `root`; True when nothing of it runs any more (zombies may be left).

    The root must be a subreaper or the first process of a PID namespace, else orphans escape.
    """
    own = os.getpid()
    deadline = time.monotonic() + timeout_s
    while True:
        began_s = time.monotonic()
        found = [pid for pid in descendants(root) if pid != own]
        if not any(map(is_alive, found)):
            return True
        send_signal(found, signal.SIGKILL)
        now_s = time.monotonic()
        if now_s > deadline:
            return False
        # What a killed process needs to be torn down; they aren't ours to wait for. A crowd needs the CPU for it.
        time.sleep(max(0.0003, now_s - began_s))
