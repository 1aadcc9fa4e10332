"""`lambdanb` as a shell sees it: real processes, exit statuses, standard output and standard error."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambdanb.client.connection import Executor
from lambdanb.model.wire import Request

COMMAND = [sys.executable, "-m", "lambdanb.cli"]
DEADLINE_S = 60
INVERSE = "def lambda_handler(event, context):\n    print('got', event)\n    return {'inverse': 1 / event['x']}\n"


def lambdanb(*arguments: str, status: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command, which must end with that status."""
    done = subprocess.run([*COMMAND, *arguments], input=given, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def inverse(home: Path, tmp_path: Path) -> Path:
    """A deployed function. This process stays a client, so that one executor serves all commands of a test."""
    Executor.of(home).ask("hello")
    path = tmp_path / "inverse.py"
    path.write_text(INVERSE)
    lambdanb("deploy", "inverse", str(path), "--memory", "256", "--env", "STAGE=test")
    return path


def test_deploy_show_and_list(inverse: Path) -> None:
    shown = lambdanb("show", "inverse").stdout
    assert "256 MB" in shown
    assert "STAGE" in shown
    assert lambdanb("ls").stdout.splitlines()[1].startswith("inverse")
    (described,) = json.loads(lambdanb("ls", "--json").stdout)
    assert described["configuration"]["memory_mb"] == 256
    assert json.loads(lambdanb("show", "inverse", "--json").stdout)["arn"].endswith(":function:inverse")
    answer = json.loads(lambdanb("deploy", "inverse", "-", "--timeout", "9", "--json", given=INVERSE).stdout)
    assert answer["configuration"]["timeout_s"] == 9


def test_invoke(inverse: Path, tmp_path: Path) -> None:
    assert json.loads(lambdanb("invoke", "inverse", '{"x": 4}').stdout) == {"inverse": 0.25}
    event = tmp_path / "event.json"
    event.write_text('{"x": 2}')
    assert json.loads(lambdanb("invoke", "inverse", f"@{event}").stdout) == {"inverse": 0.5}
    done = lambdanb("invoke", "inverse", "-", "--log", "--cold", given='{"x": 1}')
    assert json.loads(done.stdout) == {"inverse": 1.0}
    assert "got {'x': 1}" in done.stderr
    told = json.loads(lambdanb("invoke", "inverse", '{"x": 1}', "--json").stdout)
    assert (told["status_code"], told["payload"], told["function_error"]) == (200, {"inverse": 1.0}, None)
    assert told["record"]["memory_mb"] == 256
    assert json.loads(lambdanb("invoke", "inverse", '{"x": 1}', "--async", "--json").stdout)["status_code"] == 202
    accepted = lambdanb("invoke", "inverse", '{"x": 1}', "--async")
    assert accepted.stdout == ""
    assert "`lambdanb serve` keeps it running" in accepted.stderr
    assert lambdanb("invoke", "inverse:$LATEST", '{"x": 1}', "--dry-run").stdout == ""


def test_an_answer_that_standard_output_cannot_say(home: Path) -> None:
    lambdanb("deploy", "surrogate", "-", given="def lambda_handler(event, context): return 'caf\u00e9 ' + chr(event)\n")
    assert lambdanb("invoke", "surrogate", str(0x1F600)).stdout == '"caf\u00e9 \U0001f600"\n'
    escaped = lambdanb("invoke", "surrogate", str(0xD800)).stdout
    assert escaped.isascii()
    assert json.loads(escaped) == "caf\u00e9 \ud800"


def test_a_function_that_fails_ends_with_1(inverse: Path) -> None:
    done = lambdanb("invoke", "inverse", '{"x": 0}', status=1)
    assert done.stdout == ""
    assert "ZeroDivisionError" in done.stderr
    assert "line 3" in done.stderr
    told = json.loads(lambdanb("invoke", "inverse", '{"x": 0}', "--json", status=1).stdout)
    assert told["function_error"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["lst"], 2, "did you mean ls?"),
        (["invoke", "inverse", "--asnyc"], 2, "did you mean --async?"),
        (["invoke", "inverse", "{x}"], 2, "is not JSON"),
        (["invoke", "inverse", "@/nowhere.json"], 2, "/nowhere.json"),
        (["invoke"], 2, "NAME"),
        (["deploy", "other", "/nowhere.py"], 2, "/nowhere.py"),
        (["deploy", "inverse", "-", "--memory", "64"], 3, "memorySize"),
        (["show", "invers"], 3, "did you mean inverse?"),
        (["invoke", "inverse:live"], 3, "$LATEST"),
        (["logs", "inverse", "-n", "many"], 2, "'many' is not a whole number, 1 or more"),
        (["invoke", "inverse", "--async", "--dry-run"], 2, "--dry-run: not allowed with argument --async"),
        (["logs", "inverse", "-n", "0"], 2, "'0' is not a whole number, 1 or more"),
    ],
)
def test_a_mistake_names_the_choices(inverse: Path, arguments: list[str], status: int, told: str) -> None:
    done = lambdanb(*arguments, status=status, given=INVERSE)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_syntax_error_is_told_before_deploying(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\ndef lambda_handler(event, context)\n")
    done = lambdanb("deploy", "broken", str(path), status=2)
    assert f'{path}", line 2' in done.stderr
    assert json.loads(lambdanb("ls", "--json").stdout) == []


def test_logs_and_rm(inverse: Path) -> None:
    lambdanb("invoke", "inverse", '{"x": 1}')
    request = json.loads(lambdanb("invoke", "inverse", '{"x": 5}', "--json").stdout)["request_id"]
    assert lambdanb("logs", "inverse", "-n", "1").stdout.startswith(f"REPORT RequestId: {request}")
    assert "got {'x': 1}" not in lambdanb("logs", "inverse", "--request", request).stdout
    lambdanb("rm", "inverse")
    assert json.loads(lambdanb("ls", "--json").stdout) == []


def interruptible() -> None:
    """In a child: a test run that is a shell's background job ignores SIGINT, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_following_a_log(inverse: Path, home: Path) -> None:
    header, _ = Executor.of(home).call(Request(op="invoke", name="inverse", mode="sync"), b'{"x": 1}')
    command = [*COMMAND, "logs", "inverse", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=interruptible) as process:
        assert process.stdout is not None
        wait_for_line(process.stdout, f"REPORT RequestId: {header['request_id']}")
        header, _ = Executor.of(home).call(Request(op="invoke", name="inverse", mode="sync"), b'{"x": 1}')
        wait_for_line(process.stdout, f"REPORT RequestId: {header['request_id']}")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130


def test_as_a_module(home: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "lambdanb", "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == lambdanb("--help").stdout


def test_limits(home: Path) -> None:
    assert "memory" in lambdanb("limits").stdout
    answer = json.loads(lambdanb("limits", "--json").stdout)
    assert {each["strength"] for each in answer["limits"]} <= {"hard", "soft", "not enforced"}


def test_help(home: Path) -> None:
    assert "lambdanb invoke" in lambdanb("--help").stdout
    assert "--dry-run" in lambdanb("invoke", "--help").stdout
    assert "--memory MB" in lambdanb("deploy", "--help").stdout
    lambdanb(status=2)
    assert lambdanb("--version").stdout.startswith("lambdanb ")
    assert not home.exists(), "help needs no executor"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stays_until_it_is_ended(home: Path, number: signal.Signals) -> None:
    with subprocess.Popen([*COMMAND, "serve"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = wait_for_line(process.stdout, "AWS API")
        pid = int(lines[0].split()[-1])
        assert str(home) in lines[1]
        assert Path(lines[2].split()[-1]).is_socket()
        executor = os.pidfd_open(pid)
        assert json.loads(lambdanb("ls", "--json").stdout) == []
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0
    ended, _, _ = select.select([executor], [], [], DEADLINE_S)
    os.close(executor)
    assert ended


def test_serve_starts_a_killed_executor_again(home: Path) -> None:
    with subprocess.Popen([*COMMAND, "serve"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(wait_for_line(process.stdout, "AWS API")[0].split()[-1])
        os.kill(pid, signal.SIGKILL)
        again = int(wait_for_line(process.stdout, "AWS API")[0].split()[-1])
        assert again != pid
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_a_reader_that_has_had_enough(inverse: Path) -> None:
    command = f"{sys.executable} -m lambdanb.cli ls | head -n 0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stderr) == (0, "")


def wait_for_line(stream: Any, words: str) -> list[str]:
    """The lines up to one that has these words."""
    lines: list[str] = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if words in line:
            return lines
    raise AssertionError(f"{words!r} never came; there were {lines}")
