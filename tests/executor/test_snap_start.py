"""SnapStart: init runs once, environments are forked from what it left; what can't be forked runs as without it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from homes import executor_pid
from processes import below, eventually

import lambdanb

SOURCE = """
import logging, os, random, secrets, uuid
import numpy

logging.getLogger().setLevel(logging.INFO)
token = os.urandom(8).hex()
opened = open("/tmp/from-init", "w") and True

def lambda_handler(event, context):
    logging.info("at level info")
    return {
        "token": token,
        "random": random.random(),
        "numpy": float(numpy.random.rand()),
        "uuid": str(uuid.uuid4()),
        "secret": secrets.token_hex(8),
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        "request": context.aws_request_id,
    }
"""


def test_init_runs_once_and_chance_differs(shared_home: Path) -> None:
    function = lambdanb.deploy("snapped", SOURCE, snap_start=True, memory=512, timeout=20)
    invocations = [function.invoke(cold=True) for _ in range(4)]
    answers = [each.payload for each in invocations]
    assert {each["type"] for each in answers} == {"snap-start"}
    assert len({each["token"] for each in answers}) == 1, "init ran once, in the template"
    for name in ("random", "numpy", "uuid", "secret", "stream", "request"):
        assert len({each[name] for each in answers}) == 4, name
    for invocation in invocations:
        assert "at level info" in invocation.logs, "the logging that init set up is still there"
        assert invocation.record.cold  # type: ignore[union-attr]


def test_a_new_deployment_has_a_new_template(shared_home: Path) -> None:
    function = lambdanb.deploy("snapped", "word = 'one'\ndef lambda_handler(e, c): return word\n", snap_start=True)
    assert function() == "one"
    lambdanb.deploy("snapped", "word = 'two'\ndef lambda_handler(e, c): return word\n", snap_start=True)
    assert function.invoke(cold=True).payload == "two"


def test_published_versions_have_their_own(shared_home: Path) -> None:
    source = "import os\ntoken = os.urandom(8).hex()\ndef lambda_handler(e, c): return [token, c.function_version]\n"
    function = lambdanb.deploy("snapped", source, snap_start=True)
    version = function.publish()
    latest, published = ([each.invoke(cold=True).payload for _ in range(2)] for each in (function, version))
    assert latest[0] == latest[1]
    assert published[0] == published[1]
    assert latest[0][0] != published[0][0]
    assert published[0][1] == version.qualifier


def test_what_init_prints_is_in_the_log(home: Path) -> None:
    """Once, as init ran once; a line that wasn't ended too; and a flood is cut, told, and holds nobody up."""
    source = """
import sys
print("init was here")
for number in range(200_000): print("a flood of", number, "lines, each of which has some fifty characters")
sys.stdout.write("the end")
def lambda_handler(event, context): return event
"""
    function = lambdanb.deploy("talks", source, snap_start=True, memory=1769)
    assert [function.invoke(number, cold=True).payload for number in range(3)] == [0, 1, 2]
    lines = function.logs(n=300_000)
    assert lines.count("init was here") == 1
    assert any("bytes of output over" in line and "were dropped" in line for line in lines)
    lambdanb.deploy("talks", source.replace("200_000", "2"), snap_start=True)(1)
    assert "the end" in function.logs(n=10)


UNFIT = {
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    "a socket": "import socket\nkept = socket.socket()\n",
    "a child": "import subprocess\nkept = subprocess.Popen(['sleep', '600'])\n",
    "a daemon": "import subprocess\nsubprocess.run('sleep 600 & exit', shell=True)\n",
}


@pytest.mark.parametrize("what", sorted(UNFIT))
def test_init_that_can_t_be_forked_runs_as_without(shared_home: Path, what: str) -> None:
    source = f"{UNFIT[what]}\nimport os\ntoken = os.urandom(8).hex()\ndef lambda_handler(e, c): return token\n"
    function = lambdanb.deploy("unfit", source, snap_start=True, timeout=10)
    answers = [function.invoke(cold=True).payload for _ in range(2)]
    assert None not in answers
    assert answers[0] != answers[1], "each environment ran init itself"


def test_init_that_fails_tells_its_error(shared_home: Path) -> None:
    function = lambdanb.deploy("fails", "raise RuntimeError('no database')\n", snap_start=True)
    for _ in range(2):
        error = function.invoke().error
        assert error is not None
        assert (error.error_type, error.error_message) == ("RuntimeError", "no database")


def test_init_that_hangs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_TIMES", json.dumps({"template_timeout_s": 0.5, "init_timeout_s": 0.5}))
    error = lambdanb.deploy("hangs", "while True: pass\n", snap_start=True).invoke().error
    assert error is not None
    assert error.error_type == "Sandbox.Timedout"
    assert lambdanb.deploy("hangs", "def lambda_handler(e, c): return 1\n", snap_start=True)() == 1


def test_a_killed_template_is_made_anew(home: Path) -> None:
    source = "import os\ntoken = os.urandom(8).hex()\ndef lambda_handler(e, c): return token\n"
    function = lambdanb.deploy("snapped", source, snap_start=True)
    first = function()
    executor = executor_pid(home)
    assert executor is not None
    for pid in below(executor):
        if b"lambdanb.runtime" in _command(pid):
            _kill(pid)
    assert eventually(lambda: _answer(function) not in (None, first), 10)
    again = [function.invoke(cold=True).payload for _ in range(2)]
    assert again[0] == again[1]


def _answer(function: lambdanb.Function) -> Any:
    return function.invoke(cold=True).payload


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_what_init_did_to_the_variables_and_the_folder(shared_home: Path) -> None:
    source = """
import os
os.environ["MODE"] = "fast"
del os.environ["LANG"]
os.chdir("/usr")
def lambda_handler(event, context):
    return os.environ.get("MODE"), os.environ.get("LANG"), os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.getcwd()
"""
    function = lambdanb.deploy("moved", source, snap_start=True)
    for _ in range(2):
        assert function.invoke(cold=True).payload == ["fast", None, "moved", "/usr"]
