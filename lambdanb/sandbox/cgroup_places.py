"""Where on this machine this user may make cgroups with limits, found by making one.

v1 has a hierarchy per controller, each with a place of its own, and any of them may be missing; v2 has one place, whose
controllers must have been handed down to it. A machine may have both (v2 without controllers beside v1): the one with
limits counts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
V2_CONTROLLERS = frozenset({"memory", "cpu", "pids"})


def find() -> tuple[str | None, Mapping[str, str], str | None]:
    """Version ("v1", "v2", None), places ({controller: folder}; v2: {"unified": folder}), and why there is none."""
    try:
        own = _own_groups()
        mounts = _mounts()
    except OSError as error:
        return None, {}, f"no cgroups: {error}"
    failure = "no cgroup file system is mounted"
    if "" in own and "unified" in mounts:
        place = os.path.normpath(mounts["unified"] + own[""])
        problem = _v2_problem(place)
        if problem is None:
            return "v2", {"unified": place}, None
        failure = problem
    places = {}
    for controller in V1_CONTROLLERS:
        if controller in own and controller in mounts:
            place = os.path.normpath(mounts[controller] + own[controller])
            problem = _creation_problem(place)
            if problem is None:
                places[controller] = place
            else:
                failure = problem
    return ("v1", places, None) if places else (None, {}, failure)


def _own_groups() -> dict[str, str]:
    """{controller: path of this process's group}; v2's controller is called ""."""
    groups = {}
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _mounts() -> dict[str, str]:
    """{controller: mount point}; v2's is called "unified"."""
    mounts = {}
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, point, kind, options, *_ = line.split(" ")
            if kind == "cgroup2":
                mounts["unified"] = point
            elif kind == "cgroup":
                mounts.update(dict.fromkeys(options.split(","), point))
    return mounts


def _v2_problem(place: str) -> str | None:
    try:
        with open(f"{place}/cgroup.controllers", encoding="utf-8") as file:
            missing = V2_CONTROLLERS - set(file.read().split())
    except OSError as error:
        return str(error)
    if missing:
        return f"cgroup v2 at {place} lacks the controllers {', '.join(sorted(missing))}"
    # A process's own group can't have controlled children while it holds processes: they must be movable to a leaf.
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        if not os.access(f"{place}/{name}", os.W_OK):
            return (
                f"cgroup v2 at {place} is not delegated to this user (systemd-run --user --scope -p Delegate=yes would)"
            )
    return _creation_problem(place)


def _creation_problem(place: str) -> str | None:
    trial = f"{place}/lambdanb-probe-{os.getpid()}"
    try:
        os.mkdir(trial)
    except OSError as error:
        return f"no cgroup can be made below {place}: {error.strerror}"
    with contextlib.suppress(OSError):
        os.rmdir(trial)
    return None
