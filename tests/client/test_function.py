"""The public API as it is used: called, submitted, mapped, configured, made of closures."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import lambdanb
from lambdanb.client import progress
from lambdanb.client.connection import Executor
from lambdanb.model.errors import InvalidParameterValueException, RequestTooLargeException, ValidationException
from lambdanb.streams import Poisson

ECHO = "def lambda_handler(event, context): return event\n"
PICKY = """
import time
def lambda_handler(event, context):
    if event == "raise": raise LookupError("not " + event)
    if event == "slow": time.sleep(0.3)
    return event
"""


@pytest.mark.parametrize(
    "event",
    [
        None,
        True,
        0,
        -1.5,
        1e308,
        2**80,
        "",
        "käse \U0001f9c0 \x00 \ud800",
        [],
        {},
        {"a": [1, {"b": None}]},
        "x" * 1_000_000,
    ],
    ids=lambda event: repr(event)[:20],
)
def test_what_goes_in_comes_out(echo: lambdanb.Function, event: Any) -> None:
    assert echo(event) == event
    assert echo.invoke(event).payload == event
    assert echo.submit(event).result(10) == event


def test_tuples_and_keys_become_json_s(echo: lambdanb.Function) -> None:
    assert echo((1, 2)) == [1, 2]
    assert echo({1: "one"}) == {"1": "one"}
    assert str(echo(float("nan"))) == "nan"


@pytest.mark.parametrize("event", [{1, 2}, b"bytes", object(), Decimal("1"), {"deep": [set()]}], ids=repr)
def test_what_isn_t_json_is_refused_here(echo: lambdanb.Function, event: Any) -> None:
    for call in (echo, echo.invoke, echo.submit):
        with pytest.raises(TypeError, match=r"An event must be JSON.*Give numbers, texts, lists"):
            call(event)
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="An event must be JSON"):
        echo(loop)


def test_6_mb(echo: lambdanb.Function) -> None:
    most = 6 * 1024 * 1024
    for size in (most - 2, most - 1):
        try:
            assert echo("x" * size) == "x" * size
        except RequestTooLargeException as error:
            assert "payload is too large for the RequestResponse invocation type" in str(error)
            assert size + 2 > most


def test_submit(shared_home: Path) -> None:
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    futures = [function.submit(number) for number in range(100)]
    assert [future.result(20) for future in futures] == list(range(100))
    failed = function.submit("raise")
    assert isinstance(failed.exception(10), lambdanb.FunctionError)
    with pytest.raises(lambdanb.FunctionError, match="not raise"):
        failed.result()


def test_a_cancelled_future_disturbs_no_other(shared_home: Path) -> None:
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    cancelled, kept = function.submit("slow"), function.submit("slow")
    assert cancelled.cancel()
    assert kept.result(10) == "slow"
    assert function.submit("next").result(10) == "next"


def test_callbacks_may_call_again(shared_home: Path) -> None:
    """A callback runs in the reading thread: one that submits mustn't stand in its own way."""
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    second: Future[Any] = Future()

    def go_on(first: Future[Any]) -> None:
        function.submit(first.result() + 1).add_done_callback(lambda done: second.set_result(done.result()))

    function.submit(1).add_done_callback(go_on)
    assert second.result(10) == 2


def test_map(shared_home: Path) -> None:
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    assert list(function.map(range(200), in_flight=4)) == list(range(200))
    assert list(function.map([])) == []
    results = function.map(["a", "raise", "b"])
    assert next(results) == "a"
    with pytest.raises(lambdanb.FunctionError, match="not raise"):
        next(results)
    with pytest.raises(ValueError, match="at least one event"):
        function.map([1], in_flight=0)


