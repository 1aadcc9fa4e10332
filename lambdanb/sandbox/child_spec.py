"""What the executor tells an environment's processes about their sandbox: one plain dict, made here, obeyed in
`child.py`.

Everything that can be decided ahead is decided here, by the executor: the children are on the cold start's path and
should only make system calls. The dict goes to them as JSON, in two parts. The first is the same for all functions, so
that an init can be forked before it is known for which (`ahead`):

    namespaces, fresh_proc, recursive_readonly, landlock_abi    what `probe` found
    root        the new root: at (where it is put together), folders, files, links, binds, below_tmp
    skipped     [path, reason]: what was asked to be readable, and isn't
    code_dir    the folder in which the functions' task_dirs lie
    template    whether it becomes a SnapStart template, which forks environments itself

The second is the function's own (`own`):

    task_dir, tmp_dir, tmp_mb, shm_mb, files, fds
    processes   RLIMIT_NPROC's part of the limit, None where something else counts
    landlock    {readable, writable} or None where it isn't needed or isn't there
    connections whether connect() is put to the executor
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lambdanb.sandbox.probe import Capabilities
from lambdanb.sandbox.root import DEVICES, plan_root, visible_paths

SHM_TIMES_MEMORY = 4
"""/dev/shm's size in multiples of the memory. Its pages count as memory, so memory's own limit must be met first, and
end the environment as on AWS; were this the tighter one, writing to shared memory would end in SIGBUS instead."""


def ahead(capabilities: Capabilities, *, code_dir: str, readable: Sequence[str], template: bool) -> dict[str, Any]:
    """The first part, for `child.fork_init` and `enter_ahead`. Equal parts mean that one's init can become the other's.

    readable: files and folders that a function may read besides the system's and the interpreter's own (the entries of
    sys.path, ...). The home folder itself, and what would show it or its credentials, is left out and listed in
    "skipped".
    """
    paths, skipped = visible_paths(readable)
    return {
        "namespaces": capabilities.namespaces,
        "fresh_proc": capabilities.fresh_proc,
        "recursive_readonly": capabilities.recursive_readonly,
        "landlock_abi": capabilities.landlock_abi,
        "root": plan_root(paths) if capabilities.namespaces else None,
        "paths": paths,
        "skipped": skipped,
        "code_dir": code_dir,
        "template": template,
    }


def own(
    capabilities: Capabilities,
    first: Mapping[str, Any],
    *,
    memory_mb: int,
    tmp_mb: int,
    processes: int,
    files: int,
    connections: int | None,
    task_dir: str,
    fds: Sequence[str],
    tmp_dir: str | None,
) -> dict[str, Any]:
    """The second part, for `child.enter_init` and `enter_runtime`, which get it together with the `first`.

    task_dir: a folder right in the first part's code_dir. fds: names of the descriptors that are passed along, in
    order; each is a cgroup's procs file that the runtime joins. tmp_dir: an empty folder of the environment's own,
    which serves as its /tmp where there are no namespaces (None else). Folders of several environments must lie in one
    parent folder that holds nothing else.
    """
    namespaces, template = capabilities.namespaces, first["template"]
    files_only = None
    if not namespaces and capabilities.landlock_abi:
        # A template must leave room for the folders of the environments that it forks; each narrows it to its own.
        writable = [] if tmp_dir is None else [os.path.dirname(tmp_dir) if template else tmp_dir]
        files_only = {
            "readable": [*first["paths"], task_dir, "/proc"],
            "writable": [*DEVICES, "/dev/shm", *writable],
        }
    counted = namespaces and capabilities.uid != 0
    return {
        "task_dir": task_dir,
        "tmp_dir": tmp_dir,
        "tmp_mb": tmp_mb,
        "shm_mb": memory_mb * SHM_TIMES_MEMORY,
        "files": files,
        "processes": processes if counted else None,
        "landlock": files_only,
        # A process may have one such filter only: a template leaves it to the environments that it forks.
        "connections": connections is not None and capabilities.seccomp_notify and not template,
        "fds": list(fds),
    }


def child_instructions(
    capabilities: Capabilities, *, task_dir: str, readable: Sequence[str], template: bool, **limits: Any
) -> dict[str, Any]:
    """Both parts in one, for an environment that is started by itself."""
    first = ahead(capabilities, code_dir=os.path.dirname(task_dir), readable=readable, template=template)
    return first | own(capabilities, first, task_dir=task_dir, **limits)
