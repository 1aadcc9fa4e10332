"""What SnapStart keeps of an init beside the memory of its process, which a fork has anyway: the variables of its
environment, the working directory and /tmp.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lambdanb.runtime.handler import Handler


@dataclass
class Snapshot:
    """A function that has been initialised.

    changed, removed: what init did to os.environ. cwd: None when init removed it. tmp_root: what /tmp was called.
    tmp_fd: that folder, in the processes that are to copy it; None when nothing is in it.
    """

    handler: Handler
    changed: dict[str, str]
    removed: list[str]
    cwd: str | None
    tmp_root: str
    tmp_fd: int | None

    def change_environ(self) -> None:
        """Do to os.environ what init did."""
        os.environ.update(self.changed)
        for name in self.removed:
            os.environ.pop(name, None)

    def cwd_in(self, tmp_root: str) -> str | None:
        """The working directory, in an environment whose /tmp has this name."""
        if self.cwd is not None and (self.cwd + "/").startswith(self.tmp_root + "/"):
            return tmp_root + self.cwd[len(self.tmp_root) :]
        return self.cwd

    def close(self) -> None:
        """Let go of the template's /tmp: no function may see it, and no later runtime needs it."""
        if self.tmp_fd is not None:
            os.close(self.tmp_fd)
            self.tmp_fd = None


def take(handler: Handler, environ_before: Mapping[str, str], tmp_root: str) -> Snapshot:
    """What this process's init has left. environ_before: os.environ as it was when init began."""
    now = dict(os.environ)
    try:
        cwd = os.getcwd()
    except FileNotFoundError:
        cwd = None
    return Snapshot(
        handler,
        changed={name: value for name, value in now.items() if environ_before.get(name) != value},
        removed=[name for name in environ_before if name not in now],
        cwd=cwd,
        tmp_root=tmp_root,
        tmp_fd=os.open(tmp_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if os.listdir(tmp_root) else None,
    )
