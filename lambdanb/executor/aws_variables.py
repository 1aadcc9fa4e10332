"""Where the AWS services beside Lambda are, and with which credentials: for the sources and for the gateway's checks.

`LAMBDANB_AWS_ENDPOINT_URL`, `LAMBDANB_AWS_ACCESS_KEY_ID` and so on, in the environment in which the executor is
started, are AWS's own variables under names that the executor inherits. Without keys they are test/test, which local
endpoints take.
"""

from __future__ import annotations

import os

_PREFIX = "LAMBDANB_"
_ANYBODY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def aws_variables() -> dict[str, str]:
    """AWS's variables, as they are handed to whoever calls those services; empty where none are set."""
    found = {
        name.removeprefix(_PREFIX): value
        for name, value in os.environ.items()
        if name.startswith(f"{_PREFIX}AWS_") and value
    }
    return {**_ANYBODY, **found} if found else {}


def is_local(variables: dict[str, str]) -> bool:
    """Whether the services are on this machine, where a call costs nobody money."""
    url = variables.get("AWS_ENDPOINT_URL", "")
    return any(url.startswith(f"http://{host}") for host in ("127.0.0.1", "localhost", "[::1]"))
