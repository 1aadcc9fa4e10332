"""At an executor's start: remove what an earlier one left that was killed together with its watchdog.

An executor's id is `<pid>-<start time>-<PID namespace>` (`identity.own_id`), so it can be seen from the name alone
whether it still lives. Whatever carries the id of a dead one is garbage:

- cgroups `lambdanb-<id>` below the executor's own group;
- folders `<id>` in the folder for temporary files;
- processes that were started with `LAMBDANB_EXECUTOR=<id>` in their environment, and their descendants.

Ids from another PID namespace (a container that shares our folders) can't be judged from here and are left alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambdanb.sandbox import cgroup_v1, cgroup_v2, janitor, tree
from lambdanb.sandbox.identity import is_dead

_TAG = b"LAMBDANB_EXECUTOR="
_PREFIX = "lambdanb-"


@dataclass(frozen=True)
class Swept:
    """How much of an earlier executor's was found and removed."""

    processes: int
    groups: int
    folders: int


def sweep(version: str | None, cgroup_dirs: Mapping[str, str], temporary: Path) -> Swept:
    """Remove what dead executors left. `cgroup_dirs`: the probe's; `temporary`: where executors have folders."""
    processes = end_orphans()
    groups = 0
    for parent in dict.fromkeys(cgroup_dirs.values()):
        for name in janitor.group_names([parent]):
            if name.startswith(_PREFIX) and is_dead(name.removeprefix(_PREFIX)):
                groups += _remove_group(version, f"{parent}/{name}")
    folders = 0
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(temporary)):
            if is_dead(entry.name):
                shutil.rmtree(entry.path, ignore_errors=True)
                folders += 1
    return Swept(processes, groups, folders)


def end_orphans() -> int:
    """End the processes that were tagged by an executor that is dead; returns how many there were."""
    own = os.getpid()
    ended: set[int] = set()
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        tagged = [pid for pid, executor in _tagged() if pid != own and is_dead(executor)]
        found = [one for pid in tagged for one in (*tree.descendants(pid), pid) if one != own and tree.is_alive(one)]
        if not found:
            break
        tree.send_signal(found, 9)
        ended.update(found)
        time.sleep(0.001)
    return len(ended)


def _tagged() -> list[tuple[int, str]]:
    """(pid, executor's id) of every process that carries the tag, as far as this user may look."""
    tagged = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb", buffering=0) as file:
                text = b"\0" + file.read(1 << 20)
        except OSError:
            continue
        at = text.find(b"\0" + _TAG)
        if at >= 0:
            value = text[at + 1 + len(_TAG) :].split(b"\0", 1)[0]
            tagged.append((int(name), value.decode(errors="replace")))
    return tagged


def _remove_group(version: str | None, folder: str) -> bool:
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        if version == "v2":
            names = [name for name in janitor.group_names([folder]) if name != cgroup_v2.LEAF]
            empty = all([cgroup_v2.kill_members(f"{folder}/{name}") for name in names])
        else:
            empty = all([cgroup_v1.kill_members({"": f"{folder}/{name}"}) for name in janitor.group_names([folder])])
        if empty and janitor.remove_groups(version, {"unified": folder}):
            return True
        time.sleep(0.001)
    return False
