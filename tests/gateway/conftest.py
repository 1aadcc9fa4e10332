"""A served endpoint, with the real boto3 in front of it and nothing of ours in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from answers import watch
from botocore.config import Config
from homes import executor_pid, wait_for_end
from packages import ROLE, zipped

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables


@pytest.fixture(scope="module")
def endpoint(shared_home: Path) -> Iterator[dict[str, str]]:
    """The variables that `lambdanb env` prints, in force, for a boto3 whose every answer is checked."""
    executor = Executor.of(shared_home)
    told = variables(shared_home, executor.ask("endpoint")["url"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        boto3.setup_default_session()
        watch(boto3.DEFAULT_SESSION)
        yield told


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a terminal beside that of `lambdanb serve`, which has nothing to do with this process."""
    home = tmp_path_factory.mktemp("served") / "home"
    environ = os.environ | {"LAMBDANB_HOME": str(home)}
    words = [sys.executable, "-m", "lambdanb.cli"]
    with subprocess.Popen([*words, "serve"], env=environ, stdout=subprocess.PIPE, text=True) as serve:
        late = threading.Timer(60, serve.kill)
        late.start()
        try:
            assert serve.stdout is not None
            assert any(line.startswith("AWS API") for line in serve.stdout), "not served within a minute"
            late.cancel()
            told = subprocess.run([*words, "env", "--json"], env=environ, capture_output=True, check=True, timeout=60)
            yield environ | json.loads(told.stdout)
        finally:
            late.cancel()
            serve.terminate()
    wait_for_end(executor_pid(home))


@pytest.fixture(scope="module")
def aws(endpoint: dict[str, str]) -> Any:
    """boto3's client, without its retries: a test sees the first answer."""
    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64))
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
