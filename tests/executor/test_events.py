"""Event invocations: accepted means run; retried, delivered to destinations, given up, as AWS does; times shortened."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gates import GATED, Gates
from homes import executor_pid, wait_for_end
from processes import eventually

import lambdanb
from lambdanb.client.connection import Executor
from lambdanb.executor.event_queue import EventQueue, NewEvent
from lambdanb.model.errors import RequestTooLargeException, ServiceError

ARN = "arn:aws:lambda:us-east-1:123456789012:function"
TIMES = {"retry_first_s": 0.3, "retry_second_s": 0.6, "throttle_backoff_s": 0.1, "throttle_backoff_longest_s": 0.4}
DEADLINE_S = 30.0
SEEN = "import json\ndef lambda_handler(event, context): print('seen', json.dumps(event), flush=True)\n"
FAILS = "def lambda_handler(event, context):\n    print('tried', context.aws_request_id)\n    raise ValueError(event)\n"


@pytest.fixture(scope="module", autouse=True)
def short_times() -> Any:
    """The module's executor has short times: it inherits them when the first test starts it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMBDANB_TIMES", json.dumps(TIMES))
        yield


@pytest.fixture(autouse=True)
def as_it_was(shared_home: Path, short_times: None) -> Any:
    yield
    for function in lambdanb.functions():
        function.delete()
    Executor.of().ask("settings", concurrency=1000)


def fresh(name: str, numbers: Iterator[int] = itertools.count()) -> str:  # noqa: B008
    """A name of its own: records, as AWS's metrics, outlive their function."""
    return f"{name}-{next(numbers)}"


def waiting() -> dict[str, Any]:
    """Events by function that are queued or under way."""
    depths: dict[str, Any] = Executor.of().ask("environments")["events"]
    return depths


def seen(function: lambdanb.Function) -> list[Any]:
    """The events that a function with the source SEEN was given, in order."""
    return [json.loads(line.partition(" ")[2]) for line in function.logs(100_000) if line.startswith("seen ")]


def settled() -> bool:
    return eventually(lambda: not waiting(), DEADLINE_S)


def test_accepted_and_run() -> None:
    function = lambdanb.deploy(fresh("seen"), SEEN)
    accepted = function.invoke({"key": "käse"}, mode="async")
    assert (accepted.status_code, accepted.payload, accepted.error, accepted.record) == (202, None, None, None)
    assert settled()
    assert seen(function) == [{"key": "käse"}]
    (record,) = function.records().to_dict("records")
    assert (record["request_id"], record["trigger"], record["status"]) == (accepted.request_id, "event", "ok")


def test_dry_run_runs_nothing() -> None:
    function = lambdanb.deploy(fresh("seen"), SEEN)
    assert function.invoke(1, mode="dry-run").status_code == 204
    with pytest.raises(ServiceError, match="Function not found"):
        lambdanb.Function("nobody").invoke(1, mode="dry-run")
    with pytest.raises(ServiceError, match="none of sync, async, dry-run"):
        function.invoke(1, mode="later")  # type: ignore[arg-type]
    assert seen(function) == []
    assert function.records().empty


def test_payload_limit_is_1_mb() -> None:
    function = lambdanb.deploy("seen", "def lambda_handler(event, context): print('seen', len(event))\n")
    function.invoke("x" * (1024 * 1024 - 2), mode="async")
    with pytest.raises(RequestTooLargeException, match="1048577 byte payload is too large for the Event invocation"):
        function.invoke("x" * (1024 * 1024 - 1), mode="async")
    assert settled()
    assert seen(function) == [1024 * 1024 - 2]


def test_two_retries_under_the_same_request_id() -> None:
    function = lambdanb.deploy(fresh("fails"), FAILS)
    accepted = function.invoke("colour", mode="async")
    assert settled()
    records = function.records()
    assert list(records["request_id"]) == [accepted.request_id] * 3
    assert list(records["error_type"]) == ["ValueError"] * 3
    waits = records["arrived_ms"].diff().dropna() / 1000
    assert waits.iloc[0] >= TIMES["retry_first_s"] and waits.iloc[1] >= TIMES["retry_second_s"]


