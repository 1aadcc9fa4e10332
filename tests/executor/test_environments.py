"""Execution environments: which is reused, how long it is kept, what it looks like from inside."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from gates import GATED, Gates
from processes import eventually

import lambdanb
from lambdanb.client.connection import Executor

WHO = "import os\ntoken = os.urandom(8).hex()\ndef lambda_handler(event, context): return token\n"


def environments(function: str, state: str | None = None) -> list[dict[str, Any]]:
    found = Executor.of().ask("environments")["environments"]
    return [each for each in found if each["function"] == function and state in (None, each["state"])]


def test_the_one_used_last_is_used_next(shared_home: Path) -> None:
    """So that the others can expire."""
    with Gates(lambdanb.deploy("gated", GATED, timeout=30)) as gates:
        gates.hold(3)
        gates.release(3)
        used = [gates.function.invoke(number).record for number in range(5)]
    assert len(environments("gated", "idle")) == 3
    assert len({record.environment_id for record in used if record}) == 1
    last = gates.function.records()["environment_id"]
    assert set(last[-5:]) == {last.iloc[2]}, "the last of the three to fall idle"


def test_forced_cold(shared_home: Path) -> None:
    function = lambdanb.deploy("who", WHO)
    first, again = function.invoke(), function.invoke()
    cold = function.invoke(cold=True)
    assert first.payload == again.payload != cold.payload
    assert [each.record.cold for each in (first, again, cold) if each.record] == [True, False, True]
    assert first.report.init_ms is not None and again.report.init_ms is None  # type: ignore[union-attr]


def test_forced_cold_is_new_also_after_a_crash(shared_home: Path) -> None:
    """One that lost its runtime is started again with its old /tmp; who forces a cold start wants neither."""
    source = """
import os
def lambda_handler(event, context):
    if event == "crash":
        open("/tmp/left", "w").close()
        os._exit(1)
    return os.path.exists("/tmp/left")
"""
    function = lambdanb.deploy("crashes", source)
    function.invoke("crash")
    assert function.invoke(cold=True).payload is False
    function.invoke("crash")
    assert function() is True


def test_keep_alive_fixed(shared_home: Path) -> None:
    function = lambdanb.deploy("brief", WHO, keep_alive=0.3)
    first = function()
    assert function() == first
    assert eventually(lambda: not environments("brief"), 5)
    assert function() != first


def test_keep_alive_from_a_distribution(shared_home: Path) -> None:
    law = {"law": "uniform", "low_s": 0.1, "high_s": 0.4}
    with Gates(lambdanb.deploy("brief", GATED, keep_alive=law, timeout=30)) as gates:
        gates.hold(4)
        gates.release(4)
    assert eventually(lambda: not environments("brief"), 5)


def test_use_begins_the_keep_alive_anew(shared_home: Path) -> None:
    function = lambdanb.deploy("used", WHO, keep_alive=0.5)
    first = function()
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        assert function() == first


def test_redeployed_means_a_fresh_module(shared_home: Path) -> None:
    function = lambdanb.deploy("module", "word = 'one'\ndef lambda_handler(event, context): return word\n")
    assert function() == "one"
    lambdanb.deploy("module", "word = 'two'\ndef lambda_handler(event, context): return word\n")
    assert function() == "two"
    assert len(environments("module")) == 1
    function.configure(environment={"STAGE": "test"})
    lambdanb.deploy("module", "import os\ndef lambda_handler(event, context): return os.environ.get('STAGE')\n")
    assert function() is None, "what is not given gets its default"
    function.configure(environment={"STAGE": "test"})
    assert function() == "test"


def test_redeployed_while_busy(shared_home: Path) -> None:
    """What runs, finishes; what comes next is new."""
    with Gates(lambdanb.deploy("busy", GATED, timeout=30)) as gates:
        gates.hold(2)
        lambdanb.deploy("busy", "def lambda_handler(event, context): return 'new'\n")
        assert gates.function() == "new"
        gates.release(2)
    assert eventually(lambda: len(environments("busy")) == 1)


def test_deleted_while_busy(shared_home: Path) -> None:
    with Gates(lambdanb.deploy("deleted", GATED, timeout=30)) as gates:
        gates.hold(1)
        gates.function.delete()
        with pytest.raises(lambdanb.ServiceError, match="Function not found"):
            gates.function(1)
        gates.release(1)
    assert eventually(lambda: not environments("deleted"))


def test_tmp_is_the_environment_s_own(shared_home: Path) -> None:
    # A checkout that lies in /tmp itself is seen there, read-only: the interpreter imports from it.
    source = """
import os, sys
def lambda_handler(event, context):
    seen = sorted(name for name in os.listdir("/tmp") if not any(p.startswith("/tmp/" + name) for p in sys.path))
    open("/tmp/" + event, "w").close()
    return seen
