"""Payloads of failures that a function can't tell itself, since its process is gone or its answer can't be passed on.

AWS's texts, as JSON bytes ready to be the invocation's payload (HTTP 200 with `X-Amz-Function-Error: Unhandled`).
Failures that the function's own runtime tells (an exception, a missing handler) are worded in `lambdanb.runtime`.

A function that is killed for its memory ends as any killed process does, with Runtime.ExitError and `signal: killed`.
"""

from __future__ import annotations

import json

EXIT_ERROR = "Runtime.ExitError"
TIMED_OUT = "Sandbox.Timedout"
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"

# Lambda's supervisor is written in Go: the words are those of Go's os.ProcessState.String() on Linux.
SIGNAL_WORDS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}


def exit_reason(returncode: int, core_dumped: bool = False) -> str:
    """How a process ended, in Go's words: "exit status 1", "signal: killed".

    `returncode` is as subprocess and `os.waitstatus_to_exitcode` give it: negative for a signal. With `core_dumped`
    (`os.WCOREDUMP`) it is "signal: segmentation fault (core dumped)"; Lambda leaves no core files today and did once.
    """
    if returncode >= 0:
        return f"exit status {returncode}"
    number = -returncode
    return f"signal: {SIGNAL_WORDS.get(number, f'signal {number}')}" + (" (core dumped)" if core_dumped else "")


def exit_message(returncode: int, core_dumped: bool = False) -> str:
    """Why the runtime's process is gone. One that ended with status 0, as after `sys.exit()`, gave no reason."""
    if returncode == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: {exit_reason(returncode, core_dumped)}"


def timeout_message(timeout_s: float) -> str:
    """The text of a timeout, which AWS also writes to the log."""
    return f"Task timed out after {timeout_s:.2f} seconds"


def init_timeout_message(init_timeout_s: float, timeout_s: float) -> str:
    """The same where init took too long, which has a limit of its own: AWS's text, and which limit it was."""
    told = timeout_message(init_timeout_s)
    return f"{told} in init, whose limit that is: the timeout of {timeout_s:g} s begins after it"


def exit_error(request_id: str, returncode: int, core_dumped: bool = False) -> bytes:
    """The runtime's process ended during the invocation (`returncode` as in `exit_reason`)."""
    return _payload(EXIT_ERROR, f"RequestId: {request_id} Error: {exit_message(returncode, core_dumped)}")


def timed_out(request_id: str, message: str) -> bytes:
    """The invocation, or the init phase that it waited for, took too long: `timeout_message` or the other."""
    return _payload(TIMED_OUT, f"RequestId: {request_id} Error: {message}")


def response_too_large(response_bytes: int) -> bytes:
    """The function's answer is over the limit `response_bytes`, which the text names."""
    text = f"Response payload size exceeded maximum allowed payload size ({response_bytes} bytes)."
    return _payload(RESPONSE_TOO_LARGE, text)


def _payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