@pytest.mark.parametrize("retries", [0, 1])
def test_maximum_retry_attempts(retries: int) -> None:
    function = lambdanb.deploy(fresh("fails"), FAILS, maximum_retry_attempts=retries)
    function.invoke("colour", mode="async")
    assert settled()
    assert len(function.records()) == 1 + retries


@pytest.mark.parametrize("how", ["os._exit(3)", "while True: pass", "import ctypes; ctypes.string_at(0)"])
def test_crashes_and_timeouts_are_retried_too(how: str) -> None:
    source = f"import os\ndef lambda_handler(event, context):\n    {how}\n"
    function = lambdanb.deploy(fresh("fails"), source, timeout=1, maximum_retry_attempts=1)
    function.invoke("colour", mode="async")
    assert settled()
    assert len(function.records()) == 2


def test_on_success() -> None:
    witness = lambdanb.deploy("witness", SEEN)
    source = "def lambda_handler(event, context): return {'doubled': event['n'] * 2}\n"
    function = lambdanb.deploy("doubles", source, on_success="witness")
    accepted = function.invoke({"n": 21}, mode="async")
    assert settled()
    (told,) = seen(witness)
    assert time.strptime(told.pop("timestamp"), "%Y-%m-%dT%H:%M:%S.%fZ")
    assert told == {
        "version": "1.0",
        "requestContext": {
            "requestId": accepted.request_id,
            "functionArn": f"{ARN}:doubles:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 21},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"doubled": 42},
    }
    assert list(witness.records()["trigger"]) == ["destination"]
    # A synchronous invocation has no destination.
    function({"n": 1})
    assert settled()
    assert len(seen(witness)) == 1


def test_on_failure_after_the_retries() -> None:
    witness = lambdanb.deploy("witness", SEEN)
    function = lambdanb.deploy(fresh("fails"), FAILS, on_failure=f"{ARN}:witness", on_success="witness")
    function.publish()
    function.alias("live", 1).invoke("colour", mode="async")
    assert settled()
    (told,) = seen(witness)
    assert told["requestContext"] == {
        "requestId": function.records()["request_id"][0],
        "functionArn": f"{function.arn}:live",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert told["requestPayload"] == "colour"
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"}
    assert told["responsePayload"]["errorType"] == "ValueError"
    assert told["responsePayload"]["errorMessage"] == "colour"


def test_a_destination_that_is_gone_holds_nothing_up() -> None:
    lambdanb.deploy("witness", SEEN)
    function = lambdanb.deploy("doubles", "def lambda_handler(event, context): return 1\n", on_success="witness")
    lambdanb.get("witness").delete()
    function.invoke(1, mode="async")
    assert settled()
    assert function(1) == 1


def test_throttled_events_wait_and_run() -> None:
    """What finds no room goes back to the queue; it is not a failure and takes no retry."""
    with Gates(lambdanb.deploy("gated", GATED, timeout=30, reserved_concurrency=1)) as gates:
        gates.hold(1)
        for number in range(5):
            assert gates.function.invoke(number, mode="async").status_code == 202
        throttled = eventually(lambda: (gates.function.records()["status"] == "throttled").any(), 10)
        assert throttled
        gates.release(1)
    assert settled()
    records = gates.function.records()
    ran = records[(records["trigger"] == "event") & (records["status"] == "ok")]
    assert len(ran) == 5
    assert ran["request_id"].is_unique


def test_a_stopped_function_s_events_run_when_it_is_let_go() -> None:
    function = lambdanb.deploy(fresh("seen"), SEEN, reserved_concurrency=0)
    function.invoke("late", mode="async")
    assert eventually(lambda: len(function.records()) >= 1, 10)
    assert seen(function) == []
    function.configure(reserved_concurrency=None)
    assert settled()
    assert seen(function) == ["late"]


def test_one_stopped_function_holds_up_no_other() -> None:
    stopped = lambdanb.deploy("stopped", SEEN, reserved_concurrency=0)
    function = lambdanb.deploy("seen", SEEN)
    for number in range(100):
        stopped.invoke(number, mode="async")
    function.invoke("through", mode="async")
    assert eventually(lambda: seen(function) == ["through"], 10)
    assert "seen" not in waiting() or eventually(lambda: "seen" not in waiting(), 5)
    stopped.delete()
    assert settled()


def test_deleted_with_events_queued() -> None:
    function = lambdanb.deploy("seen", SEEN, reserved_concurrency=0)
    for number in range(20):
        function.invoke(number, mode="async")
    function.delete()
    assert settled()
    again = lambdanb.deploy("seen", SEEN)
    again.invoke("after", mode="async")
    assert settled()
    assert seen(again) == ["after"], "the events of the deleted function went with it"


def test_a_thousand_at_once() -> None:
    function = lambdanb.deploy("seen", SEEN, memory=256)
    for number in range(1000):
        function.invoke(number, mode="async")
    assert eventually(lambda: not waiting(), 60)
    assert sorted(seen(function)) == list(range(1000))


def test_maximum_age(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that were queued while no executor ran, longer ago than they may wait: told, not run."""
    monkeypatch.setenv("LAMBDANB_TIMES", json.dumps(TIMES))
    witness = lambdanb.deploy("witness", SEEN)
    function = lambdanb.deploy("aged", SEEN, on_failure="witness", maximum_event_age=60)
    Executor.of().close()
    wait_for_end(executor_pid(home))
    queue = EventQueue(home / "events.db", "a test's")
    now_ms = int(time.time() * 1000)
    for request_id, age_s in (("old", 61), ("young", 30)):
        queue.enqueue([NewEvent(request_id, "aged", None, b'"%s"' % request_id.encode(), now_ms - age_s * 1000, 60)])
    queue.close()
    assert settled()
    assert seen(function) == ["young"]
    (told,) = seen(witness)
    assert told["requestContext"]["condition"] == "EventAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert told["requestPayload"] == "old"


def test_a_destination_must_exist_and_be_another() -> None:
    with pytest.raises(ServiceError, match=r"on_failure is 'ghost', which doesn't exist; deploy it first"):
        lambdanb.deploy("fails", FAILS, on_failure="ghost")
    function = lambdanb.deploy("fails", FAILS)
    with pytest.raises(ServiceError, match="can't be its own destination"):
        function.configure(on_success="fails")


def logged(function: lambdanb.Function, words: str) -> str:
    """The line of the function's log with these words, once it is there."""
    assert eventually(lambda: any(words in line for line in function.logs()), DEADLINE_S)
    return next(line for line in function.logs() if words in line)


def test_a_record_that_no_destination_gets_is_told_in_the_log() -> None:
    witness = lambdanb.deploy("witness", SEEN)
    function = lambdanb.deploy(fresh("fails"), FAILS, on_failure="witness", maximum_retry_attempts=0)
    witness.delete()
    invocation = function.invoke({"n": 1}, mode="async")
    told = logged(function, "the destination witness")
    assert "RetriesExhausted" in told
    assert function.logs(request_id=invocation.request_id)[-1] == told


def test_a_record_too_large_for_an_event_is_told_in_the_log() -> None:
    lambdanb.deploy("witness", SEEN)
    large = "def lambda_handler(event, context): return 'x' * 2_000_000\n"
    function = lambdanb.deploy(fresh("large"), large, on_success="witness")
    function.invoke({}, mode="async")
    assert "too large for the Event invocation type" in logged(function, "the destination witness")
