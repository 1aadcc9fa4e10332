"""What was printed is kept and attributed; what was measured is recorded, billed by both rules, and read back."""

from __future__ import annotations

import datetime
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from homes import executor_pid, wait_for_end
from processes import eventually

import lambdanb
from lambdanb.client.connection import Executor
from lambdanb.model.errors import InvalidParameterValueException
from lambdanb.model.records import COLUMNS, Report


def deploy(body: str, **settings: Any) -> lambdanb.Function:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    name = f"logs-{time.monotonic_ns()}"
    return lambdanb.deploy(
        name, f"import os, subprocess, sys, time\ndef lambda_handler(event, context):\n{lines}", **settings
    )


def test_form_of_the_lines(shared_home: Path) -> None:
    invocation = deploy("print('one'); print('two'); return 1").invoke()
    request = invocation.request_id
    lines = invocation.logs.splitlines()
    assert lines[:4] == [f"START RequestId: {request} Version: $LATEST", "one", "two", f"END RequestId: {request}"]
    assert len(lines) == 5
    assert re.fullmatch(
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t?",
        lines[4],
    )
    report, record = Report.parse(lines[4]), invocation.record
    assert record is not None
    assert report.duration_ms == pytest.approx(record.duration_ms, abs=0.006)
    assert (report.billed_ms, report.max_memory_mb) == (record.billed_ms, record.max_memory_mb)


def test_warm_has_no_init_and_failures_have_their_status(shared_home: Path) -> None:
    function = deploy("if event == 'exit': os._exit(1)\nif event == 'hang': time.sleep(60)", timeout=1)
    function()
    assert "Init Duration" not in function.invoke().logs
    assert "\tStatus: error\tError Type: Runtime.ExitError" in function.invoke("exit").logs
    assert "\tStatus: timeout" in function.invoke("hang").logs
    assert "Task timed out after 1.00 seconds" in function.logs()[-3]


def test_partial_lines_and_both_streams(shared_home: Path) -> None:
    function = deploy(
        """
sys.stdout.write("no line end ")
sys.stderr.write("on standard error")
sys.stdout.flush(); sys.stderr.flush()
os.write(1, b"\\xff\\xfe not UTF-8")
"""
    )
    invocation = function.invoke()
    assert "no line end" in invocation.logs
    assert "on standard error" in invocation.logs
    assert f"not UTF-8\nEND RequestId: {invocation.request_id}" in invocation.logs
    assert function.invoke().logs.count("no line end") == 1


def test_children_s_output_belongs_to_the_invocation(shared_home: Path) -> None:
    function = deploy(
        "subprocess.run(['sh', '-c', 'echo child of ' + event + '; (echo grandchild of ' + event + ' >&2)'])",
        timeout=20,
    )
    for word in ("one", "two"):
        logs = function.invoke(word).logs.splitlines()
        assert logs[1:-2] == [f"child of {word}", f"grandchild of {word}"]


def test_output_after_the_end(shared_home: Path) -> None:
    """A process left in the background prints when its invocation is over: it's in the log, and in nobody's answer."""
    function = deploy(
        """
if event == "leave":
    wait = "while [ ! -e /tmp/go ]; do sleep 0.01; done; echo from behind"
    subprocess.Popen(["sh", "-c", wait])
    return "done"
open("/tmp/go", "w").close()
""",
        timeout=20,
    )
    left = function.invoke("leave")
    assert left.payload == "done"
    function.invoke("go on")
    assert eventually(lambda: "from behind" in function.logs(), 5)
    assert "from behind" not in "\n".join(function.logs(request_id=left.request_id))


def test_a_flood_in_between_doesn_t_use_up_the_next_one_s_share(shared_home: Path) -> None:
    function = deploy(
        """
if event == "flood":
    subprocess.Popen(["sh", "-c", "head -c 8000000 /dev/zero | tr '\\\\0' x | fold -w 1000; echo flooded"])
    return
print("x" * 1000)
return
""",
        timeout=20,
        memory=1769,
    )
    function.invoke("flood")
    assert eventually(lambda: sum(map(len, function.logs(20_000))) > 5_000_000, 10)
    quiet = function.invoke("quiet")
    assert "x" * 1000 in quiet.logs
    assert "were dropped" not in quiet.logs


def test_logs_by_request(shared_home: Path) -> None:
    function = deploy("print('event', event)")
    invocations = [function.invoke(number) for number in range(20)]
    for number in (0, 7, 19):
        lines = function.logs(request_id=invocations[number].request_id)
        assert lines == invocations[number].logs.splitlines()
        assert f"event {number}" in lines
    assert len(function.logs(n=5)) == 5
    assert function.logs(n=5) == function.logs(n=1000)[-5:]


def test_logs_beyond_one_page(shared_home: Path) -> None:
    """Lines of a request that lie far back are found, and more lines than one page has come in order."""
    function = deploy("for n in range(event): print(n, '-' * 200)\nreturn 1", timeout=30, memory=1769)
    first = function.invoke(3)
    for _ in range(4):
        function(20_000)
    assert len(function.logs(request_id=first.request_id)) == 6
    numbers = [int(line.split()[0]) for line in function.logs(30_000) if line[:1].isdigit()]
    assert len(numbers) > 25_000
    assert numbers[-20_000:] == list(range(20_000))


