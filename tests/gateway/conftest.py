"""A served endpoint, with the real boto3 in front of it and nothing of ours in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from packages import ROLE, zipped

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables


@pytest.fixture(scope="module")
def endpoint(shared_home: Path) -> Iterator[dict[str, str]]:
    """The variables that `lambdanb env` prints, in force."""
    executor = Executor.of(shared_home)
    told = variables(shared_home, executor.ask("endpoint")["url"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        yield told


@pytest.fixture(scope="module")
def aws(endpoint: dict[str, str]) -> Any:
    """boto3's client, without its retries: a test sees the first answer."""
    session = boto3.Session()
    client = session.client("lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64))
    yield client
    client.close()


@pytest.fixture(scope="module")
def echo(aws: Any) -> str:
    """A function that returns its event, or fails when the event says so."""
    source = (
        "def handler(event, context):\n"
        "    print('seen', event)\n"
        "    if isinstance(event, dict) and event.get('fail'):\n"
        "        raise ValueError(event['fail'])\n"
        "    return event\n"
    )
    aws.create_function(
        FunctionName="echo",
        Runtime="python3.13",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": source})},
        Timeout=30,
    )
    aws.get_waiter("function_active_v2").wait(FunctionName="echo")
    return "echo"
