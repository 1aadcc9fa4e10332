"""The home's disk is full: what needs it is refused with the reason, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from full_disk import fill, small_disk
from homes import executor_pid, hang_up
from processes import eventually

import lambdanb
from lambdanb.model.errors import ServiceError

ECHO = "def lambda_handler(event, context): return event\n"


def test_running_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", size_mb=8) as disk:
        home = disk / "home"
        monkeypatch.setenv("LAMBDANB_HOME", str(home))
        try:
            function = lambdanb.deploy("echo", ECHO)
            assert function(0) == 0
            executor = executor_pid(home)
            ballast = fill(disk)
            with pytest.raises(ServiceError, match=r"disk|space"):
                lambdanb.deploy("other", ECHO + "#" * 100_000)
            with pytest.raises(ServiceError, match="isn't accepted"):
                function.invoke(1, mode="async")
            assert [function(n) for n in range(100)] == list(range(100))
            assert executor_pid(home) == executor
            ballast.unlink()
            records = eventually(lambda: len(function.records()) == 101, 20.0)
            assert records
        finally:
            hang_up(home)


def test_a_log_that_takes_nothing(home: Path) -> None:
    """The executor's own log may be on a full disk too: a defect must not become its end."""
    home.mkdir()
    (home / "executor.log").symlink_to("/dev/full")
    function = lambdanb.deploy("echo", ECHO)
    assert function(1) == 1
    pid = executor_pid(home)
    with pytest.raises(ServiceError, match=r"The executor failed at .*executor\.log"):
        function._executor.ask("logs", name=["echo"])
    assert function(2) == 2
    assert executor_pid(home) == pid
