"""What a client is told when it is refused: AWS's error names, statuses and JSON bodies.

An error that the service's model has gets the members that it has there ("Type" and "message" or "Message"); those that
belong to all of AWS (signatures, validation) are not in any model, and are `{"message": ...}`.

https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
"""

from __future__ import annotations

import json
from typing import Any

from lambdanb.model.errors import ServiceError, TooManyRequestsException


class Refusal(ServiceError):
    """An error of AWS's by its name alone, where `lambdanb.model.errors` has no class for it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.type = "User" if status < 500 else "Server"


def invalid_request(message: str) -> Refusal:
    """The body isn't what the operation takes."""
    return Refusal("InvalidRequestContentException", message)


def not_here(operation: str, why: str) -> Refusal:
    """An operation, or a part of one, that has no meaning on one machine; docs/aws-api.md lists them."""
    return Refusal("InvalidParameterValueException", f"{operation} isn't offered by lambdanb: {why}")


def body_of(error: ServiceError, shape: Any | None) -> bytes:
    """The JSON body of an error; `shape` is botocore's of it, None for one that the model hasn't."""
    if shape is None:
        return json.dumps({"message": error.message, "Type": error.type}).encode()
    body: dict[str, Any] = {}
    for name in shape.members:
        if name.lower() == "message":
            body[name] = error.message
        elif name == "Type":
            body[name] = "User" if error.type == "User" else "Server"
        elif name == "Reason" and isinstance(error, TooManyRequestsException):
            body[name] = error.reason
    return json.dumps(body).encode()


def headers_of(error: ServiceError, request_id: str) -> dict[str, str]:
    """The headers of an error, beside its length."""
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code, "Content-Type": "application/json"}
    if isinstance(error, TooManyRequestsException) and error.retry_after_s is not None:
        headers["Retry-After"] = str(max(round(error.retry_after_s), 1))
    return headers
