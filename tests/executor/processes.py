"""What belongs to an executor on this machine, as the operating system tells it: for tests that kill and look."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def below(executor_pid: int) -> list[int]:
    """The processes below an executor, by their ancestry."""
    found = []
    parents = parents_of_all()
    for pid in parents:
        ancestor = pid
        while ancestor in parents:
            ancestor = parents[ancestor]
            if ancestor == executor_pid:
                found.append(pid)
                break
    return found


def parents_of_all() -> dict[int, int]:
    """Every process's parent."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def running(pids: list[int]) -> list[int]:
    """Those that still run; a zombie doesn't."""
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            alive.append(pid)
    return alive


def cgroups() -> list[str]:
    """Our cgroups, wherever they are mounted."""
    return [str(path) for path in Path("/sys/fs/cgroup").glob("**/lambdanb-*")]


def eventually(condition: Callable[[], bool], timeout_s: float = 2.0) -> bool:
    """Whether the condition comes true within the time; for states of the machine that no descriptor tells of."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
