"""The AWS command line, unmodified, each command a process of its own, at an endpoint that `lambdanb serve` keeps.

It is version 1, the one that is in PyPI: it ends with 255 where the service refuses, version 2 with 254.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import ROLE, zipped

ARN = "arn:aws:lambda:us-east-1:123456789012:function:cli"
SOURCE = """
import os
def handler(event, context):
    print('by the command line', os.environ.get('STAGE'))
    return event
"""
REFUSED, MISUSED = 255, 2


class Terminal:
    """Commands in a folder of their own, with nothing but what `lambdanb env` said."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ | {"AWS_PAGER": "", "AWS_CONFIG_FILE": str(folder / "none")}
        self.folder = folder

    def aws(self, command: str, *words: str) -> Any:
        """What a command printed, read as JSON where it is JSON. It must succeed. `words` are those with spaces."""
        status, told, problem = self.run(command, *words)
        assert status == 0, (command, problem)
        return json.loads(told) if told[:1] in ("{", "[") else told

    def refusal(self, command: str, *words: str, status: int = REFUSED) -> str:
        """The last line of what a command complained. It must fail, with this exit status."""
        got, _, problem = self.run(command, *words)
        assert got == status, (command, got, problem)
        return problem.strip().splitlines()[-1]

    def run(self, command: str, *words: str) -> tuple[int, str, str]:
        line = [sys.executable, "-m", "awscli", *command.split(), *words]
        done = subprocess.run(line, env=self.environ, cwd=self.folder, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def terminal(served: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "code.zip").write_bytes(zipped({"app.py": SOURCE}))
    (folder / "more.zip").write_bytes(zipped({"app.py": SOURCE, "more.py": ""}))
    (folder / "layer.zip").write_bytes(zipped({"python/shared.py": "VALUE = 1"}))
    return Terminal(served, folder)


@pytest.fixture(scope="module")
def cli(terminal: Terminal) -> str:
    """The function, made from a zip, with two versions."""
    made = terminal.aws(
        "lambda create-function --function-name cli --runtime python3.13 --handler app.handler --zip-file "
        f"fileb://code.zip --role {ROLE} --tags team=a"
    )
    assert (made["State"], made["FunctionArn"]) == ("Pending", ARN)
    assert terminal.aws("lambda wait function-active --function-name cli") == ""
    assert terminal.aws("lambda publish-version --function-name cli --description first")["Version"] == "1"
    configured = terminal.aws(
        "lambda update-function-configuration --function-name cli --timeout 20 --environment Variables={STAGE=two}"
    )
    assert (configured["Timeout"], configured["LastUpdateStatus"]) == (20, "InProgress")
    updated = terminal.aws("lambda update-function-code --function-name cli --zip-file fileb://more.zip --publish")
    assert (updated["Version"], updated["FunctionArn"]) == ("2", f"{ARN}:2")
    assert terminal.aws("lambda wait function-updated --function-name cli") == ""
    return "cli"


def test_invocations(terminal: Terminal, cli: str) -> None:
    told = terminal.aws("lambda invoke --function-name cli --log-type Tail out.json --payload", '{"n": 4}')
    assert (told["StatusCode"], json.loads((terminal.folder / "out.json").read_text())) == (200, {"n": 4})
    assert "by the command line two" in base64.b64decode(told["LogResult"]).decode()
    event = terminal.aws("lambda invoke --function-name cli:1 --invocation-type Event out.json")
    assert event["StatusCode"] == 202
    assert terminal.aws("lambda invoke --function-name cli --invocation-type DryRun out.json")["StatusCode"] == 204
    found = terminal.aws("logs filter-log-events --log-group-name /aws/lambda/cli --interleaved --filter-pattern two")
    assert [each["message"] for each in found["events"]] == ["by the command line two"]
    assert terminal.aws("logs describe-log-groups --query logGroups[].logGroupName") == ["/aws/lambda/cli"]
    counted = terminal.aws(
        "cloudwatch get-metric-statistics --namespace AWS/Lambda --dimensions Name=FunctionName,Value=cli "
        "--metric-name Invocations --statistics Sum --period 86400 --start-time 2026-01-01T00:00:00Z "
        "--end-time 2126-01-01T00:00:00Z"
    )
    assert sum(point["Sum"] for point in counted["Datapoints"]) >= 1
    assert terminal.aws("cloudwatch list-metrics --namespace AWS/Lambda --metric-name Errors")["Metrics"]


def test_versions_aliases_and_concurrency(terminal: Terminal, cli: str) -> None:
    alias = terminal.aws(
        "lambda create-alias --function-name cli --name live --function-version 1 --routing-config "
        "AdditionalVersionWeights={2=0.25}"
    )
    assert (alias["AliasArn"], alias["RoutingConfig"]) == (f"{ARN}:live", {"AdditionalVersionWeights": {"2": 0.25}})
    versions = terminal.aws("lambda list-versions-by-function --function-name cli --query Versions[].Version")
    assert versions == ["$LATEST", "1", "2"]
    reserved = terminal.aws("lambda put-function-concurrency --function-name cli --reserved-concurrent-executions 5")
    assert reserved == {"ReservedConcurrentExecutions": 5}
    provisioned = terminal.aws(
        "lambda put-provisioned-concurrency-config --function-name cli --qualifier 2 "
        "--provisioned-concurrent-executions 1"
    )
    assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
    terminal.aws("lambda delete-provisioned-concurrency-config --function-name cli --qualifier 2")
    config = terminal.aws(
        "lambda put-function-event-invoke-config --function-name cli --qualifier live --maximum-retry-attempts 0"
    )
    assert (config["FunctionArn"], config["MaximumRetryAttempts"]) == (f"{ARN}:live", 0)


def test_what_is_attached(terminal: Terminal, cli: str) -> None:
    statement = terminal.aws(
        "lambda add-permission --function-name cli --statement-id s3 --action lambda:InvokeFunction --principal "
        "s3.amazonaws.com --source-arn arn:aws:s3:::bucket"
    )
    policy = terminal.aws("lambda get-policy --function-name cli")
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(statement["Statement"])]
    layer = terminal.aws("lambda publish-layer-version --layer-name base --zip-file fileb://layer.zip")
    told = terminal.aws(f"lambda update-function-configuration --function-name cli --layers {layer['LayerVersionArn']}")
    assert [each["Arn"] for each in told["Layers"]] == [layer["LayerVersionArn"]]
    url = terminal.aws(
        "lambda create-function-url-config --function-name cli --auth-type AWS_IAM --cors AllowOrigins=https://a.example"
    )
    assert url["Cors"] == {"AllowOrigins": ["https://a.example"]}
    terminal.aws(f"lambda tag-resource --resource {ARN} --tags a=1,b=2")
    terminal.aws(f"lambda untag-resource --resource {ARN} --tag-keys a team")
    assert terminal.aws(f"lambda list-tags --resource {ARN}") == {"Tags": {"b": "2"}}


