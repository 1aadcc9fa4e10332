"""What the executor tells an environment's processes about their sandbox: one plain dict, made here, obeyed in `child.py`.

Everything that can be decided ahead is decided here, by the executor, once: the children are forked on the cold start's
path and should only make system calls. The dict goes to them as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambdanb.sandbox.probe import Capabilities


def child_instructions(
    capabilities: Capabilities,
    *,
    memory_mb: int,
    tmp_mb: int,
    processes: int,
    files: int,
    connections: int | None,
    task_dir: str,
    readable: Sequence[str],
    template: bool,
    fds: Sequence[str],
    tmp_dir: str | None,
) -> dict[str, Any]:
    """The instructions for one environment, to be passed to `child.fork_init`, `enter_init` and `enter_runtime`.

    readable: files and folders that the function may read besides the system's (the entries of sys.path, ...).
    fds: names of the descriptors that are passed along, in order; each is a cgroup's procs file that the runtime joins.
    tmp_dir: an empty folder of the environment's own, which serves as its /tmp where there are no namespaces (None else).
    template: the environment is a SnapStart template, that forks environments itself.
    """
    raise NotImplementedError
