"""The runtime joins its cgroups through descriptors, from inside of namespaces in which no cgroup can be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.limits


def test_the_runtime_joins_and_its_init_does_not(capable, sandboxed) -> None:
    capabilities = capable()
    if "pids" not in capabilities.cgroup_dirs:
        pytest.skip(f"no pids controller of cgroup v1: {capabilities.reasons}")
    group = Path(capabilities.cgroup_dirs["pids"]) / f"lambdanb-test-{os.getpid()}"
    group.mkdir()
    try:
        procs = os.open(group / "cgroup.procs", os.O_WRONLY)
        child = sandboxed.instructions(capabilities, fds=["cgroup.procs"])
        code = """
import json, sys
from lambdanb.sandbox import child as sandbox
import os
child, procs = json.loads(sys.argv[1]), int(sys.argv[2])
reading, writing = os.pipe()
if sandbox.fork_init(child) == 0:
    sandbox.enter_ahead(child)
    sandbox.enter_init(child)
    if os.fork() == 0:
        sandbox.enter_runtime(child, [procs])
        os.write(1, b"in\\n")
        os.read(0, 1)
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
"""
        command = [sys.executable, "-c", code, json.dumps(child), str(procs)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(procs,)) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"in\n"
            assert len((group / "cgroup.procs").read_text().split()) == 1
        assert process.returncode == 0
        os.close(procs)
    finally:
        group.rmdir()
