"""Errors of the service, under AWS's names, codes and HTTP statuses; and what a function's own failure looks like.

Three kinds, as a caller has to treat them differently:

- `ServiceError`: the service refused or failed the call; the function did not run. Subclasses have AWS's names, so that
  `except TooManyRequestsException` reads as it does with boto3 (`client.exceptions.TooManyRequestsException`).
- `FunctionError`: the function ran, and failed (AWS: HTTP 200 with `X-Amz-Function-Error: Unhandled`).
- `ExecutorLost`: this machine's executor went away during the call; the function may or may not have run.

Source: the API reference of AWS Lambda, "Errors" of Invoke, CreateFunction and the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ServiceError(Exception):
    """The service refused the call or could not do it. `code` is AWS's name for why, `status` the HTTP status.

    `type` is "User" where the caller has to change something and "Service" where only a retry can help.
    `message_member` is how AWS's model spells the message's member in the JSON body: "message" or "Message".
    `message` is in AWS's words; `hint`, which AWS has not, says what to do where those words don't.
    """

    code: str = "ServiceError"
    status: int = 500
    type: str = "Service"
    message_member: ClassVar[str] = "message"

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message or self.code

    def to_wire(self) -> dict[str, Any]:
        """The error as plain JSON data; `from_wire` makes the same error of it in another process."""
        data = {"code": self.code, "message": self.message, "status": self.status, "type": self.type}
        return {**data, "hint": self.hint} if self.hint else data

    def __reduce__(self) -> tuple[Any, ...]:
        return from_wire, (self.to_wire(),)


class InvalidParameterValueException(ServiceError):
    """A parameter has a value that the service does not accept."""

    code, status, type = "InvalidParameterValueException", 400, "User"


class ValidationException(ServiceError):
    """A value outside of its range or pattern: "N validation error(s) detected: Value '...' at '...' failed ..."."""

    code, status, type = "ValidationException", 400, "User"


class InvalidRequestContentException(ServiceError):
    """The body of the request is not JSON."""

    code, status, type = "InvalidRequestContentException", 400, "User"


class RequestTooLargeException(ServiceError):
    """The payload is over the limit of its invocation type."""

    code, status, type = "RequestTooLargeException", 413, "User"


class UnsupportedMediaTypeException(ServiceError):
    """The content type of the request is not JSON."""

    code, status, type = "UnsupportedMediaTypeException", 415, "User"


class ResourceNotFoundException(ServiceError):
    """There is no function, version, alias or other resource of that name."""

    code, status, type = "ResourceNotFoundException", 404, "User"
    message_member = "Message"


class ResourceConflictException(ServiceError):
    """The resource exists already, or another operation on it is under way."""

    code, status, type = "ResourceConflictException", 409, "User"


class ResourceInUseException(ServiceError):
    """The resource is busy, such as an event source mapping that is being updated."""

    code, status, type = "ResourceInUseException", 400, "User"
    message_member = "Message"


class ResourceNotReadyException(ServiceError):
    """The function is inactive or not active yet."""

    code, status, type = "ResourceNotReadyException", 502, "Service"


class PreconditionFailedException(ServiceError):
    """The revision id that was given is not the current one."""

    code, status, type = "PreconditionFailedException", 412, "User"


class ProvisionedConcurrencyConfigNotFoundException(ServiceError):
    """The version or alias has no provisioned concurrency."""

    code, status, type = "ProvisionedConcurrencyConfigNotFoundException", 404, "User"


class CodeStorageExceededException(ServiceError):
    """The account's storage for code is full."""

    code, status, type = "CodeStorageExceededException", 400, "User"


class PolicyLengthExceededException(ServiceError):
    """The resource-based policy would be over 20 KB."""

    code, status, type = "PolicyLengthExceededException", 400, "User"


class AccessDeniedException(ServiceError):
    """The caller may not do this."""

    code, status, type = "AccessDeniedException", 403, "User"
    message_member = "Message"


class RecursiveInvocationException(ServiceError):
    """The function was stopped in a loop of invocations of itself."""

    code, status, type = "RecursiveInvocationException", 400, "User"
    message_member = "Message"


class InvalidRuntimeException(ServiceError):
    """The runtime is not one that is there."""

    code, status, type = "InvalidRuntimeException", 502, "Service"
    message_member = "Message"


class InvalidZipFileException(ServiceError):
    """The deployment package could not be opened."""

    code, status, type = "InvalidZipFileException", 502, "Service"
    message_member = "Message"


class SnapStartException(ServiceError):
    """The snapshot could not be restored: the restore hook failed."""

    code, status, type = "SnapStartException", 400, "User"
    message_member = "Message"


class SnapStartNotReadyException(ServiceError):
    """The snapshot of this version is not made yet."""

    code, status, type = "SnapStartNotReadyException", 409, "User"
    message_member = "Message"


