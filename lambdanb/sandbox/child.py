"""The child's side of the sandbox: what an environment's own processes do to themselves before the function's code
runs.

    zygote ── fork_init ──▶ init: enter_ahead ── os.fork ──▶ runtime, waiting
                            init: enter_init  ─── start ───▶ runtime: enter_runtime, then the function

`child` is what `child_spec` made: `ahead` for `fork_init` and `enter_ahead`, all of it for the rest. Until `enter_init`
both processes are no function's and hold privileges in their own namespaces, for which they run nothing but this.
Nothing is imported or decided here that could have been before: this is the cold start's path.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from lambdanb.sandbox import connections, landlock, namespaces, rlimits, syscalls, tmp_copy


def fork_init(child: Mapping[str, Any]) -> int:
    """Fork an environment's init from a process with one thread: the zygote, or a template. 0 in the child.

    The first fork moves the caller itself into a user and a mount namespace, in which the root that its environments
    share is put together: it keeps its files and its user, and as root loses its privileges outside. Environments
    with the same `readable` share it; for others it is put together again. Raises OSError naming the step that
    failed.
    """
    if not child["namespaces"]:
        return os.fork()
    rlimits.lift_processes()
    namespaces.prepare(child)
    return namespaces.fork()


def enter_ahead(child: Mapping[str, Any]) -> None:
    """In init: all that doesn't depend on the function, and not to be traced by a function, which has the same user.

    Raises OSError naming the step that failed.
    """
    if child["namespaces"]:
        namespaces.enter(child)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def enter_init(child: Mapping[str, Any]) -> None:
    """In init, after `enter_ahead`: the function's own places, and no privileges from here on.

    Raises OSError naming the step that failed.
    """
    if child["namespaces"]:
        namespaces.furnish(child)
    else:
        os.chdir(child["task_dir"])
    _drop_privileges(child)


def enter_runtime(child: Mapping[str, Any], fds: Sequence[int], template_tmp: int | None = None) -> int | None:
    """In the runtime process, before the function's code: no privileges, its cgroups, its limits, its filters.

    `fds` are procs files of cgroups, which stay open here. `template_tmp`: a folder whose contents /tmp is to have.
    Answers the descriptor on which the filter asks about each connect() (for `connections.ConnectionLimit` in the
    executor), or None where connections aren't counted; the runtime must not connect before the executor has it. Raises
    OSError naming the step that failed.
    """
    _drop_privileges(child)  # its own: it was forked before init dropped them
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    if not child["namespaces"]:
        # In a PID namespace the kernel does this by itself.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    for name, descriptor in zip(child["fds"], fds, strict=True):
        try:
            os.write(descriptor, b"0")
        except OSError as error:
            raise OSError(error.errno, f"joining {name}: {error.strerror}") from error
    if template_tmp is not None:
        tmp_copy.copy_tmp(template_tmp, tmp_root(child))
    rlimits.apply(child)
    abi = child["landlock_abi"]
    if child["landlock"] is not None:
        landlock.restrict(abi, child["landlock"]["readable"], child["landlock"]["writable"])
    else:
        landlock.scope_abstract_sockets(abi)
    return connections.install() if child["connections"] else None


def _drop_privileges(child: Mapping[str, Any]) -> None:
    namespaces.drop_privileges(keep_mapping=child["template"] and child["namespaces"] and os.geteuid() == 0)


def task_root(child: Mapping[str, Any]) -> str:
    """Where the function sees its code: LAMBDA_TASK_ROOT."""
    return namespaces.TASK if child["namespaces"] else child["task_dir"]


def tmp_root(child: Mapping[str, Any]) -> str:
    """The environment's /tmp: that path where it is a mount of its own, else the folder that TMPDIR must name."""
    return "/tmp" if child["namespaces"] else child["tmp_dir"] or "/tmp"
