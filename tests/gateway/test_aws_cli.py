"""The AWS command line, unmodified, from processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import ROLE, zipped

AWS = shutil.which("aws")
pytestmark = pytest.mark.skipif(AWS is None, reason="the AWS CLI isn't installed (pip install awscli)")


@pytest.fixture
def run(endpoint: dict[str, str], tmp_path: Path) -> Any:
    """Run a command with what `lambdanb env` printed; its JSON, or its text."""

    def run(*words: str) -> Any:
        told = subprocess.run([sys.executable, "-m", "lambdanb.cli", "env", "--json"], capture_output=True, check=True)
        environ = os.environ | json.loads(told.stdout) | {"AWS_PAGER": "", "AWS_CONFIG_FILE": str(tmp_path / "none")}
        done = subprocess.run([str(AWS), *words], env=environ, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    return run


def test_a_function_by_commands(run: Any, tmp_path: Path) -> None:
    source = "def handler(event, context):\n    print('by the command line')\n    return event\n"
    (tmp_path / "code.zip").write_bytes(zipped({"app.py": source}))
    run("lambda", "create-function", "--function-name", "cli", "--runtime", "python3.13", "--role", ROLE, "--handler",
        "app.handler", "--zip-file", "fileb://code.zip")  # fmt: skip
    run("lambda", "wait", "function-active-v2", "--function-name", "cli")
    told = run("lambda", "invoke", "--function-name", "cli", "--payload", '{"n": 4}', "out.json")
    assert (told["StatusCode"], json.loads((tmp_path / "out.json").read_text())) == (200, {"n": 4})
    assert run("lambda", "publish-version", "--function-name", "cli")["Version"] == "1"
    run("lambda", "create-alias", "--function-name", "cli", "--name", "live", "--function-version", "1")
    assert "cli" in [each["FunctionName"] for each in run("lambda", "list-functions")["Functions"]]
    told = run("logs", "filter-log-events", "--log-group-name", "/aws/lambda/cli")
    assert "by the command line" in [event["message"] for event in told["events"]]
    asked = ("--namespace", "AWS/Lambda", "--metric-name", "Errors")
    assert run("cloudwatch", "list-metrics", *asked)["Metrics"]
    run("lambda", "delete-function", "--function-name", "cli")