class SnapStartTimeoutException(ServiceError):
    """The restore hook took too long."""

    code, status, type = "SnapStartTimeoutException", 408, "User"
    message_member = "Message"


class ServiceException(ServiceError):
    """The service failed. A retry may help."""

    code, status, type = "ServiceException", 500, "Service"
    message_member = "Message"


class TooManyRequestsException(ServiceError):
    """Throttled: no concurrency was left, or too many requests came. `reason` is one of AWS's:

    ConcurrentInvocationLimitExceeded (the account's concurrency),
    ReservedFunctionConcurrentInvocationLimitExceeded (the function's reserved concurrency),
    FunctionInvocationRateLimitExceeded (10 requests/s per environment),
    ReservedFunctionInvocationRateLimitExceeded, CallerRateLimitExceeded, ConcurrentSnapshotCreateLimitExceeded.
    `retry_after_s` is the header Retry-After; None where waiting won't help.
    """

    code, status, type = "TooManyRequestsException", 429, "User"

    def __init__(
        self,
        message: str = "Rate Exceeded.",
        reason: str = "ConcurrentInvocationLimitExceeded",
        retry_after_s: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})" + (f"\n{self.hint}" if self.hint else "")

    def to_wire(self) -> dict[str, Any]:
        return {**super().to_wire(), "reason": self.reason, "retry_after_s": self.retry_after_s}


def _classes(of: type[ServiceError]) -> dict[str, type[ServiceError]]:
    found: dict[str, type[ServiceError]] = {}
    for cls in of.__subclasses__():
        found[cls.code] = cls
        found.update(_classes(cls))
    return found


_BY_CODE = _classes(ServiceError)


def from_wire(data: Mapping[str, Any]) -> ServiceError:
    """The error that `to_wire` wrote down. A code without a class of its own becomes a plain ServiceError with it."""
    code = str(data.get("code", ServiceError.code))
    message = str(data.get("message") or "")
    cls = _BY_CODE.get(code, ServiceError)
    hint = str(data.get("hint") or "")
    error: ServiceError
    if issubclass(cls, TooManyRequestsException):
        error = cls(message, str(data.get("reason") or ""), data.get("retry_after_s"), hint)
    else:
        error = cls(message, hint)
    error.code = code
    error.status = int(data.get("status", error.status))
    error.type = str(data.get("type", error.type))
    return error


class FunctionError(Exception):
    """The function was invoked and failed: it raised, ran out of time or memory, or its process ended.

    `error_type` is the exception's class ("KeyError") or one of Lambda's own ("Sandbox.Timedout",
    "Runtime.ExitError", ...), `error_message` and `stack_trace` (lines as `traceback.format_list` writes them) come
    from the payload, `log` is what the invocation wrote to its log, as far as the caller has it.
    """

    def __init__(
        self,
        error_type: str,
        error_message: str = "",
        stack_trace: Sequence[str] = (),
        request_id: str = "",
        log: str = "",
        function: str = "",
    ) -> None:
        super().__init__(error_type, error_message, list(stack_trace), request_id, log, function)
        self.error_type = error_type
        self.error_message = error_message
        self.stack_trace = list(stack_trace)
        self.request_id = request_id
        self.log = log
        self.function = function

    @classmethod
    def from_payload(cls, payload: bytes, *, request_id: str = "", log: str = "", function: str = "") -> FunctionError:
        """The error that a failed invocation's payload tells. A payload of another form becomes the message."""
        try:
            data = json.loads(payload)
        except ValueError:
            data = None
        if not isinstance(data, dict) or not ("errorType" in data or "errorMessage" in data):
            return cls("Unhandled", payload.decode(errors="replace"), (), request_id, log, function)
        trace = data.get("stackTrace")
        return cls(
            str(data.get("errorType") or "Unhandled"),
            str(data.get("errorMessage") or ""),
            [str(entry) for entry in trace] if isinstance(trace, list) else (),
            request_id or str(data.get("requestId") or ""),
            log,
            function,
        )

    def __str__(self) -> str:
        text = f"{self.error_type}: {self.error_message}" if self.error_message else self.error_type
        text = f"{self.function}: {text}" if self.function else text
        if self.stack_trace:
            text += "\nTraceback of the function (most recent call last):\n" + "".join(
                entry if entry.endswith("\n") else entry + "\n" for entry in self.stack_trace
            ).rstrip("\n")
        return text


class ExecutorLost(Exception):
    """The executor went away while a call was under way. The message says what is known.

    `sent` tells whether the request had left: False means that the function certainly did not run; None, not known.
    """

    def __init__(self, message: str, sent: bool | None = None) -> None:
        super().__init__(message, sent)
        self.message = message
        self.sent = sent

    def __str__(self) -> str:
        return self.message
