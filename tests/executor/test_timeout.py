"""The deadline ends the handler and all that it started; the next invocation has a new module and the old /tmp."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from homes import executor_pid
from processes import below, running

import lambdanb

SOURCE = """
import os, subprocess, sys, time
loaded_at = time.time()

def lambda_handler(event, context):
    if event == "hang":
        open("/tmp/kept", "w").write("from the one before")
        daemon = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
        subprocess.run([sys.executable, "-c", daemon])
        while True:
            pass
    kept = open("/tmp/kept").read() if os.path.exists("/tmp/kept") else None
    return {"loaded_at": loaded_at, "kept": kept, "remaining": context.get_remaining_time_in_millis()}
"""


@pytest.mark.limits
def test_timeout_ends_the_whole_tree(home: Path) -> None:
    function = lambdanb.deploy("hangs", SOURCE, timeout=1, memory=1769)
    first = function({})
    before = time.monotonic()
    error = function.invoke("hang").error
    took_s = time.monotonic() - before
    assert error is not None
    assert error.error_type == "Sandbox.Timedout"
    assert error.error_message.endswith("Error: Task timed out after 1.00 seconds")
    assert 1.0 <= took_s < 1.5
    executor = executor_pid(home)
    assert executor is not None
    # What is left of the environment is its init alone; nothing sleeps on.
    sleepers = [pid for pid in running(below(executor)) if b"setsid" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert sleepers == []
    second = function({})
    assert second["loaded_at"] > first["loaded_at"]
    assert second["kept"] == "from the one before"


@pytest.mark.limits
def test_remaining_time_counts_down(home: Path) -> None:
    function = lambdanb.deploy("hangs", SOURCE, timeout=7)
    assert 6000 < function({})["remaining"] <= 7000
