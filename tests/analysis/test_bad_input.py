"""Bad input, through the doors that people use: each error says what is wrong and where. What one room alone refuses is
in that room's tests; here are the five that the issue names, and what only shows where rooms meet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plain_runs import forecast

import lambdanb
from lambdanb import simulate
from lambdanb.client.frames import milliseconds
from lambdanb.model.records import COLUMNS
from lambdanb.simulator.function_model import EventInvocations, Simulated
from lambdanb.simulator.keep_alive_curve import keep_alive_curve
from lambdanb.simulator.policies import KeepAlivePolicyError, policy_of, replay_policy
from lambdanb.simulator.profile import Profile
from lambdanb.streams import Poisson, Replay, traces

MODEL = Simulated(warm=0.1, name="resize")
AZURE_HEADER = "HashOwner,HashApp,HashFunction,Trigger," + ",".join(str(minute) for minute in range(1, 1441))


def test_a_truncated_trace(tmp_path: Path) -> None:
    path = tmp_path / "invocations.csv"
    path.write_text(f"{AZURE_HEADER}\no,a,f,http,{','.join(['1'] * 1440)}\no,a,g,timer,1,1,1")
    with pytest.raises(traces.TraceError, match=r"invocations\.csv, line 3: has 7 columns, where the header has 1444"):
        simulate(MODEL, traces.azure_2019.arrivals(path), seconds=60)


def test_a_policy_that_raises() -> None:
    def stingy(idle_times_s: list[float]) -> float:
        return 10 / len(idle_times_s)

    line = stingy.__code__.co_firstlineno
    with pytest.raises(KeepAlivePolicyError) as caught:
        replay_policy(policy_of(stingy), [1.0, 2.0], 0.5)
    assert "keep-alive policy test_a_policy_that_raises.<locals>.stingy" in str(caught.value)
    assert f"test_bad_input.py:{line}), given no idle times yet, raised ZeroDivisionError" in str(caught.value)


Call = Callable[[], Any]
ROWS = pd.DataFrame({"when": [1.0, 2.0]})
BAD: dict[str, tuple[Call, type[Exception], str]] = {
    "a negative rate": (
        lambda: simulate(MODEL, Poisson(-3), seconds=60),
        ValueError,
        "rate must be a number of arrivals per second from 0, not -3",
    ),
    "an unknown column": (
        lambda: simulate(MODEL, Replay(ROWS, "time"), seconds=60),
        ValueError,
        "the DataFrame has no column 'time'; it has when",
    ),
    "events that are none": (
        lambda: Simulated(warm=0.1, name="resize", event=True),  # type: ignore[arg-type]
        ValueError,
        "resize: event is True: it must be an EventInvocations",
    ),
    "an event's age in words": (
        lambda: EventInvocations(maximum_event_age_s="1 h"),  # type: ignore[arg-type]
        ValueError,
        "maximum_event_age_s is '1 h': it must be from 60 to 21,600",
    ),
    "a profile with no records": (
        lambda: Profile.from_records(pd.DataFrame(columns=list(COLUMNS))),
        ValueError,
        "there are no records: invoke the function first",
    ),
    "records that are a list": (
        lambda: Profile.from_records([1]),  # type: ignore[arg-type]
        ValueError,
        "records are the DataFrame of Function.records(), not a list",
    ),
    "a law's memory": (
        lambda: Profile.of_law("resize", warm=5, init=3, memory_mb=-128),
        ValueError,
        "resize: memory_mb is -128: it must be a whole number, 128 to 10,240 MB",
    ),
    "a profile's unknown setting": (
        lambda: Profile.of_law("resize", warm=5, init=3).simulated(memory=256),  # type: ignore[arg-type]
        TypeError,
        "resize: no setting memory; there are warm, name, memory_mb",
    ),
    "no stream": (lambda: simulate(MODEL, 5, seconds=60), TypeError, "5 is no stream; give one of lambdanb.streams"),  # type: ignore[arg-type]
    "a stream's class": (
        lambda: simulate(MODEL, Poisson, seconds=60),  # type: ignore[arg-type]
        TypeError,
        "is no stream; give one of lambdanb.streams, such as Poisson(200)",
    ),
    "no function": (
        lambda: simulate([MODEL, 3], [Poisson(1)] * 2, seconds=60),  # type: ignore[list-item]
        TypeError,
        "simulate forecasts profiles and models of functions; 3 is none",
    ),
    "text for seconds": (lambda: simulate(MODEL, Poisson(1), seconds="60"), ValueError, "seconds is '60': it must be"),  # type: ignore[arg-type]
    "half a run": (
        lambda: simulate(MODEL, Poisson(1), seconds=60, runs=1.5),  # type: ignore[arg-type]
        ValueError,
        "runs is 1.5: it must be a whole number from 1",
    ),
    "half a window": (
        lambda: simulate(MODEL, Poisson(1), seconds=60, windows=1.5),  # type: ignore[arg-type]
        ValueError,
        "windows is 1.5: it must be a whole number from 1 to 10,000",
    ),
    "half an invocation": (
        lambda: simulate(MODEL, Poisson(1), seconds=60, concurrency=2.5),  # type: ignore[arg-type]
        ValueError,
        "concurrency is 2.5: it must be a whole number from 1",
    ),
    "text for a seed": (
        lambda: simulate(MODEL, Poisson(1), seconds=60, seed="1"),  # type: ignore[arg-type]
        ValueError,
        "seed is '1': it must be a whole number from 0",
    ),
    "rules by their name": (
        lambda: simulate(MODEL, Poisson(1), seconds=60, rules="today"),  # type: ignore[arg-type]
        TypeError,
        "rules are model.rules.TODAY, PREVIEW_2014 or either with numbers replaced, not 'today'",
    ),
    "a model's memory": (
        lambda: Simulated(warm=1.0, name="resize", memory_mb=64),
        ValueError,
        "resize: memory_mb is 64: it must be a whole number, 128 to 10,240 MB",
    ),
    "a model's /tmp": (
        lambda: Simulated(warm=1.0, tmp_mb=5),
        ValueError,
        "tmp_mb is 5: it must be a whole number, 512",
    ),
    "a model's timeout": (lambda: Simulated(warm=1.0, timeout_s=5000), ValueError, "more than 0, and at most 900 s"),
    "a timeout as text": (lambda: Simulated(warm=1.0, timeout_s="3"), ValueError, "timeout_s is '3'"),  # type: ignore[arg-type]
    "an error share as text": (lambda: Simulated(warm=1.0, error_share="x"), ValueError, "error_share is 'x'"),  # type: ignore[arg-type]
    "an architecture": (
        lambda: Simulated(warm=1.0, architecture="mips"),
        ValueError,
        "architecture is 'mips': it must be one of x86_64, arm64",
    ),
    "a policy that is none": (
        lambda: replay_policy(600, [1.0], 0.5),  # type: ignore[arg-type]
        ValueError,
        "600 is no keep-alive policy, which has observe and window: policy_of makes one of a number, a law or a",
    ),
    "arrivals as text": (
        lambda: keep_alive_curve("now", 0.3, seconds=60),  # type: ignore[arg-type]
        ValueError,
        "arrivals is 'now': it must be a number, or an array of numbers",
    ),
    "durations as text": (
        lambda: keep_alive_curve(Poisson(1), "x", seconds=60),  # type: ignore[arg-type]
        ValueError,
        "durations_s is 'x': it must be a number, or an array of numbers",
    ),
    "a keep-alive as text": (
        lambda: keep_alive_curve(Poisson(1), 0.3, seconds=60).cold_share("long"),  # type: ignore[arg-type]
        ValueError,
        "keep_alive_s is 'long': it must be a number, or an array of numbers",
    ),
    "a curve's seconds as text": (
        lambda: keep_alive_curve(Poisson(1), 0.3, seconds="60"),  # type: ignore[arg-type]
        ValueError,
        "seconds is '60': it must be a finite number above 0",
    ),
    "what follows a stream": (
        lambda: Poisson(1).then(3, at_s=5),  # type: ignore[arg-type]
        ValueError,
        "then: what follows must be a stream, not 3",
    ),
    "a quantile past all": (
        lambda: forecast().outcome.latency_ms(150),
        ValueError,
        "percent is 150: it must be from 0 to 100",
    ),
    "a time that is none": (
        lambda: milliseconds("yesterday"),
        ValueError,
        "since is 'yesterday': it must be a datetime",
    ),
    "a time to come": (
        lambda: milliseconds(-5),
        ValueError,
        "since is -5: it must be a datetime, or a time back from now",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_it_says_what_and_where(case: str) -> None:
    call, error, told = BAD[case]
    with pytest.raises(error) as caught:
        call()
    assert told in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    found = simulate(
        Simulated(warm=0.1, timeout_s=np.float64(3), error_share=np.float64(0)),
        Poisson(1),
        seconds=np.int64(60),  # type: ignore[arg-type]
        windows=np.int64(6),  # type: ignore[arg-type]
        seed=np.int64(3),  # type: ignore[arg-type]
    )
    assert len(found.outcome.windows) == 6


SOURCE = "def lambda_handler(event, context): return event\n"


def test_a_function_is_not_its_profile(shared_home: Path) -> None:
    function = lambdanb.deploy("echo", SOURCE)
    with pytest.raises(TypeError, match=r"<Function echo> is none; its profile, by \.profile\(\), is one"):
        simulate(function, Poisson(1), seconds=60)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there are no records: invoke the function first"):
        simulate(function.profile(), Poisson(1), seconds=60)
    function.delete()


def test_more_than_a_load_test_sends_is_told_before_it_takes_the_memory(shared_home: Path) -> None:
    function = lambdanb.deploy("echo", SOURCE)
    with pytest.raises(ValueError, match=r"Poisson\(rate=10000000\.0\) has more than 10,000,000 requests in 3600 s"):
        lambdanb.load(function, Poisson(1e7), 3600)
    assert len(function.records()) == 0
    function.delete()


def test_an_event_s_maker_that_raises_is_told_with_its_request(shared_home: Path) -> None:
    function = lambdanb.deploy("echo", SOURCE)
    with pytest.raises(ZeroDivisionError) as caught:
        lambdanb.load(function, Replay([0.0, 0.1]), 1, event=lambda n: 1 / (1 - n))
    assert caught.value.__notes__ == ["This came of event(1), which was to give the event of request 1."]
    function.delete()


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"function": "echo"}, TypeError, "tune invokes a deployed function; 'echo' is none"),
        ({"memory": 128}, TypeError, r"memory is 128: it must be a list of sizes in MB, such as \[128, 512\]"),
        ({"memory": "128"}, TypeError, "memory is '128': it must be a list"),
        ({"events": [1]}, ValueError, r"events are \(weight, event\) pairs, and 1 is none"),
        ({"events": [("2", 1)]}, ValueError, "the weight of an event is a number above 0, not '2'"),
    ],
)
def test_tuning_says_what_it_wants(
    shared_home: Path, arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    function = lambdanb.deploy("echo", SOURCE)
    with pytest.raises(error, match=told):
        lambdanb.tune(**({"function": function} | arguments))
    assert [each.name for each in lambdanb.functions()] == ["echo"], "no copies are left"
    function.delete()
