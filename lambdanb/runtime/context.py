"""The context object that a handler gets as its second argument, with AWS's fields and methods.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace
from typing import Any


class LambdaContext:
    """What a handler may ask about its invocation and its function.

    What never changes in an environment is read once, at `describe_function`: reading os.environ costs a microsecond.
    """

    function_name: str | None = None
    function_version: str | None = None
    memory_limit_in_mb: str | None = None
    log_group_name: str | None = None
    log_stream_name: str | None = None

    def __init__(
        self, request_id: str, deadline_ms: int, invoked_function_arn: str, client_context: dict[str, Any] | None
    ) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = invoked_function_arn
        self.identity = _NOBODY
        self.client_context = None if client_context is None else _client_context(client_context)
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended; 0 when the time is over."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message: object) -> None:
        """Write to the function's log."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        fields = [*_OF_FUNCTION, *(name for name in vars(self) if not name.startswith("_"))]
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in fields)}])"


_OF_FUNCTION = {
    "function_name": "AWS_LAMBDA_FUNCTION_NAME",
    "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
    "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
    "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
}


def describe_function() -> None:
    """Take the function's own fields from the environment variables."""
    for field, variable in _OF_FUNCTION.items():
        setattr(LambdaContext, field, os.environ.get(variable))


_NOBODY = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)


def _client_context(sent: dict[str, Any]) -> SimpleNamespace:
    """AWS's mobile SDKs send `client`, `custom` and `env`; anything else they send is dropped, as on AWS."""
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    client = sent.get("client") or {}
    return SimpleNamespace(
        client=SimpleNamespace(**{name: client.get(name) for name in names}),
        custom=sent.get("custom"),
        env=sent.get("env"),
    )
