"""What SnapStart keeps of init: os.environ, /tmp and the working directory, in each environment its own."""

from __future__ import annotations

import limits_rig
import pytest

import lambdanb

pytestmark = pytest.mark.limits
machine = limits_rig.machines()

SOURCE = """
import os, tempfile, time

TMP = os.environ.get("TMPDIR", "/tmp")
os.environ["OF_INIT"] = "1"
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
del os.environ["TO_GO"]
os.makedirs(TMP + "/models/large")
open(TMP + "/models/large/weights", "w").write("w" * 1000)
os.symlink("models/large/weights", TMP + "/weights")
os.chdir(TMP + "/models")

def lambda_handler(event, context):
    tmp = os.environ.get("TMPDIR", "/tmp")
    if event == "crash":
        open(tmp + "/mine", "w").close()
        os._exit(1)
    seen = [sorted(os.listdir(tmp)), len(open(tmp + "/weights").read()), os.listdir(".")]
    open("large/weights", "a").write("x" * 10)
    open(tmp + "/mine", "w").close()
    return {
        "seen": seen,
        "environ": [os.environ.get(name) for name in ("OF_INIT", "TO_GO", "KEPT")],
        "zone": time.tzname[0],
        "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        "tempfile": tempfile.gettempdir() == tmp,
    }
"""


def test_what_init_did_is_there_in_each_environment(machine) -> None:
    variables = {"TO_GO": "1", "KEPT": "1"}
    function = lambdanb.deploy("snapped", SOURCE, snap_start=True, environment=variables, timeout=20)
    plain = lambdanb.deploy("plain", SOURCE, environment=variables, timeout=20)
    invocations = [each.invoke(cold=True) for each in (function, function, function, plain)]
    answers = [each.payload for each in invocations]
    assert [invocation.error for invocation in invocations] == [None] * 4
    for answer in answers:
        assert answer["seen"] == [["models", "weights"], 1000, ["large"]]
        assert answer["environ"] == ["1", None, "1"]
        assert answer["zone"] == "JST"
        assert answer["tempfile"]
    assert len({answer["stream"] for answer in answers}) == 4


def test_a_fresh_runtime_has_the_tmp_that_the_one_before_left(machine) -> None:
    function = lambdanb.deploy("crashes", SOURCE, snap_start=True, environment={"TO_GO": "1"}, timeout=20)
    assert function.invoke("crash").error is not None
    assert function()["seen"] == [["mine", "models", "weights"], 1000, ["large"]]


def test_a_copied_tmp_counts_as_tmp_and_not_as_memory(machine) -> None:
    source = """
import os
TMP = os.environ.get("TMPDIR", "/tmp")
with open(TMP + "/model", "wb") as file:
    for _ in range(200): file.write(b"x" * (1 << 20))

def lambda_handler(event, context):
    tmp = os.environ.get("TMPDIR", "/tmp")
    size = os.path.getsize(tmp + "/model")
    try:
        with open(tmp + "/more", "wb") as file:
            for _ in range(100): file.write(b"x" * (1 << 20))
    except OSError as error:
        return [size >> 20, error.errno]
    return [size >> 20, "it had room"]
"""
    function = lambdanb.deploy("large", source, snap_start=True, memory=128, tmp=512, timeout=30)
    for _ in range(3):
        invocation = function.invoke(cold=True)
        assert invocation.payload == [200, "it had room"]
        assert invocation.report.max_memory_mb < 128
