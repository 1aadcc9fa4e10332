"""Errors keep what they say across the wire and across pickling, and word failures as AWS does."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys

import pytest

from lambdanb.model import errors, function_errors
from lambdanb.model.errors import ExecutorLost, FunctionError, ServiceError, from_wire

KINDS = sorted(errors._BY_CODE.items())


@pytest.mark.parametrize(("code", "kind"), KINDS, ids=[code for code, _ in KINDS])
def test_service_errors_cross_the_wire(code: str, kind: type[ServiceError]) -> None:
    error = kind("what happened")
    assert kind.__name__ == code == error.code
    error.hint = "what to do"
    for again in (from_wire(json.loads(json.dumps(error.to_wire()))), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert (again.message, again.status, again.type, again.hint) == (
            "what happened",
            error.status,
            error.type,
            "what to do",
        )


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.ResourceNotFoundException, 404),
        (errors.ResourceConflictException, 409),
        (errors.InvalidParameterValueException, 400),
        (errors.ValidationException, 400),
        (errors.TooManyRequestsException, 429),
        (errors.RequestTooLargeException, 413),
        (errors.CodeStorageExceededException, 400),
        (errors.InvalidRequestContentException, 400),
        (errors.ServiceException, 500),
    ],
)
def test_statuses(kind: type[ServiceError], status: int) -> None:
    assert kind().status == status
    assert kind().type == ("Service" if status >= 500 else "User")


def test_a_throttle_says_why_and_for_how_long() -> None:
    error = errors.TooManyRequestsException(reason="ReservedFunctionConcurrentInvocationLimitExceeded", retry_after_s=2)
    again = from_wire(error.to_wire())
    assert isinstance(again, errors.TooManyRequestsException)
    assert (again.reason, again.retry_after_s) == ("ReservedFunctionConcurrentInvocationLimitExceeded", 2)
    assert str(again) == "Rate Exceeded. (ReservedFunctionConcurrentInvocationLimitExceeded)"


def test_an_unknown_code_is_kept() -> None:
    error = from_wire({"code": "NewException", "message": "new", "status": 418, "type": "User"})
    assert type(error) is ServiceError
    assert (error.code, error.status, str(error)) == ("NewException", 418, "new")
    assert from_wire({}).status == 500


def test_function_error_of_an_exceptions_payload() -> None:
    payload = {"errorMessage": "'x'", "errorType": "KeyError", "requestId": "r1", "stackTrace": ['  File "a.py"\n']}
    error = FunctionError.from_payload(json.dumps(payload).encode(), function="f", log="printed\n")
    assert (error.error_type, error.error_message, error.request_id, error.log) == (
        "KeyError",
        "'x'",
        "r1",
        "printed\n",
    )
    assert str(error).splitlines()[0] == "f: KeyError: 'x'"
    assert '  File "a.py"' in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)


@pytest.mark.parametrize("payload", [b"", b"garbage \xff", b"[1]", b'{"other": 1}', b"null"])
def test_function_error_of_a_payload_of_another_form(payload: bytes) -> None:
    error = FunctionError.from_payload(payload, request_id="r1")
    assert (error.error_type, error.request_id, error.stack_trace) == ("Unhandled", "r1", [])


def test_function_error_of_odd_members() -> None:
    error = FunctionError.from_payload(b'{"errorType": null, "errorMessage": 5, "stackTrace": "text"}')
    assert (error.error_type, error.error_message, error.stack_trace) == ("Unhandled", "5", [])


def test_executor_lost_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(ExecutorLost("gone", sent=False)))
    assert (str(again), again.sent) == ("gone", False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(1)", "Runtime exited with error: exit status 1"),
        ("import os; os._exit(0)", "Runtime exited without providing a reason"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("import os; os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        ("import os; os.kill(os.getpid(), 6)", "Runtime exited with error: signal: aborted"),
        ("import os; os.kill(os.getpid(), 31)", "Runtime exited with error: signal: signal 31"),
    ],
)
def test_ends_of_real_processes(code: str, words: str) -> None:
    returncode = subprocess.run([sys.executable, "-S", "-c", code], check=False).returncode
    payload = json.loads(function_errors.exit_error("r1", returncode))
    assert payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r1 Error: {words}"}


def test_core_dumps_are_told() -> None:
    reason = function_errors.exit_reason(-signal.SIGSEGV, core_dumped=True)
    assert reason == "signal: segmentation fault (core dumped)"
    status = 0x80 | signal.SIGABRT
    reason = function_errors.exit_reason(os.waitstatus_to_exitcode(status), os.WCOREDUMP(status))
    assert reason == "signal: aborted (core dumped)"


def test_a_timeout() -> None:
    assert json.loads(function_errors.timed_out("r1", function_errors.timeout_message(3))) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r1 Error: Task timed out after 3.00 seconds",
    }
    assert function_errors.init_timeout_message(10, 3) == (
        "Task timed out after 10.00 seconds in init, whose limit that is: the timeout of 3 s begins after it"
    )


def test_a_response_that_is_too_large() -> None:
    assert json.loads(function_errors.response_too_large(6_291_556)) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
