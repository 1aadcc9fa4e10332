"""What this machine can enforce, found out once by really trying it.

A mechanism counts as present only if a trial of it has worked: reading a version number would not tell that a container masks
/proc, or that AppArmor refuses mounts in a user namespace. The trial runs in a process of its own (`trial.py`), because
namespaces, Landlock and seccomp can't be undone by the process that has tried them.

`LAMBDANB_WITHOUT` (a comma list of `cgroups`, `namespaces`, `proc`, `landlock`, `seccomp`) does without mechanisms that are
there, which is how the tests walk every fall-back on one machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MECHANISMS = frozenset({"cgroups", "namespaces", "proc", "landlock", "seccomp"})
_TRIAL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Capabilities:
    """The mechanisms that this machine offers to this user.

    cgroup: "v1", "v2" or None. cgroup_dirs: where new cgroups may be made: for v1 one folder per controller
    ({"memory": ..., "cpu": ..., "cpuacct": ..., "pids": ...}), for v2 {"unified": the executor's own cgroup}.
    namespaces: user, mount, PID and IPC namespaces with a root of our own, as one.
    fresh_proc: a /proc that shows only the environment's processes (containers that mask /proc refuse it).
    recursive_readonly: mount_setattr(2) (Linux 5.12) can make a whole tree read-only.
    landlock_abi: 0 without Landlock; 6 and above can scope signals and abstract sockets.
    seccomp_notify: connect() can be put to a supervisor (user notification with CONTINUE, pidfd_getfd).
    reasons: for each mechanism that is missing, why ("cgroups", "namespaces", "proc", "landlock", "seccomp").
    """

    cgroup: str | None = None
    cgroup_dirs: Mapping[str, str] = field(default_factory=dict)
    namespaces: bool = False
    fresh_proc: bool = False
    recursive_readonly: bool = False
    landlock_abi: int = 0
    seccomp_notify: bool = False
    uid: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
