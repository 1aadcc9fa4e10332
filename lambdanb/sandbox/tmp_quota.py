"""What is in /tmp, and the limit on it where /tmp is a plain folder, because the machine allows no mounts: a soft
limit.

The folder is measured every 50 ms while the environment is busy. Nothing makes a write fail with ENOSPC from outside,
so an environment that is over gets the only answer there is: its processes are ended, and the executor is told why. A
single file is held to the size by RLIMIT_FSIZE (the child's: rlimits.py), which does fail the write, with EFBIG.

The folder is under the executor's eyes, not the function's: symbolic links in it aren't followed.
"""

from __future__ import annotations

import os


def mounted_bytes(*pids: int) -> int | None:
    """Bytes in the tmpfs that an environment has as /tmp, seen through one of its processes; None when they are gone.

    Through init if that is allowed, which it isn't for an ordinary user, as init isn't dumpable; else through the
    runtime.
    """
    for pid in pids:
        try:
            status = os.statvfs(f"/proc/{pid}/root/tmp")
        except OSError:
            continue
        return (status.f_blocks - status.f_bfree) * status.f_frsize
    return None


def folder_bytes(path: str, limit_bytes: int) -> int:
    """Bytes on disk below `path`; the walk ends early once it is over the limit. A file with two names counts twice."""
    total = 0
    folders = [path]
    while folders and total <= limit_bytes:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:
            continue
    return total