"""
    function = lambdanb.deploy("tmp", source)
    other = lambdanb.deploy("tmp2", source)
    assert function("one") == []
    assert function("two") == ["one"]
    assert other("three") == []
    assert function.invoke("four", cold=True).payload == []


def test_one_that_died_a_moment_ago_isn_t_used(shared_home: Path) -> None:
    """Killed while idle: no invocation is given to it, however soon it comes."""
    source = "import os\ndef lambda_handler(event, context): return os.getpid()\n"
    function = lambdanb.deploy("dies", source)
    for _ in range(10):
        function()
        (idle,) = environments("dies")
        os.kill(idle["init_pid"], signal.SIGKILL)
        try:
            function()
        except lambdanb.FunctionError as error:
            # It was given the event before anybody could know.
            assert error.error_type == "Runtime.ExitError"
        assert eventually(lambda killed=idle["id"]: killed not in {each["id"] for each in environments("dies")})
        assert function()


def test_the_end_of_a_runtime_can_t_reach_the_next(shared_home: Path) -> None:
    """An exit is known by two signs, and the slower one came for the fresh runtime once."""
    source = """
import os, time
def lambda_handler(event, context):
    if event == "exit":
        os._exit(1)
    time.sleep(0.25)
    return "fine"
"""
    function = lambdanb.deploy("exits", source)
    for _ in range(5):
        assert function.invoke("exit").error is not None
        assert function("stay") == "fine"


INSIDE = """
import os, sys, time

def lambda_handler(event, context):
    return {
        "environ": dict(os.environ),
        "cwd": os.getcwd(),
        "file": __file__,
        "zone": time.tzname[0],
        "stdin": sys.stdin.read() if sys.stdin else "",
        "context": {
            name: getattr(context, name)
            for name in (
                "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id",
                "log_group_name", "log_stream_name",
            )
        },
        "client": context.client_context and [context.client_context.custom, context.client_context.client.app_title],
        "identity": context.identity.cognito_identity_id,
        "remaining": context.get_remaining_time_in_millis(),
    }
"""


def test_lambda_s_variables_and_context(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = lambdanb.deploy(
        "inside", INSIDE, memory=192, timeout=7, environment={"STAGE": "test", "TZ": "Asia/Tokyo"}
    )
    invocation = function.invoke(client_context={"custom": {"k": "v"}, "client": {"app_title": "t"}})
    seen = invocation.payload
    environ, context = seen["environ"], seen["context"]
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == context["function_name"] == "inside"
    assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == context["function_version"] == "$LATEST"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == context["memory_limit_in_mb"] == "192"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == context["log_group_name"] == "/aws/lambda/inside"
    assert environ["AWS_LAMBDA_LOG_STREAM_NAME"] == context["log_stream_name"]
    assert "/[$LATEST]" in context["log_stream_name"]
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environ["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environ["_HANDLER"] == "lambda_function.lambda_handler"
    assert environ["LAMBDA_TASK_ROOT"] == seen["cwd"]
    assert seen["file"] == f"{seen['cwd']}/lambda_function.py"
    assert environ["STAGE"] == "test"
    assert seen["zone"] == "JST"
    assert context["invoked_function_arn"] == "arn:aws:lambda:us-east-1:123456789012:function:inside"
    assert context["aws_request_id"] == invocation.request_id
    assert seen["client"] == [{"k": "v"}, "t"]
    assert seen["identity"] is None
    assert 5000 < seen["remaining"] <= 7000
    assert seen["stdin"] == ""
    if function.invoke().payload["cwd"] != "/var/task":
        limits = Executor.of().ask("limits")
        assert "namespaces" in limits["missing"], "where /var/task can't be shown, the limits say why"


def test_the_notebook_s_variables_are_absent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "JPY_API_TOKEN", "LAMBDANB_SECRET"):
        monkeypatch.setenv(name, "the notebook's secret")
    function = lambdanb.deploy("inside", INSIDE)
    assert "the notebook's secret" not in function()["environ"].values()
    source = """
import glob
def lambda_handler(event, context):
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            found.append(open(path, "rb").read().decode(errors="replace"))
        except OSError:
            pass
    return [text for text in found if "secret" in text]
"""
    limits = {each["limit"]: each["strength"] for each in Executor.of().ask("limits")["limits"]}
    if limits["isolation"] == "hard":
        assert lambdanb.deploy("snoops", source)() == []


def test_tracebacks_and_modules_are_of_var_task(shared_home: Path) -> None:
    function = lambdanb.deploy("raises", "def lambda_handler(event, context):\n    return event['missing']\n")
    error = function.invoke({}).error
    assert error is not None
    assert "line 2, in lambda_handler\n    return event['missing']" in error.stack_trace[-1]
