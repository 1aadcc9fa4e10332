"""One invocation, from its arrival to its outcome, and how each way of ending is worded and billed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambdanb.executor.environments import Ending
from lambdanb.model import function_errors
from lambdanb.model.records import Record

if TYPE_CHECKING:
    from lambdanb.executor.deployments import Deployment


_random_bytes = b""


def new_request_id() -> str:
    """A request id in AWS's form, a random UUID."""
    global _random_bytes
    if not _random_bytes:
        _random_bytes = os.urandom(4096)
    digits, _random_bytes = _random_bytes[:16].hex(), _random_bytes[16:]
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


@dataclass(slots=True)
class Outcome:
    """What the caller gets. `payload` is the result, or the failure when `function_error` is set."""

    payload: bytes
    function_error: str | None
    record: Record
    log: bytes


@dataclass(slots=True, eq=False)
class Invocation:
    """`done` is called once, with the outcome. `arrived_s` is on the monotonic clock, `arrived_ms` since the epoch.

    A caller who wants a good result alone, and wants it soon, gives `answer`: it is called with the payload before the
    invocation is billed, recorded and logged, and `done` is called only for a failure.
    """

    deployment: Deployment
    payload: bytes
    done: Callable[[Outcome], None]
    arn: str
    answer: Callable[[bytes], None] | None = None
    trigger: str = "invoke"
    client_context: dict[str, Any] | None = None
    trace: str | None = None
    keep_log: bool = False
    cold: bool = False
    batch_size: int | None = None
    iterator_age_ms: float | None = None
    request_id: str = field(default_factory=new_request_id)
    arrived_s: float = field(default_factory=time.monotonic)
    arrived_ms: float = field(default_factory=lambda: time.time() * 1000)
    started_s: float = 0.0
    init_ms: float | None = None


def failure_of_ending(ending: Ending, request_id: str, timeout: str) -> tuple[bytes, str, str]:
    """The payload of a runtime's end, its error type, and what AWS logs for it. timeout: the text of one."""
    if ending.timed_out:
        moment = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"
        line = f"{stamp} {request_id} {timeout}\n"
        return function_errors.timed_out(request_id, timeout), function_errors.TIMED_OUT, line
    if ending.why is not None:
        message = f"RequestId: {request_id} Error: {ending.why}"
        payload = json.dumps({"errorType": function_errors.EXIT_ERROR, "errorMessage": message}).encode()
    else:
        returncode = -signal.SIGKILL if ending.status is None else os.waitstatus_to_exitcode(ending.status)
        if ending.out_of_memory:
            returncode = -signal.SIGKILL
        payload = function_errors.exit_error(request_id, returncode)
        message = json.loads(payload)["errorMessage"]
    return payload, function_errors.EXIT_ERROR, f"{message}\n{function_errors.EXIT_ERROR}\n"


def error_type_of(failure: bytes) -> str:
    """The error type in a failure's payload, which the function's own runtime wrote."""
    try:
        return str(json.loads(failure)["errorType"])
    except (ValueError, LookupError, TypeError):
        return "Unhandled"
