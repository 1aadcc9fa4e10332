"""Throttled for real: what doesn't run, why, that it is recorded, and that the machine's memory is never oversold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gates import GATED, Gates
from processes import eventually

import lambdanb
from lambdanb.cli import main
from lambdanb.client.connection import Executor
from lambdanb.model.errors import InvalidParameterValueException, ValidationException

ECHO = "def lambda_handler(event, context): return event\n"


@pytest.fixture(autouse=True)
def as_it_was(shared_home: Path) -> Any:
    """The account's settings and functions are left as they were found."""
    yield
    for function in lambdanb.functions():
        function.delete()
    settings(concurrency=1000)


def settings(**changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = Executor.of().ask("settings", **changes)
    return answer


def environments(state: str | None = None) -> list[dict[str, Any]]:
    found = Executor.of().ask("environments")["environments"]
    return [each for each in found if state in (None, each["state"])]


def reason(function: lambdanb.Function, *, worth_waiting: bool = True) -> str | None:
    with pytest.raises(lambdanb.TooManyRequestsException) as raised:
        function("one too many")
    assert raised.value.status == 429
    assert bool(raised.value.retry_after_s) == worth_waiting
    return raised.value.reason


def test_account_s_concurrency() -> None:
    settings(concurrency=2)
    with Gates(lambdanb.deploy("gated", GATED, timeout=30)) as gates:
        other = lambdanb.deploy("other", ECHO)
        gates.hold(2)
        assert reason(gates.function) == "ConcurrentInvocationLimitExceeded"
        assert reason(other) == "ConcurrentInvocationLimitExceeded"
        gates.release(1)
        assert other("again") == "again"
        gates.release(1)
        throttled = other.records()
        assert list(throttled["status"]) == ["throttled", "ok"]
        assert throttled["error_type"][0] == "ConcurrentInvocationLimitExceeded"
        assert (throttled["billed_ms"][0], throttled["cost"][0], throttled["duration_ms"][0]) == (0, 0, 0)
        metrics = other.metrics()
        assert (metrics["throttles"].sum(), metrics["invocations"].sum(), metrics["errors"].sum()) == (1, 1, 0)


def test_reserved_zero_and_one() -> None:
    with Gates(lambdanb.deploy("gated", GATED, timeout=30, reserved_concurrency=0)) as gates:
        assert reason(gates.function, worth_waiting=False) == "ReservedFunctionConcurrentInvocationLimitExceeded"
        gates.function.configure(reserved_concurrency=1)
        gates.hold(1)
        assert reason(gates.function) == "ReservedFunctionConcurrentInvocationLimitExceeded"
        gates.release(1)
        assert gates.function("free") == "free"
        gates.function.configure(reserved_concurrency=None)
        gates.hold(2)
        gates.release(2)


def test_100_must_stay_unreserved() -> None:
    function = lambdanb.deploy("greedy", ECHO)
    with pytest.raises(InvalidParameterValueException, match=r"below its minimum value of \[100\]"):
        function.configure(reserved_concurrency=901)
    function.configure(reserved_concurrency=900)
    assert function(1) == 1


@pytest.mark.parametrize("setting", ["reserved_concurrency", "provisioned_concurrency"])
@pytest.mark.parametrize("wrong", [1.5, True, "5", [1], float("nan")])
def test_concurrency_that_is_no_number_changes_nothing(setting: str, wrong: Any) -> None:
    function = lambdanb.deploy("plain", ECHO)
    before = function.description
    settings: dict[str, Any] = {setting: wrong}
    for change in (
        lambda: function.configure(memory=512, **settings),
        lambda: lambdanb.deploy("plain", "other = 1", **settings),
    ):
        with pytest.raises(ValidationException, match="Member must be an integer"):
            change()
    assert function.description == before


def test_a_refused_deployment_runs_what_is_registered() -> None:
    """The code is registered before its concurrency is refused: then that code has to be what runs, too."""
    function = lambdanb.deploy("greedy", "def lambda_handler(event, context): return 'old'\n")
    assert function() == "old"
    with pytest.raises(InvalidParameterValueException):
        lambdanb.deploy("greedy", "def lambda_handler(event, context): return 'new'\n", reserved_concurrency=10_000)
    assert "'new'" in function.source
    assert function() == "new"


def test_the_machine_s_memory_is_never_oversold() -> None:
    """As many environments as fit run at once; the next is throttled, and runs when there is room."""
    memory_mb = settings()["memory_mb"]
    size = min(10_240, memory_mb // 3)
    fit = memory_mb // size
    with Gates(lambdanb.deploy("big", GATED, memory=size, timeout=60)) as gates:
        gates.hold(fit)
        with pytest.raises(lambdanb.TooManyRequestsException, match="This machine carries environments of"):
            gates.function("one too many")
        assert settings()["used_memory_mb"] == fit * size
        gates.release(1)
        assert gates.function("again") == "again"
        gates.release(fit - 1)


def test_who_has_taken_the_memory_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """More is provisioned than the machine carries: its display says how much is ready, a throttle who has it."""
    size = min(10_240, settings()["memory_mb"] // 3)
    fit = settings()["memory_mb"] // size
    ahead = lambdanb.deploy("ahead", ECHO, memory=size, provisioned_concurrency=fit + 5)
    assert eventually(lambda: ahead.description["provisioned_ready"] == {"1": fit}, 10)
    other = lambdanb.deploy("other", ECHO, memory=size)
    with pytest.raises(lambdanb.TooManyRequestsException) as refused:
        other(1)
    told = f"ahead has {fit * size:,} MB ({fit} environments, {fit} of them provisioned)"
    assert told in refused.value.message
    assert "Lower provisioned concurrency" in refused.value.hint
    assert main(["show", "ahead"]) == 0
    shown = capsys.readouterr().out
    assert f"provisioned for 1: {fit} of {fit + 5} ready" in shown
    assert "The other provisioned environments wait for memory. This machine carries" in shown
    ahead.configure(provisioned_concurrency=1)
    assert ahead.description["provisioned_wait"] is None
    assert eventually(lambda: main(["show", "ahead"]) == 0 and "1 of 1 ready" in capsys.readouterr().out)
    assert other(1) == 1


def test_a_busy_function_has_taken_the_memory() -> None:
    size = min(10_240, settings()["memory_mb"] // 3)
    fit = settings()["memory_mb"] // size
    with Gates(lambdanb.deploy("big", GATED, memory=size, timeout=60)) as gates:
        gates.hold(fit)
        with pytest.raises(lambdanb.TooManyRequestsException) as refused:
            gates.function("one too many")
        assert f"big has {fit * size:,} MB ({fit} environments)" in refused.value.message
        assert "Wait until one has finished" in refused.value.hint
        gates.release(fit)


def test_a_template_takes_memory_too() -> None:
    """SnapStart's template is a process of the function's size. Where it doesn't fit, init is run as without it."""
    memory_mb = settings()["memory_mb"]
    size = min(10_240, memory_mb // 3)
    fit = memory_mb // size
    with Gates(lambdanb.deploy("big", GATED, memory=size, timeout=60, snap_start=True)) as gates:
        gates.hold(fit - 1)
        with pytest.raises(lambdanb.TooManyRequestsException, match="This machine carries environments of"):
            gates.function("one too many")
        assert settings()["used_memory_mb"] == fit * size
        other = lambdanb.deploy("other", ECHO, memory=size, snap_start=True)
        gates.release(1)
        assert eventually(lambda: bool(environments("idle")))
        assert other(1) == 1
        assert settings()["used_memory_mb"] == fit * size
        gates.release(fit - 2)
    gates.function.delete()
    other.delete()
    assert settings()["used_memory_mb"] == 0


def test_idle_environments_make_room() -> None:
    """An idle environment is ended for another function that needs its memory: the one unused for longest first."""
    memory_mb = settings()["memory_mb"]
    size = min(10_240, memory_mb // 3)
    fit = memory_mb // size
    functions = [lambdanb.deploy(f"big{number}", ECHO, memory=size) for number in range(fit + 1)]
    for function in functions[:fit]:
        function(1)
    functions[0](1)  # used again: now the second is the oldest
    assert len(environments("idle")) == fit
    functions[fit](1)
    assert {each["function"] for each in environments()} == {"big0", *(f.name for f in functions[2:])}
    assert settings()["used_memory_mb"] == fit * size


def test_map_sends_throttled_events_again() -> None:
    settings(concurrency=2)
    function = lambdanb.deploy("echo", ECHO)
    assert list(function.map(range(40), in_flight=8)) == list(range(40))
    records = function.records()
    assert len(records[records["status"] == "ok"]) == 40


def test_concurrency_is_given_back_however_an_invocation_ends() -> None:
    settings(concurrency=1)
    source = (
        "import os\n"
        "def lambda_handler(event, context):\n"
        "    if event == 'raise': raise ValueError\n"
        "    if event == 'exit': os._exit(1)\n"
        "    if event == 'hang':\n        while True: pass\n"
        "    return event\n"
    )
    function = lambdanb.deploy("ends", source, timeout=1)
    broken = lambdanb.deploy("broken", "raise RuntimeError\n")
    for event in ("raise", "exit", "hang", "raise"):
        assert function.invoke(event).error is not None
        assert function("good") == "good"
        assert broken.invoke().error is not None
    assert eventually(lambda: not environments("busy"))
