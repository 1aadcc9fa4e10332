"""Files and processes of an environment, under the rules of 2014: 1,024 files, 256 processes and threads together."""

from __future__ import annotations

import limits_rig
import pytest

import lambdanb

pytestmark = pytest.mark.limits
machine = limits_rig.machines(rules="preview-2014")

FILES = """
import errno, os, subprocess, sys

COUNT = '''
import errno, os
opened = []
try:
    while len(opened) < 3000:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    failure = errno.errorcode[error.errno]
print(max(opened) + 1, failure)
for each in opened:
    os.close(each)
'''

def lambda_handler(event, context):
    if event == "child":
        return subprocess.run([sys.executable, "-c", COUNT], stdout=subprocess.PIPE, text=True).stdout
    exec(COUNT, found := {"print": lambda *words: None})
    return f"{max(found['opened']) + 1} {found['failure']}"
"""
PROCESSES = """
import os, threading, time

def lambda_handler(event, context):
    reader, writer = os.pipe()
    children, threads, failures = [], [], set()
    for _ in range(event["children"]):
        try:
            pid = os.fork()
        except BlockingIOError as error:
            failures.add("fork")
            break
        if pid == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        children.append(pid)
    for _ in range(event["threads"]):
        thread = threading.Thread(target=os.read, args=(reader, 1))
        try:
            thread.start()
        except RuntimeError:
            failures.add("thread")
            break
        threads.append(thread)
    if event.get("wait"):
        time.sleep(event["wait"])
    os.write(writer, b"x" * len(threads))
    os.close(writer)
    for thread in threads:
        thread.join()
    for pid in children:
        os.waitpid(pid, 0)
    os.close(reader)
    return {"together": 1 + len(children) + len(threads), "failures": sorted(failures)}
"""


@pytest.mark.parametrize("who", ["handler", "child"])
def test_1024_files(machine, who: str) -> None:
    assert machine.limit("files")["value"] == "1,024"
    machine.check("files", "hard")
    function = lambdanb.deploy("files", FILES, memory=1024, timeout=20)
    assert function(who).split() == ["1024", "EMFILE"]
    assert function(who).split() == ["1024", "EMFILE"]


def test_256_processes_and_threads_together(machine) -> None:
    assert machine.limit("processes")["value"] == "256 processes and threads"
    counted = limits_rig.has_cgroups(machine) or (limits_rig.has_namespaces(machine) and not limits_rig.is_root())
    function = lambdanb.deploy("processes", PROCESSES, memory=1024, timeout=20)
    if machine.check("processes", "hard" if counted else "soft") == "hard":
        assert function({"children": 100, "threads": 1000}) == {"together": 256, "failures": ["thread"]}
    else:
        assert function({"children": 100, "threads": 150}) == {"together": 251, "failures": []}
        failed = function.invoke({"children": 100, "threads": 200, "wait": 10})
        assert failed.error is not None, failed.payload
        assert failed.error.error_type == "Runtime.ExitError"
        assert failed.error.error_message.endswith("signal: killed")
    assert function({"children": 1, "threads": 1})["together"] == 3


def test_one_environment_s_processes_are_not_another_s(machine) -> None:
    function = lambdanb.deploy("crowd", PROCESSES, memory=1024, timeout=20)
    crowds = [function.submit({"children": 90, "threads": 90, "wait": 0.2}) for _ in range(3)]
    assert [each.result() for each in crowds] == [{"together": 181, "failures": []}] * 3
