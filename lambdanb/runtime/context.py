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
    """What a handler may ask about its invocation and its function."""

    def __init__(
        self, request_id: str, deadline_ms: int, invoked_function_arn: str, client_context: dict[str, Any] | None
    ) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = invoked_function_arn
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = _client_context(client_context)
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended; 0 when the time is over."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message: object) -> None:
        """Write to the function's log."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        fields = [name for name in vars(self) if not name.startswith("_")]
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in fields)}])"


def _client_context(sent: dict[str, Any] | None) -> SimpleNamespace | None:
    """AWS's mobile SDKs send `client`, `custom` and `env`; anything else they send is dropped, as on AWS."""
    if sent is None:
        return None
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    client = sent.get("client") or {}
    return SimpleNamespace(
        client=SimpleNamespace(**{name: client.get(name) for name in names}),
        custom=sent.get("custom"),
        env=sent.get("env"),
    )
