"""Load tests that end before their time: what there is is told, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from arrivals import At
from doors import HELD, Door
from homes import executor_pid, wait_for_end
from loaders import loaders_of

import lambdanb
from lambdanb.analysis.load import load
from lambdanb.analysis.load_result import LoadResult

NEVER_S = 300.0
"""When the last request would be due: no test waits for it."""


def load_until(home: Path, do: Callable[[], object]) -> LoadResult:
    """A load of three requests, the second of which is held while `do` ends it all; the third is never due."""
    function = lambdanb.deploy("held", HELD, timeout=900)
    with Door(do=do) as door:
        result = load(function, At((0.0, 0.5, NEVER_S)), NEVER_S + 1, event=lambda n: door.event if n == 1 else None)
    assert loaders_of(os.getpid()) == []
    # The next run finds all as it should be.
    assert function("again") == "again"
    return result


def kill_loader() -> None:
    (pid,) = loaders_of(os.getpid())
    os.kill(pid, signal.SIGKILL)


def test_interrupted(home: Path) -> None:
    held = []

    def interrupt() -> None:
        # Let go only when the loader has given up on the answer.
        (pid,) = loaders_of(os.getpid())
        os.kill(os.getpid(), signal.SIGINT)
        wait_for_end(pid)
        held.append(pid)

    result = load_until(home, interrupt)
    assert held
    assert list(result.records["status"]) == ["ok", "lost"]
    assert result.records["error_type"].isna()[0]
    assert result.records["error_type"][1] == "Interrupted"
    assert result.stopped is not None
    assert result.stopped.startswith("interrupted after")
    assert "Stopped: interrupted after" in repr(result)
    assert result.seconds < NEVER_S
    assert result.summary()["lost"] == 1


def test_an_interrupt_waits_for_answers_under_way(home: Path) -> None:
    result = load_until(home, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert list(result.records["status"]) == ["ok", "ok"]
    assert result.stopped is not None


def test_the_loader_is_killed(home: Path) -> None:
    result = load_until(home, kill_loader)
    assert list(result.records["status"]) == ["ok", "lost"]
    assert result.records["error_type"][1] == "LoaderLost"
    assert result.stopped is not None
    assert "killed (signal 9)" in result.stopped
    # What it had measured by then is there, joined to the executor's record.
    assert result.records["duration_ms"][0] > 0
    assert result.outcome.count("cold") == 1


def test_the_executor_is_killed(home: Path) -> None:
    def kill_executor() -> None:
        pid = executor_pid(home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    result = load_until(home, kill_executor)
    assert list(result.records["status"]) == ["ok", "lost"]
    assert result.records["error_type"][1] == "ExecutorLost"
    assert result.stopped is not None
    assert "the executor went away" in result.stopped


def test_a_loader_that_fails_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = lambdanb.deploy("held", HELD)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="exit code 1"):
        load(function, At((0.0,)), 1)


def test_no_loader_outlives_its_notebook(home: Path, tmp_path: Path) -> None:
    lambdanb.deploy("held", HELD, timeout=900)
    script = tmp_path / "notebook.py"
    script.write_text(
        "import sys, lambdanb\nfrom arrivals import At\nfrom lambdanb.analysis.load import load\n"
        "load(lambdanb.get('held'), At((0.0, 300.0)), 301, event={'door': int(sys.argv[1])})\n"
    )
    loader_pids: list[int] = []

    def kill_notebook() -> None:
        loader_pids.extend(loaders_of(notebook.pid))
        notebook.kill()
        wait_for_end(loader_pids[0])

    roots = os.pathsep.join([str(Path(lambdanb.__file__).parents[1]), str(Path(__file__).parent)])
    with Door(do=kill_notebook) as door:
        notebook = subprocess.Popen(
            [sys.executable, str(script), str(door.event["door"])], env=os.environ | {"PYTHONPATH": roots}
        )
    assert len(loader_pids) == 1
    assert notebook.wait() == -signal.SIGKILL
