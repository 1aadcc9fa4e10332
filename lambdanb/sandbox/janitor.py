"""What the watchdog does when the executor is gone: end what it started, remove what it made, within a second.

The executor may have been killed at any moment, so nothing is taken for granted: environments' inits and zygotes would
end by themselves (their sockets read end of file), but a hung or stopped one would not. The table names them all, by
pid and start time, and the cgroups hold whatever else there is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterable
from typing import Final

from lambdanb.sandbox import cgroup_v1, cgroup_v2, tree
from lambdanb.sandbox import watch_table as table_words
from lambdanb.sandbox.watch_table import BUSY, IDLE, WatchTable

_TIMEOUT_S: Final = 0.8


class Leftovers:
    """What will have to be removed; added to as the executor tells."""

    def __init__(self, table: WatchTable) -> None:
        self.table = table
        self.groups: dict[str, str] = {}
        self.version: str | None = None
        self.directory = ""
        self.paths: list[tuple[str, list[int] | None]] = []

    def remove(self) -> None:
        """End the processes, then remove cgroups, files and folders. What fails is left to the next sweep."""
        deadline = time.monotonic() + _TIMEOUT_S
        roots = self._roots()
        while True:
            running = self._running(roots)
            groups_done = self._kill_groups()
            if not running and groups_done:
                break
            tree.send_signal(running, signal.SIGKILL)
            if time.monotonic() > deadline:
                break
            time.sleep(0.0005)
        while not remove_groups(self.version, self.groups) and time.monotonic() < deadline + 0.1:
            time.sleep(0.001)
        for path, identity in self.paths:
            if identity is None or identity == identity_of(path):
                remove_path(path)

    def _roots(self) -> list[tuple[int, int]]:
        roots = self.table.processes()
        for slot in self.table.slots_in(BUSY) + self.table.slots_in(IDLE):
            base = self.table.base(slot)
            for pid, start in (
                (table_words.INIT_PID, table_words.INIT_START),
                (table_words.RUNTIME_PID, table_words.RUNTIME_START),
            ):
                if self.table.words[base + pid]:
                    roots.append((self.table.words[base + pid], self.table.words[base + start]))
        return roots

    def _running(self, roots: list[tuple[int, int]]) -> list[int]:
        """What still runs, the roots last: a dead subreaper loses hold of its orphans."""
        alive = [pid for pid, start in roots if tree.is_alive(pid, start)]
        below = {pid for root in alive for pid in tree.descendants(root)} - {os.getpid()}
        return [pid for pid in below if tree.is_alive(pid)] + alive

    def _kill_groups(self) -> bool:
        if self.version == "v1":
            done = True
            for name in group_names(self.groups.values()):
                folders = {controller: f"{folder}/{name}" for controller, folder in self.groups.items()}
                done &= cgroup_v1.kill_members(folders)
            return done
        if self.version == "v2" and self.groups:
            folder = self.groups["unified"]
            names = [name for name in group_names([folder]) if name != cgroup_v2.LEAF]
            return all([cgroup_v2.kill_members(f"{folder}/{name}") for name in names])
        return True


def group_names(folders: Iterable[str]) -> list[str]:
    """The names of the groups below the folders."""
    names: dict[str, None] = {}
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            names.update((entry.name, None) for entry in entries if entry.is_dir(follow_symlinks=False))
    return list(names)


def remove_groups(version: str | None, groups: dict[str, str]) -> bool:
    """Remove an executor's groups and its folder above them; True when they are gone."""
    if version == "v2" and groups:
        return cgroup_v2.take_down(groups["unified"])
    folders = set(groups.values())
    done = True
    for folder in folders:
        for name in group_names([folder]):
            done &= cgroup_v1.remove_folders({"": f"{folder}/{name}"})
        done &= cgroup_v1.remove_folders({"": folder})
    return done


def identity_of(path: str) -> list[int] | None:
    """What tells a file from another of its name later on; None for a folder, or where there is none.

    The next executor may have bound its socket before this one's is removed, and must keep it.
    """
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            return [found.st_ino, found.st_mtime_ns]
    return None


def remove_path(path: str) -> None:
    """Remove a file, a socket or a folder with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
