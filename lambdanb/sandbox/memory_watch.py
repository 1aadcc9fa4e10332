"""How much memory a tree of processes holds, without cgroups.

What counts is what the tree holds beyond file pages: anonymous and shared memory, each page once, however many
processes of the tree map it; and what the runtime held already when the zygote forked it (`shared_bytes`), though those
pages are the zygote's too.

- The sum of resident sizes (RSS) is cheap (0.02 ms a process) and never too low, so below the
  limit it is all that is asked.
- It counts shared pages once for each process and file pages too. So when it is over, /proc/<pid>/smaps_rollup decides
  (0.3 to 2.5 ms), which has the proportional set size (PSS): a page mapped by n processes counts 1/n in each.
- Files in the environment's own /dev/shm hold memory without being mapped; that file system knows how much.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pids: Sequence[int]) -> int:
    """The sum of the processes' resident sizes; those that are gone count nothing."""
    pages = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
                pages += int(file.read(128).split(None, 2)[1])
        except OSError:
            continue
    return pages * _PAGE_BYTES


def held_bytes(pids: Sequence[int], shared_bytes: int, given_up: Callable[[], bool] = lambda: False) -> int | None:
    """What the tree holds, each page once; None as soon as `given_up()`. Processes that may not be looked into count by
    their resident size.
    """
    private = shmem = 0
    forked = 0  # anonymous pages shared by fork, beyond those of the zygote
    for pid in pids:
        if given_up():
            return None
        rollup = _rollup(pid)
        if rollup is None:
            private += resident_bytes([pid])
            continue
        pss_anon = rollup.get(b"Pss_Anon:", 0)
        own = min(rollup.get(b"Private_Dirty:", 0), pss_anon)
        private += own
        shmem += rollup.get(b"Pss_Shmem:", 0)
        # A process that touched memory and then forked shares it with its children: no longer private, but the tree's.
        forked = max(forked, rollup.get(b"Anonymous:", 0) - own - shared_bytes)
    return shared_bytes + private + forked + max(shmem, shm_bytes(pids[0]) if pids else 0)


def _rollup(pid: int) -> dict[bytes, int] | None:
    """Name -> bytes, or None for a process that can't be looked into; empty for one that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            lines = file.read(4096).splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    except OSError:
        return None
    return {words[0]: int(words[1]) * 1024 for words in map(bytes.split, lines) if len(words) > 1}


_HOST_SHM = os.stat("/dev/shm").st_dev if os.path.exists("/dev/shm") else None


def shm_bytes(pid: int) -> int:
    """What lies in the /dev/shm that the process sees, if that is the environment's own."""
    path = f"/proc/{pid}/root/dev/shm"
    try:
        if os.stat(path).st_dev == _HOST_SHM:
            return 0
        status = os.statvfs(path)
    except OSError:
        return 0
    return (status.f_blocks - status.f_bfree) * status.f_frsize
