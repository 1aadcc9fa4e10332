"""A process that ends when its parent does, however that went: the kernel sends it SIGTERM then."""

from __future__ import annotations

import os
import signal

from lambdanb.sandbox import syscalls


def end_with(parent: int) -> None:
    """From now on; at once when the parent has gone already."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
