"""Open files of a process; processes and threads of a whole environment, counted together, where its namespace counts
them.
"""

from __future__ import annotations

import os

import pytest

from lambdanb.sandbox.probe import enforcements

pytestmark = pytest.mark.limits

OPEN_ALL = """
import errno, json, os
held, number = len(os.listdir("/proc/self/fd")) - 1, None
try:
    while held < 3000:
        os.open("/dev/null", os.O_RDONLY)
        held += 1
except OSError as error:
    number = errno.errorcode[error.errno]
print(json.dumps([held, number]))
"""

START_ALL = """
import json, os, threading, time
def start(make, most):
    made = 0
    try:
        while made < most:
            make()
            made += 1
    except (OSError, RuntimeError):
        pass
    return made
def process():
    if os.fork() == 0:
        os.close(writing)
        os.read(reading, 1)     # until the runtime has gone
        os._exit(0)
hold = threading.Event()
reading, writing = os.pipe()
threads = start(lambda: threading.Thread(target=hold.wait, daemon=True).start(), {threads})
processes = start(process, 400)
print(json.dumps([threads, processes]))
"""


@pytest.mark.parametrize("without", [(), ("namespaces",)])
def test_1024_open_files(capable, sandboxed, without) -> None:
    child = sandboxed.instructions(capable(*without))
    assert sandboxed.run(child, OPEN_ALL) == [1024, "EMFILE"]


def test_children_inherit_the_limit_on_files(capable, sandboxed) -> None:
    code = f"""
import subprocess, sys
print(subprocess.run([sys.executable, "-c", {OPEN_ALL!r}], capture_output=True, text=True, check=True).stdout)
"""
    assert sandboxed.run(sandboxed.instructions(capable()), code) == [1024, "EMFILE"]


@pytest.mark.parametrize("threads", [0, 100, 400])
def test_256_processes_and_threads_together(capable, sandboxed, threads) -> None:
    capabilities = capable("cgroups", needs="namespaces")
    held = next(each for each in enforcements(capabilities) if each.limit == "processes")
    child = sandboxed.instructions(capabilities)
    if os.geteuid() == 0:
        # The kernel counts nothing for root, and the table must not claim that it does.
        assert (held.strength, child["processes"]) == ("soft", None)
        return
    assert held.strength == "hard"
    assert "RLIMIT_NPROC" in held.mechanism
    # The runtime process itself is one of the 256.
    assert sum(sandboxed.run(child, START_ALL.replace("{threads}", str(threads)))) == 255


def test_environments_are_counted_apart(capable, sandboxed) -> None:
    capabilities = capable("cgroups", needs="namespaces")
    if os.geteuid() == 0:
        pytest.skip("nothing is counted for root")
    first = sandboxed.start(
        sandboxed.instructions(capabilities, processes=40),
        START_ALL.replace("{threads}", "0") + "\nimport sys; sys.stdout.flush(); hold.wait()",
    )
    assert first.stdout.readline() == "[0, 39]\n"
    child = sandboxed.instructions(capabilities, processes=50)
    assert sandboxed.run(child, START_ALL.replace("{threads}", "0")) == [0, 49]
