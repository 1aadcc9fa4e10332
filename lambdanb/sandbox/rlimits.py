"""Limits of single processes that the kernel checks by itself: open files, processes and threads, core files.

RLIMIT_NPROC counts, threads included, per user *and user namespace*: in an environment's own namespace it is the
environment's own count, init among them. Outside of one it would count all that the user runs, and for root it counts
nothing at all: there the cgroup or the watchdog does it (`probe.enforcements` says which).
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any

INIT_PROCESSES = 1
"""Processes of the environment's that are ours, not the function's: init."""


def apply(child: Mapping[str, Any]) -> None:
    """Set what child["files"] (open files) and child["processes"] (None: not counted here) ask for.

    Raises OSError or ValueError where the hard limit that the executor was started with is below. A template's own
    limits are soft, so that `lift_processes` can put them off.
    """
    _set(resource.RLIMIT_NOFILE, child["files"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash's core file would go to the notebook's disk
    if not child["namespaces"]:
        # /tmp is a folder there, whose size the watchdog can only measure: one file at least is held by the kernel
        # (EFBIG).
        _set(resource.RLIMIT_FSIZE, child["tmp_mb"] << 20)
    if child["processes"] is not None:
        _set(resource.RLIMIT_NPROC, child["processes"] + INIT_PROCESSES, keep_hard=child["template"])


def lift_processes() -> None:
    """In a zygote or template that is about to fork an environment: the kernel adds up the processes of nested
    namespaces, and would hold all environments of a template together to the template's own, soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def _set(which: int, value: int, *, keep_hard: bool = False) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, hard if keep_hard else value))