def test_map_shows_how_far_it_is(
    shared_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_APPEARS_S", 0.0)
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    assert list(function.map(range(5))) == list(range(5))
    shown = capsys.readouterr().err
    assert "5 of 5 answered" in shown
    assert shown.endswith("\r\x1b[K")


def test_map_takes_events_as_it_goes(shared_home: Path) -> None:
    """An endless source is fine: no more is taken of it than is under way."""
    function = lambdanb.deploy("picky", PICKY, timeout=20)
    taken: list[int] = []

    def endless() -> Any:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = function.map(endless(), in_flight=3)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) <= 14


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        (None, TypeError, "The source is None, of type NoneType: give the module's code as a text"),
        (b"x = 1", TypeError, "The source is b'x = 1', of type bytes: give"),
        (1, TypeError, "The source is 1, of type int"),
        ("x = 1\ny = '\0'\n", ValueError, "a null byte in line 2"),
    ],
)
def test_a_source_that_is_none(shared_home: Path, source: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=re.escape(told)):
        lambdanb.deploy("none", source)
    assert "none" not in [function.name for function in lambdanb.functions()]


def test_a_source_that_is_not_utf_8(shared_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(b"name = '\xe9'\n")
    with pytest.raises(ValueError, match=r"latin\.py is not UTF-8: .*Save it as UTF-8"):
        lambdanb.deploy("none", path)


def test_an_event_that_is_nested_too_deep(echo: lambdanb.Function) -> None:
    event: Any = []
    for _ in range(100_000):
        event = [event]
    for call in (echo, echo.submit, echo.invoke):
        with pytest.raises(TypeError, match="nested too deep"):
            call(event)


def test_map_ends_where_waiting_won_t_help(shared_home: Path) -> None:
    function = lambdanb.deploy("stopped", ECHO, reserved_concurrency=0)
    with pytest.raises(lambdanb.TooManyRequestsException, match="stops the function"):
        list(function.map([1, 2]))
    function.delete()


@pytest.mark.parametrize("context", [5, {"n": object()}])
def test_a_client_context_is_json(echo: lambdanb.Function, context: Any) -> None:
    with pytest.raises(TypeError, match=r"client_context .*must be a dict that JSON can say"):
        echo.invoke(1, client_context=context)


def test_a_client_context_has_a_largest_size(echo: lambdanb.Function) -> None:
    with pytest.raises(ValueError, match="Lambda takes at most 3,583"):
        echo.invoke(1, client_context={"custom": {"x": "y" * 4000}})


def test_a_client_context_of_another_shape_fails_its_invocation_alone(echo: lambdanb.Function) -> None:
    failed = echo.invoke(1, client_context={"client": 5})
    assert failed.error is not None
    assert "Unable to parse Client Context" in str(failed.error)
    assert echo(2) == 2


def test_unknown_settings_name_the_choices(echo: lambdanb.Function) -> None:
    with pytest.raises(TypeError, match=r"unknown setting memroy; there are .*memory, .*timeout"):
        echo.configure(memroy=512)
    with pytest.raises(TypeError, match=r"unknown setting triggers; there are"):
        echo.configure(triggers=["s3://photos/*.jpg"])
    with pytest.raises(InvalidParameterValueException, match=r"Unknown settings triggers; there are .*memory_mb"):
        Executor.of().ask("configure", name=echo.name, triggers=[])
    with pytest.raises(TypeError, match="unknown setting memory_mb"):
        lambdanb.function("named", memory_mb=512)(lambda event: event)  # type: ignore[operator]
    with pytest.raises(ValidationException, match="Value '64' at 'memorySize' failed to satisfy constraint"):
        echo.configure(memory=64)
    with pytest.raises(InvalidParameterValueException, match="AWS_REGION"):
        echo.configure(environment={"AWS_REGION": "mars"})
    with pytest.raises(ValidationException, match="functionName"):
        lambdanb.deploy("no good name", ECHO)
    assert echo.description["configuration"]["memory_mb"] == 128


def test_source_from_a_file(shared_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "any_name.py"
    file.write_text(ECHO)
    function = lambdanb.deploy("from-file", file)
    assert function("read") == "read"
    assert function.source == ECHO


def test_listing(home: Path) -> None:
    assert lambdanb.functions() == []
    for name in ("b", "a"):
        lambdanb.deploy(name, ECHO)
    assert [function.name for function in lambdanb.functions()] == ["a", "b"]
    lambdanb.get("a").delete()
    assert [function.name for function in lambdanb.functions()] == ["b"]


# @lambdanb.function

FACTOR = 3


def by_factor(number: int) -> int:
    return number * FACTOR


def test_closures(shared_home: Path) -> None:
    step, table = 10, {"a": 1}

    @lambdanb.function
    def closes_over(event: Any) -> Any:
        return [event + step, table]

    assert isinstance(closes_over, lambdanb.Function)
    assert closes_over.name == "closes_over"
    assert closes_over(1) == [11, {"a": 1}]
    step = 20
    assert closes_over(1) == [11, {"a": 1}], "by value, as it was"


def test_closure_with_settings_context_and_defaults(shared_home: Path) -> None:
    @lambdanb.function(memory=256, timeout=7)  # type: ignore[arg-type]
    def with_context(event: Any, context: Any) -> Any:
        return [event, context.memory_limit_in_mb]

    assert with_context(1) == [1, "256"]  # type: ignore[operator]

    @lambdanb.function("renamed")
    def with_default(event: Any, rate: float = 0.5) -> Any:
        return event * rate

    assert with_default.name == "renamed"  # type: ignore[union-attr]
    assert with_default(3) == 1.5  # type: ignore[operator]

    @lambdanb.function("maybe")
    def context_with_default(event: Any, context: Any = None) -> Any:
        return context is not None

    assert context_with_default() is True  # type: ignore[operator]
    for wrong in (lambda: 1, lambda a, b, c: 1, lambda event, *, needed: 1):
        with pytest.raises(TypeError, match="can't be a handler"):
            lambdanb.function("wrong")(wrong)  # type: ignore[operator]


SCRIPT = """
import functools, math
import lambdanb

RATE = 2
class Point:
    def __init__(self, x): self.x = x
    def twice(self): return Point(self.x * RATE)

def helper(point): return point.twice().x + math.floor(0.5)

def traced(function):
    @functools.wraps(function)
    def inner(event):
        return ["traced", function(event)]
    return inner

@lambdanb.function(memory=256)
@traced
def uses_all(event):
    def factorial(n): return 1 if n < 2 else n * factorial(n - 1)
    return [helper(Point(event)), factorial(5)]

print(uses_all(21), uses_all.name)
"""


def test_closures_of_a_script_take_globals_classes_and_decorators_along(shared_home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("['traced', [42, 120]] uses_all\n", "")


def test_a_partial_s_own_name_is_asked_for(shared_home: Path) -> None:
    add = functools.partial(lambda a, b: a + b, 1)
    function = lambdanb.function("adds")(add)  # type: ignore[operator]
    assert function(2) == 3
    with pytest.raises(TypeError, match="has no name: give one"):
        lambdanb.function(add)


# Homes, processes, threads


def test_a_profile_is_what_a_forecast_is_made_from(home: Path) -> None:
    """From a real run to a forecast of another: its concurrency is the rate times the time."""
    source = "import time\ndef lambda_handler(event, context): time.sleep(0.02)\n"
    function = lambdanb.deploy("sleeps", source, memory=256, timeout=5, keep_alive=7, tmp=1024)
    with pytest.raises(ValueError, match="no records"):
        function.profile()
    for _ in range(20):
        function()
    profile = function.profile()
    assert profile.at(256).invocations == 20
    assert profile.settings == {"keep_alive_s": 7, "timeout_s": 5, "tmp_mb": 1024, "architecture": "x86_64"}
    forecast = lambdanb.simulate(profile.simulated(), Poisson(50), seconds=200)
    assert not forecast.outcome.measured
    busy = forecast.outcome.mean("busy_warm") + forecast.outcome.mean("busy_cold")
    assert busy == pytest.approx(50 * profile.at(256).warm_ms.mean() / 1e3, rel=0.1)
