"""A home of its own for each test, and nothing left of it afterwards."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdanb.client.connection import Executor

GONE_S = 10.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """LAMBDANB_HOME is a fresh folder. At the end the client hangs up, and the executor must be gone soon after."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LAMBDANB_HOME", str(folder))
    yield folder
    hang_up(folder)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all tests of a module, where starting an executor for each would only cost time."""
    folder = tmp_path_factory.mktemp("shared") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMBDANB_HOME", str(folder))
        yield folder
        hang_up(folder)


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
