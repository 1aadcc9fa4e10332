"""A load test as its user sees it: what is sent, when, and what the result tells of each request."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arrivals import At, Poisson
from doors import HELD, Door, until
from loaders import loaders_of

import lambdanb
from lambdanb.analysis.load import load

ECHO = "def lambda_handler(event, context): return event\n"
TELLS = """
def lambda_handler(event, context):
    raise type(str(event), (Exception,), {})
"""
"""A function that tells its event as the type of its error."""


@pytest.fixture(autouse=True)
def as_it_was(shared_home: Path) -> Iterator[None]:
    """No function and no loader is left."""
    yield
    for function in lambdanb.functions():
        function.delete()
    assert loaders_of(os.getpid()) == []


def test_a_row_for_each_request_with_the_executor_s_record() -> None:
    function = lambdanb.deploy("echo", ECHO, memory=512)
    result = load(function, Poisson(200), 0.5, event={"key": "cat"}, seed=3)
    records, due_s = result.records, np.concatenate(list(Poisson(200).chunks(3, 0.5)))
    assert list(records["due_s"]) == list(due_s)
    assert set(records["status"]) == {"ok"}
    assert (records["sent_s"] >= records["due_s"]).all()
    assert (records["answered_s"] > records["sent_s"]).all()
    assert np.allclose(records["latency_ms"], (records["answered_s"] - due_s) * 1e3)
    assert records["cold"].any()
    assert records["request_id"].is_unique
    kept = function.records().set_index("request_id").loc[records["request_id"]]
    for column in ("duration_ms", "billed_ms", "memory_mb", "cold", "cost", "environment_id"):
        assert list(kept[column]) == list(records[column]), column
    assert float(result.cost().total) == pytest.approx(kept["cost"].sum())
    assert result.cost(free_tier=True).total == 0
    assert result.outcome.measured
    assert result.outcome.billed_ms == kept["billed_ms"].sum()
    assert result.outcome.count("arrivals") == len(due_s) == result.summary()["invocations"]
    assert (kept["arrived"] >= result.started).all()
    assert result.stopped is None


def test_the_records_of_others_are_left_out() -> None:
    function = lambdanb.deploy("echo", ECHO)
    function("before")
    with Door(do=lambda: function("meanwhile")) as door:
        held = lambdanb.deploy("held", HELD)
        assert len(load(held, At((0.0,)), 1, event=door.event).records) == 1
    assert len(load(function, At((0.0, 0.1)), 1).records) == 2


def test_a_stream_without_requests() -> None:
    result = load(lambdanb.deploy("echo", ECHO), At(()), 5)
    assert len(result.records) == 0
    assert result.summary()["invocations"] == 0
    assert result.limited_by is None
    assert "0 requests" in repr(result)
    assert "0 requests" in result._repr_html_()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("same", ["same", "same", "same"]),
        (lambda n: f"event{n}", ["event0", "event1", "event2"]),
        (["a", "list"], ["['a', 'list']"] * 3),
    ],
)
def test_events(event: Any, told: list[str]) -> None:
    function = lambdanb.deploy("tells", TELLS)
    records = load(function, At((0.0, 0.1, 0.2)), 1, event=event).records
    assert list(records["status"]) == ["error"] * 3
    assert list(records["error_type"]) == told


def test_events_from_a_dataframe_s_rows() -> None:
    rows = pd.DataFrame({"a": [1, 2], "b": ["x\ny", None], "at": pd.to_datetime(["2024-01-02", None])})
    function = lambdanb.deploy("tells", "import json\n" + TELLS.replace("str(event)", "json.dumps(event)[:60]"))
    records = load(function, At((0.0, 0.1, 0.2)), 1, event=rows).records
    first, second = [{"a": 1, "b": "x\ny", "at": "2024-01-02T00:00:00.000"}, {"a": 2, "b": None, "at": None}]
    assert [text for text in records["error_type"]] == [json.dumps(each)[:60] for each in (first, second, first)]


def test_a_stalled_function_does_not_slow_the_arrivals() -> None:
    # The door lets nobody go before all eight stand there: who waits for an answer before it sends on, never ends.
    function = lambdanb.deploy("held", HELD, memory=128)
    with Door(count=8) as door:
        result = load(function, At(tuple(n / 20 for n in range(8))), 1, event=door.event)
    assert set(result.records["status"]) == {"ok"}
    assert result.outcome.count("cold") == 8


def test_more_than_the_socket_takes_at_once() -> None:
    function = lambdanb.deploy("echo", "def lambda_handler(event, context): return len(event)\n", memory=128)
    result = load(function, At((0.0,) * 4), 1, event="x" * 1_000_000)
    assert set(result.records["status"]) == {"ok"}
    assert (result.records["sent_s"] >= 0).all()


def test_throttled() -> None:
    function = lambdanb.deploy("held", HELD, reserved_concurrency=1)

    def until_the_others_were_refused() -> None:
        until(lambda: (function.records()["status"] == "throttled").sum() == 3)

    with Door(do=until_the_others_were_refused) as door:
        result = load(function, At((0.0, 0.1, 0.2, 0.3)), 1, event=door.event)
    assert list(result.records["status"]) == ["ok", "throttled", "throttled", "throttled"]
    assert set(result.records["error_type"][1:]) == {"ReservedFunctionConcurrentInvocationLimitExceeded"}
    assert result.outcome.count("throttled") == 3
    assert sum(result.outcome.latency.values()) == 1
    assert "3 throttled" in repr(result)


def test_errors_and_timeouts() -> None:
    function = lambdanb.deploy(
        "slow", "def lambda_handler(event, context):\n    while event: pass\n    1 / 0", timeout=1
    )
    result = load(function, At((0.0, 0.1)), 1, event=lambda n: n)
    assert list(result.records["status"]) == ["error", "error"]
    assert list(result.records["error_type"]) == ["ZeroDivisionError", "Sandbox.Timedout"]
    assert result.outcome.count("errors") == 2
    assert result.records["billed_ms"][1] >= 1000


def test_a_function_deleted_meanwhile() -> None:
    function = lambdanb.deploy("held", HELD)
    with Door(do=function.delete) as door:
        result = load(function, At((0.0, 3.0, 3.1)), 4, event=lambda n: door.event if n == 0 else None)
    assert list(result.records["status"]) == ["ok", "refused", "refused"]
    assert set(result.records["error_type"][1:]) == {"ResourceNotFoundException"}
    assert result.summary()["refused"] == 2
    assert result.outcome.count("arrivals") == 3
    assert result.outcome.count("warm") + result.outcome.count("cold") == 1


def test_a_version_is_driven_as_such() -> None:
    version = lambdanb.deploy("echo", ECHO).publish()
    assert list(load(version, At((0.0,)), 1).records["version"]) == ["1"]


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"seconds": 0}, ValueError, "seconds is 0"),
        ({"seconds": -1.5}, ValueError, "seconds is -1.5"),
        ({"seconds": float("inf")}, ValueError, "finite"),
        ({"seconds": float("nan")}, ValueError, "finite"),
        ({"seconds": "30"}, TypeError, "seconds is '30'"),
        ({"stream": 200}, TypeError, "200 is no stream"),
        ({"stream": Poisson}, TypeError, "is no stream"),
        ({"stream": At((0.3, 0.1))}, ValueError, "must ascend"),
        ({"stream": At((-1.0, 0.1))}, ValueError, "from 0 on"),
        ({"event": {1, 2}}, TypeError, "must be JSON"),
        ({"event": lambda n: object()}, TypeError, r"event\(0\) gave"),
        ({"event": pd.DataFrame({"a": []})}, ValueError, "without rows"),
        ({"event": pd.DataFrame({"a": [object()]})}, TypeError, "must be JSON"),
        ({"function": "echo"}, TypeError, "'echo' is none"),
    ],
)
def test_bad_input(changes: dict[str, Any], error: type[Exception], told: str) -> None:
    given = {"function": lambdanb.deploy("echo", ECHO), "stream": At((0.0,)), "seconds": 1, "event": None} | changes
    with pytest.raises(error, match=told):
        load(given["function"], given["stream"], given["seconds"], event=given["event"])


def test_no_such_function() -> None:
    function = lambdanb.deploy("echo", ECHO)
    function.delete()
    with pytest.raises(lambdanb.ServiceError, match="Function not found"):
        load(function, At((0.0,)), 1)


def test_what_an_event_s_callable_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        load(lambdanb.deploy("echo", ECHO), At((0.0,)), 1, event=lambda n: 1 / n)
