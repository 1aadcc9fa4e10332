"""What a function's failure looks like on the wire and in the log, as AWS's own Python runtime words it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from types import TracebackType
from typing import Any

_encode = json.JSONEncoder().encode  # before a function can put another `json.dumps` in its place
RUNTIME_FOLDER = __file__.rsplit("/", 1)[0] + "/"
_IMPORTLIB = traceback.__file__.rsplit("/", 1)[0] + "/importlib/"


class Fault(Exception):
    """A failure that has one of Lambda's own error types, such as Runtime.HandlerNotFound."""

    def __init__(self, error_type: str, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.stack_trace = stack_trace or []


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    """The payload of a failure: errorMessage, errorType, requestId, stackTrace (without this runtime's frames)."""
    if isinstance(error, Fault):
        message, kind, stack = error.message, error.error_type, error.stack_trace
    else:
        message, kind, stack = _text(error), type(error).__name__, _stack(error.__traceback__)
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}


def encode(failure: dict[str, Any]) -> bytes:
    """The failure as JSON. Lone surrogates in messages are escaped rather than refused."""
    return _encode(failure).encode()


def log(failure: dict[str, Any]) -> None:
    """Write the failure to the function's log in the form of AWS's runtime."""
    lines = [f"[ERROR] {failure['errorType']}: {failure['errorMessage']}".rstrip(": ")]
    if failure["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines += [line for entry in failure["stackTrace"] for line in entry.splitlines()]
    text = "\n".join(lines) + "\n"
    try:
        sys.stdout.write(text)
    except Exception:
        # The function closed or replaced its standard output. If not even the descriptor is left, the caller still gets
        # the failure itself.
        with contextlib.suppress(OSError):
            os.write(1, text.encode("utf-8", "backslashreplace"))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as nested:
        return f"<{type(error).__name__} whose str() raised {type(nested).__name__}>"


def _stack(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)
    while frames and frames[0].filename.startswith((RUNTIME_FOLDER, "<frozen importlib", _IMPORTLIB)):
        frames.pop(0)
    return traceback.format_list(frames)
