"""/tmp: its size is the function's own limit, it isn't memory, and filling it harms no one else."""

from __future__ import annotations

import limits_rig
import pytest
from processes import eventually

import lambdanb

pytestmark = pytest.mark.limits
machine = limits_rig.machines()

SOURCE = """
import errno, os, tempfile

def lambda_handler(event, context):
    folder = tempfile.gettempdir()
    for entry in os.scandir(folder):
        if entry.is_file():
            os.unlink(entry.path)
    written_mb, failure = 0, None
    try:
        for number in range(event["files"]):
            with open(f"{folder}/{number}", "wb", buffering=0) as file:
                for _ in range(event["mb"]):
                    written_mb += file.write(b"x" * (1 << 20)) >> 20
    except OSError as error:
        failure = errno.errorcode[error.errno]
    read_mb = sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()) >> 20
    return {"written_mb": written_mb, "read_mb": read_mb, "failure": failure}
"""
LITTLE = {"files": 1, "mb": 1}
WRITTEN = {"written_mb": 1, "read_mb": 1, "failure": None}


def test_tmp_is_not_memory(machine) -> None:
    """400 MB in /tmp under 128 MB of memory pass, and aren't reported as memory used. (On disk, 140 MB: it is slow.)"""
    mb = 100 if limits_rig.has_namespaces(machine) else 35
    passed = lambdanb.deploy("archive", SOURCE, memory=128, timeout=60).invoke({"files": 4, "mb": mb}, cold=True)
    assert passed.error is None
    assert passed.payload == {"written_mb": 4 * mb, "read_mb": 4 * mb, "failure": None}
    assert passed.report.max_memory_mb < 40


def test_writing_past_its_size_fails_in_the_function_alone(machine) -> None:
    full = lambdanb.deploy("full", SOURCE, memory=1769, timeout=60, tmp=512)
    other = lambdanb.deploy("other", SOURCE, memory=1769, timeout=60, tmp=512)
    if machine.check("tmp", "hard" if limits_rig.has_namespaces(machine) else "soft") == "hard":
        result = full({"files": 6, "mb": 100})
        assert result["failure"] == "ENOSPC"
        assert 505 <= result["written_mb"] <= 512
    else:
        # One file is held by the kernel, with another error; for many the environment is ended.
        result = full({"files": 1, "mb": 600})
        assert result["failure"] == "EFBIG"
        assert 505 <= result["written_mb"] <= 512
        failed = full.invoke({"files": 60, "mb": 20})
        assert failed.error is not None, failed.payload
        assert failed.error.error_type == "Runtime.ExitError"
        assert failed.error.error_message.endswith("signal: killed")
    assert other(LITTLE) == WRITTEN
    assert full(LITTLE) == WRITTEN


def test_nothing_is_left_of_it(machine) -> None:
    """The folders that stand for /tmp where nothing can be mounted end with their environments."""
    function = lambdanb.deploy("brief", SOURCE, memory=1769)
    function(LITTLE)
    [own] = [each["id"] for each in machine.executor.ask("environments")["environments"] if each["function"] == "brief"]
    folders = list(machine.home.glob(f"**/{own}"))
    assert len(folders) == (0 if limits_rig.has_namespaces(machine) else 1)
    function.delete()
    assert eventually(lambda: not any(folder.exists() for folder in folders))
