"""The executor of a home, as tests watch it begin and end. Apart from conftest.py, of which a test run may have two."""

from __future__ import annotations

import os
import select
from pathlib import Path

from lambdanb.client.connection import Executor

GONE_S = 10.0


def hang_up(folder: Path) -> None:
    """Close this process's connections to a home and wait for its executor's end."""
    Executor.of(folder).close()
    wait_for_end(executor_pid(folder))


def executor_pid(folder: Path) -> int | None:
    """The home's executor, as its lock file names it; None when there never was one."""
    try:
        return int((folder / "executor.lock").read_text())
    except (FileNotFoundError, ValueError):
        return None


def wait_for_end(pid: int | None, timeout_s: float = GONE_S) -> None:
    """Wait until a process has ended, by its pidfd."""
    if pid is None:
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], timeout_s)
    finally:
        os.close(descriptor)
    assert ended, f"process {pid} still runs after {timeout_s} s"
