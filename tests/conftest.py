"""A home of its own for each test, and nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from homes import hang_up


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
