"""Memory: the whole tree's, shared memory too, is held to the limit, and Max Memory Used is the truth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import limits_rig
import pytest

import lambdanb

pytestmark = pytest.mark.limits
machine = limits_rig.machines()

SOURCE = """
import mmap, os, subprocess, sys, time

MB = 1 << 20
CHILD = "import sys; held = b'x' * int(sys.argv[1]); print(flush=True); input()"
loaded_at = time.time()

def fill(buffer):
    for at in range(0, len(buffer), MB):
        buffer[at : at + MB] = b"x" * MB

def children(count, mb):
    started = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(mb * MB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(count)
    ]
    for each in started:
        each.stdout.readline()
    return started

def high_water_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

def proportional_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))

def lambda_handler(event, context):
    how, mb = event["how"], event.get("mb", 0)
    held_kb = 0
    if how == "handler":
        held = bytearray(mb * MB)
        held[::4096] = bytes(len(held) // 4096)
    elif how == "children":
        started = children(event["count"], mb)
        held_kb = sum(proportional_kb(each.pid) for each in started)
        time.sleep(0.1)  # held long enough to be seen by who only looks now and then
        for each in started:
            each.communicate(b"\\n")
    elif how == "shared_memory":
        from multiprocessing.shared_memory import SharedMemory
        shared = SharedMemory(event["name"], create=True, size=mb * MB)
        fill(shared.buf)
    elif how == "mmap":
        fill(mmap.mmap(-1, mb * MB))
    elif how == "file":
        with open(f"/dev/shm/{event['name']}", "wb") as file:
            for _ in range(mb):
                file.write(b"x" * MB)
    return {"loaded_at": loaded_at, "held_kb": held_kb + high_water_kb()}
"""
NAMES = [f"lambdanb-test-{os.getpid()}-{which}" for which in ("mapped", "written")]
TOO_MUCH = {
    "the handler": {"how": "handler", "mb": 400},
    "two children of 90 MB": {"how": "children", "mb": 90, "count": 2},
    "multiprocessing.shared_memory": {"how": "shared_memory", "mb": 400, "name": NAMES[0]},
    "mmap of MAP_SHARED": {"how": "mmap", "mb": 400},
    "a file in /dev/shm": {"how": "file", "mb": 400, "name": NAMES[1]},
}


@pytest.fixture(scope="module")
def ends(machine) -> Iterator[dict[str, tuple[Any, Any, Any]]]:
    """For each way of holding too much, at the same time: what came of a small event, of the large one, and of another
    small one.
    """

    def run(how: str) -> tuple[Any, Any, Any]:
        function = lambdanb.deploy("greedy-" + how.translate(str.maketrans(" ./_", "----")), SOURCE, timeout=30)
        return tuple(function.invoke(event) for event in ({"how": "nothing"}, TOO_MUCH[how], {"how": "nothing"}))

    with ThreadPoolExecutor(len(TOO_MUCH)) as threads:
        yield dict(zip(TOO_MUCH, threads.map(run, TOO_MUCH), strict=True))
    for name in NAMES:  # without namespaces /dev/shm is the machine's, and who is killed leaves there what it made
        Path("/dev/shm", name).unlink(missing_ok=True)


@pytest.mark.parametrize("how", TOO_MUCH)
def test_400_mb_end_an_environment_of_128_mb(machine, ends, how: str) -> None:
    machine.check("memory", "hard" if limits_rig.has_cgroups(machine) else "soft")
    before, failed, after = ends[how]
    if how == "a file in /dev/shm" and not limits_rig.has_namespaces(machine):
        assert "files in the machine's /dev/shm" in machine.limit("memory")["note"]
        pytest.skip("what isn't mapped in the machine's own /dev/shm doesn't count here, and the executor says so")
    assert failed.error is not None, failed.payload
    assert failed.error.error_type == "Runtime.ExitError"
    assert failed.error.error_message.endswith("signal: killed")
    # A watchdog may look when both children have all of their 90 MB, beside three interpreters.
    late_look_mb = 225 if "children" in how and not limits_rig.has_cgroups(machine) else 200
    assert 115 <= failed.report.max_memory_mb <= late_look_mb
    assert after.report.max_memory_mb < 60, "the fresh runtime hasn't used what the one before it did"
    assert after.payload["loaded_at"] > before.payload["loaded_at"]


@pytest.mark.parametrize("event", [{"how": "handler", "mb": 100}, {"how": "children", "mb": 30, "count": 2}], ids=str)
def test_what_fits_passes_and_is_reported_truly(machine, event: dict) -> None:
    passed = lambdanb.deploy("modest", SOURCE, memory=128, timeout=30).invoke(event, cold=True)
    assert passed.error is None
    truth_mb = passed.payload["held_kb"] / 1024
    assert passed.report.max_memory_mb == pytest.approx(truth_mb, rel=0.1)
    assert f"Max Memory Used: {passed.report.max_memory_mb} MB" in passed.logs


def test_neighbours_are_not_harmed(machine) -> None:
    """One environment's end for its memory leaves others of the same function alone."""
    function = lambdanb.deploy("neighbour", SOURCE, memory=128, timeout=30)
    quiet = [function.submit({"how": "handler", "mb": 60}) for _ in range(2)]
    greedy = function.submit({"how": "handler", "mb": 400})
    with pytest.raises(lambdanb.FunctionError, match="signal: killed"):
        greedy.result()
    assert all(each.result()["held_kb"] > 60_000 for each in quiet)