def test_pages(terminal: Terminal, cli: str) -> None:
    for name in ("page-1", "page-2"):
        terminal.aws(
            f"lambda create-function --function-name {name} --runtime python3.13 --handler app.handler --zip-file "
            f"fileb://code.zip --role {ROLE} --publish"
        )
    names, token = [], []
    while True:
        told = terminal.aws("lambda list-functions --max-items 2", *token)
        names.append([each["FunctionName"] for each in told["Functions"]])
        if "NextToken" not in told:
            break
        token = ["--starting-token", told["NextToken"]]
    assert names == [["cli", "page-1"], ["page-2"]]
    one = terminal.aws("lambda list-functions --page-size 1 --query Functions[].FunctionName --output text")
    assert one.split() == ["cli", "page-1", "page-2"]


def test_refusals(terminal: Terminal, cli: str) -> None:
    head = "An error occurred ({}) when calling the {} operation: "
    for command, code, operation, text in (
        ("get-function --function-name nobody", "ResourceNotFoundException", "GetFunction",
         f"Function not found: {ARN.removesuffix('cli')}nobody"),
        ("delete-function --function-name cli --qualifier $LATEST", "InvalidParameterValueException", "DeleteFunction",
         "$LATEST version cannot be deleted without deleting the function."),
        ("put-function-concurrency --function-name cli --reserved-concurrent-executions 901",
         "InvalidParameterValueException", "PutFunctionConcurrency",
         "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
         "its minimum value of [100]."),
        ("update-function-configuration --function-name cli --timeout 901", "ValidationException",
         "UpdateFunctionConfiguration", "1 validation error detected: Value '901' at 'timeout' failed to satisfy "
         "constraint: Member must have value less than or equal to 900"),
        ("invoke --function-name cli --payload { out.json", "InvalidRequestContentException", "Invoke",
         "Could not parse request body into json: "),
    ):  # fmt: skip
        assert terminal.refusal(f"lambda {command}").startswith(head.format(code, operation) + text)
    taken = terminal.refusal(
        "lambda create-function --function-name cli --runtime python3.13 --handler app.handler --zip-file "
        f"fileb://code.zip --role {ROLE}"
    )
    assert taken == head.format("ResourceConflictException", "CreateFunction") + "Function already exist: cli"
    stranger = Terminal(terminal.environ | {"AWS_SECRET_ACCESS_KEY": "another"}, terminal.folder)
    told = stranger.refusal("lambda list-functions")
    assert told.startswith(head.format("InvalidSignatureException", "ListFunctions"))
    assert "expected one argument" in terminal.refusal("lambda get-function --function-name", status=MISUSED)
