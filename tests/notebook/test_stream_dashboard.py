"""The stream dashboard by its controls, without a browser."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import lambdanb
from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.load_result import LoadResult
from lambdanb.notebook.stream_dashboard import SIMULATED, StreamDashboard, dashboard
from lambdanb.streams import Constant, Poisson, Replay

DEADLINE_S = 60.0
ECHO = "def lambda_handler(event, context):\n    return event"


@pytest.fixture
def shown(home: Path) -> Iterator[Callable[..., StreamDashboard]]:
    """A dashboard of a function that echoes; closed at the end."""
    opened: list[StreamDashboard] = []
    before = _tables()

    def show(*arguments: Any, **settings: Any) -> StreamDashboard:
        opened.append(dashboard(lambdanb.deploy("echo", ECHO), *arguments, **settings))
        return opened[-1]

    yield show
    for each in opened:
        each.close()
    assert _tables() <= before


def _tables() -> set[str]:
    """The descriptors of this process that hold a load's table."""
    gc.collect()
    return {name for name in os.listdir(f"/proc/{os.getpid()}/fd") if "lambdanb-load" in _target(name)}


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/{os.getpid()}/fd/{descriptor}")
    except OSError:
        return ""


def test_a_measured_run(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Constant(20), seconds=1.0)
    board.start()
    result = board.wait(DEADLINE_S)
    assert isinstance(result, LoadResult)
    assert len(result.records) == 20
    assert (result.records["status"] == "ok").all()
    assert board.chart.points("Arrivals").shape[1] > 0
    assert board.chart.points("Environments").shape[1] > 0
    assert board.chart.points("Cost so far")[1, -1] > 0
    assert "LoadResult of echo: 20 requests" in repr(board)


def test_stopped_and_started_again(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Poisson(20), seconds=1_000.0)
    for _ in range(2):
        board.start()
        board.start()  # one at a time
        board.stop()
        result = board.wait(DEADLINE_S)
        assert isinstance(result, LoadResult)
        assert result.stopped is not None


def test_a_rate_that_changes_while_it_runs(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(seconds=2.0)
    board.parameters[0].value = 0.1
    board.start()
    board.parameters[0].value = 500.0
    result = board.wait(DEADLINE_S)
    assert isinstance(result, LoadResult), board.problem
    assert len(result.records) > 200


def test_a_run_without_any_request(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Replay([]), seconds=1.0)
    board.start()
    result = board.wait(DEADLINE_S)
    assert isinstance(result, LoadResult), board.problem
    assert len(result.records) == 0


def test_a_forecast(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Poisson(5), seconds=3_600.0)
    board.controls["how"].value = SIMULATED
    board.controls["speed"].value = "an hour per s"
    board.start()
    assert "invoke the function first" in board.problem  # nothing is known of it yet
    assert board.result is None
    for n in range(5):
        board.function(n)
    board.start()
    board.parameters[0].value = 2.0
    result = board.wait(DEADLINE_S)
    assert isinstance(result, Forecast)
    assert 30_000 < result.outcome.count("arrivals") < 40_000
    assert board.problem == ""


def test_more_than_can_be_sent_is_told(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Poisson(2_000), seconds=86_400.0)
    board.start()
    assert "172,800,000 requests, more than the 1,000,000 that a measured run takes" in board.problem
    assert board.wait(0) is None


def test_more_than_can_be_forecast_is_told(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Poisson(200), seconds=86_400.0)
    board.controls["how"].value = SIMULATED
    board.start()
    assert "17,280,000 requests, more than the 10,000,000 that a simulated run takes" in board.problem


def test_a_forecast_has_the_provisioned_environments(home: Path) -> None:
    function = lambdanb.deploy("kept", ECHO, provisioned_concurrency=2)
    version = lambdanb.get("kept", next(iter(function.description["provisioned_concurrency"])))
    version(1)
    board = dashboard(version, Poisson(1), seconds=60.0)
    board.controls["how"].value = SIMULATED
    board.controls["speed"].value = "an hour per s"
    board.start()
    result = board.wait(DEADLINE_S)
    board.close()
    assert isinstance(result, Forecast), board.problem
    assert result.outcome.count("cold") == 0
    assert result.cost().provisioned > 0


def test_every_stream_that_is_offered_runs(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Replay([0.0, 1.0, 2.0]), seconds=10.0)
    assert board.controls["stream"].options[0] == "yours"
    for name in board.controls["stream"].options:
        board.controls["stream"].value = name
        assert len(board._due_s(10.0)) >= 0
        assert board.problem == ""


def test_closing_twice_and_starting_after(shown: Callable[..., StreamDashboard]) -> None:
    board = shown(Poisson(5), seconds=1_000.0)
    board.start()
    board.close()
    board.close()
    board.start()
    assert isinstance(board.result, LoadResult)
    assert board.chart.comm is None
    assert "closed" in repr(board)


def test_bad_input(home: Path) -> None:
    function = lambdanb.deploy("echo", ECHO)
    with pytest.raises(TypeError, match=r"stream is 5; give one of lambdanb\.streams"):
        dashboard(function, 5)
    with pytest.raises(ValueError, match="seconds is 0: it must be a number from 1 to"):
        dashboard(function, seconds=0)


def test_the_extension_brings_it(shell: InteractiveShell, home: Path) -> None:
    function = lambdanb.deploy("echo", ECHO)
    board = function.dashboard(Poisson(5))
    assert isinstance(board, StreamDashboard)
    board.close()
    lambdanb.unload_ipython_extension(shell)
    with pytest.raises(RuntimeError, match="run %load_ext lambdanb"):
        function.dashboard()
