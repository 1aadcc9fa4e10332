"""A process is known to be alone, with neither child nor thread nor orphan, until it isn't."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lambdanb.sandbox.lone import Lone

# As an environment is: a subreaper (init) with one child (the runtime), which does as it is told.
SOURCE = """
import ctypes, os, sys, threading
ctypes.CDLL(None).prctl(36, 1)
pid = os.fork()
if pid:
    print(pid, flush=True)
    os.waitpid(pid, 0)
    os._exit(0)
hold = threading.Event()
for order in sys.stdin:
    if order == "fork\\n":
        child = os.fork()
        if child == 0:
            sys.stdin = None
            hold.wait()
    elif order == "end\\n":
        os.kill(child, 9)
        os.waitpid(child, 0)
    elif order == "thread\\n":
        threading.Thread(target=hold.wait, daemon=True).start()
    elif order == "orphan\\n":
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                hold.wait()
            os._exit(0)
        os.waitpid(between, 0)
    elif order == "grow\\n":
        held = b"x" * 30_000_000
    print("done", flush=True)
os._exit(0)
"""


class Runtime:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.pid = int(process.stdout.readline())
        self.lone = Lone(self.pid, process.pid)

    def do(self, order: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(order, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    command = [sys.executable, "-c", SOURCE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        one = Runtime(process)
        yield one
        one.lone.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


def test_its_size_while_it_is_alone(runtime: Runtime) -> None:
    before = runtime.lone.resident_bytes()
    runtime.do("grow")
    after = runtime.lone.resident_bytes()
    assert before is not None
    assert after is not None
    assert 29_000_000 < after - before < 35_000_000


@pytest.mark.parametrize("company", ["fork", "thread", "orphan"])
def test_company_is_seen(runtime: Runtime, company: str) -> None:
    assert runtime.lone.resident_bytes() is not None
    runtime.do(company)
    assert runtime.lone.resident_bytes() is None


def test_alone_again(runtime: Runtime) -> None:
    runtime.do("fork")
    assert runtime.lone.resident_bytes() is None
    runtime.do("end")
    assert runtime.lone.resident_bytes() is not None


def test_the_end(runtime: Runtime) -> None:
    os.kill(runtime.pid, 9)
    runtime.process.wait()
    assert runtime.lone.resident_bytes() is None
    with pytest.raises(OSError):
        Lone(runtime.pid, runtime.process.pid)