@pytest.mark.parametrize("wrong", [0, -5, "x", 1.5, True, None])
def test_how_many_is_a_whole_number(shared_home: Path, wrong: Any) -> None:
    function = deploy("print('said')")
    function()
    told = re.escape(f"is {wrong!r}: give a whole number, 1 or more")
    with pytest.raises(ValueError, match=f"^n {told}"):
        function.logs(wrong)
    with pytest.raises(ValueError, match=f"^limit {told}"):
        function.records(limit=wrong)
    for operation in ("logs", "records", "metrics"):
        with pytest.raises(InvalidParameterValueException, match=f"^limit {told}"):
            Executor.of().ask(operation, name=function.name, limit=wrong)


@pytest.mark.parametrize("wrong", ["yesterday", "3600", [1], True, math.nan, math.inf, datetime.date(2026, 1, 1)])
def test_since_is_a_time(shared_home: Path, wrong: Any) -> None:
    function = deploy("return 1")
    for read in (function.records, function.metrics):
        with pytest.raises(
            ValueError, match=re.escape(f"since is {wrong!r}: it must be a datetime, or a time back from now")
        ):
            read(since=wrong)


def test_records_have_the_right_figures(shared_home: Path) -> None:
    function = deploy(
        """
if event == "raise": raise KeyError(event)
until = time.perf_counter() + 0.05
block = bytearray(40_000_000)
while time.perf_counter() < until: pass
return 1
""",
        memory=1769,
        tmp=1024,
    )
    began = time.time() * 1000
    function()
    function()
    function.invoke("raise")
    records = function.records()
    assert list(records.columns) == ["arrived", *COLUMNS]
    assert list(records["status"]) == ["ok", "ok", "error"]
    assert list(records["error_type"].fillna("")) == ["", "", "KeyError"]
    assert list(records["cold"]) == [True, False, False]
    assert list(records["init_ms"].notna()) == [True, False, False]
    assert records["arrived_ms"].between(began, time.time() * 1000).all()
    assert records["arrived_ms"].is_monotonic_increasing
    assert (records["queued_ms"] >= 0).all()
    assert records["duration_ms"][:2].between(50, 1000).all()
    assert records["cpu_ms"][:2].between(30, 1000).all()
    assert records["max_memory_mb"].between(45, 120).all()
    assert (records["memory_mb"] == 1769).all()
    assert records["environment_id"].nunique() == 1
    for row in records.itertuples():
        init_ms = 0.0 if math.isnan(row.init_ms) else row.init_ms
        assert row.billed_ms == math.ceil(row.duration_ms + init_ms)
        seconds = row.billed_ms / 1000
        dollars = 2e-7 + seconds * (1769 / 1024 * 0.0000166667 + 512 / 1024 * 0.0000000309)
        assert row.cost == pytest.approx(dollars, rel=1e-6)


def test_2014_bills_by_100_ms_and_no_init(shared_home: Path) -> None:
    for function in lambdanb.functions():
        function.delete()  # those of more than 1,024 MB don't keep to these rules
    Executor.of().ask("settings", rules="preview-2014")
    try:
        function = deploy("time.sleep(0.12)")
        records = [function.invoke().record for _ in range(2)]
        assert [record.billed_ms for record in records if record] == [200, 200]
        for record in records:
            assert record is not None
            assert record.cost == pytest.approx(2e-7 + 0.2 * 0.125 * 0.00001667)
    finally:
        Executor.of().ask("settings", rules="today")


def test_metrics(shared_home: Path) -> None:
    function = deploy("if event: raise ValueError")
    for event in (0, 0, 0, 1):
        function.invoke(event)
    metrics = function.metrics()
    records = function.records()
    assert metrics["invocations"].sum() == 4
    assert metrics["errors"].sum() == 1
    assert metrics["cold_starts"].sum() == 1
    assert metrics["duration_ms"].sum() == pytest.approx(records["duration_ms"].sum())
    assert metrics["cost"].sum() == pytest.approx(records["cost"].sum())
    assert metrics["max_duration_ms"].max() == pytest.approx(records["duration_ms"].max())
    assert str(metrics.index.tz) == "UTC"


def test_since(shared_home: Path) -> None:
    function = deploy("return 1")
    function()
    between = datetime.datetime.now(datetime.UTC)
    function()
    assert len(function.records()) == 2
    assert len(function.records(since=between)) == 1
    assert len(function.records(since=3600)) == 2
    assert len(function.records(since=datetime.timedelta(hours=1))) == 2
    assert len(function.records(limit=1)) == 1
    future = between + datetime.timedelta(hours=1)
    assert function.records(since=future).empty
    assert function.metrics(since=future).empty


def test_all_records_of_a_burst_are_there_at_once(shared_home: Path) -> None:
    function = deploy("return event")
    count = 3000
    assert list(function.map(range(count), in_flight=8)) == list(range(count))
    assert len(function.records()) == count
    assert function.metrics()["invocations"].sum() == count


def test_they_survive_the_executor(home: Path) -> None:
    function = deploy("print('kept', event)")
    for number in range(300):
        function(number)
    Executor.of().close()
    wait_for_end(executor_pid(home))
    assert len(function.records()) == 300
    assert function.metrics()["invocations"].sum() == 300
    assert [line for line in function.logs(10_000) if line.startswith("kept")] == [f"kept {n}" for n in range(300)]
