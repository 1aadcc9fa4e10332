"""A function reaches nothing of the notebook's, the executor's or another function's, nor its own init."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import limits_rig
import pytest
from homes import executor_pid
from limits_rig import SECRET
from processes import running

import lambdanb
from lambdanb.sandbox.landlock import SCOPING_ABI
from lambdanb.sandbox.probe import probe

pytestmark = pytest.mark.limits
machine = limits_rig.machines(*limits_rig.WAYS, limits_rig.BARE)

REFUSED = {"ENOENT", "EACCES", "EPERM", "ESRCH"}
SOURCE = """
import errno, os, signal, tempfile

def tried(function, *arguments):
    try:
        result = function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return result if isinstance(result, (str, int, list)) else "done"

def read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")

def lambda_handler(event, context):
    if event["do"] == "keep":
        path = os.path.join(tempfile.gettempdir(), "kept")
        with open(path, "w") as file:
            file.write("private")
        return path
    if event["do"] == "read":
        return [tried(read, path) for path in event["paths"]]
    if event["do"] == "list":
        return [tried(os.listdir, path) for path in event["paths"]]
    if event["do"] == "write":
        return [tried(open, path, "a") for path in event["paths"]]
    if event["do"] == "environ":
        return dict(os.environ)
    if event["do"] == "everybody's environ":
        names = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
        return [tried(read, f"/proc/{name}/environ") for name in names]
    if event["do"] == "signal":
        return [tried(os.kill, os.getppid() if pid == "init" else pid, event["number"]) for pid in event["pids"]]
"""


@pytest.fixture
def notebook() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this user, as a notebook's kernel is one, with a secret in its environment."""
    environment = os.environ | {"AWS_SECRET_ACCESS_KEY": SECRET}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        yield process
        process.kill()


def prowler() -> lambdanb.Function:
    return lambdanb.deploy("prowler", SOURCE, memory=1769, timeout=10)


def isolated(machine) -> bool:
    return machine.check("isolation", "not enforced" if "landlock" in machine.without else "hard") == "hard"


def scoped(machine) -> bool:
    """Whether processes outside can't be signalled either; where they can, the executor has to say so."""
    if not isolated(machine):
        return False
    if limits_rig.has_namespaces(machine) or probe(frozenset()).landlock_abi >= SCOPING_ABI:
        return True
    assert "can be signalled" in machine.limit("isolation")["note"]
    return False


def test_credentials_and_homes_can_t_be_read(machine, tmp_path) -> None:
    user = Path.home()
    paths = [f"{user}/.aws/credentials", f"{machine.home}/registry.db", f"{machine.home}/executor.log"]
    function = prowler()
    read = function({"do": "read", "paths": paths})
    listed = function({"do": "list", "paths": [f"{user}", f"{user}/.aws", f"{machine.home}"]})
    own_code = f"{function_folder(machine)}/lambda_function.py"
    written = function({"do": "write", "paths": [*paths, f"{user}/new", f"{tmp_path}/new", own_code]})
    if isolated(machine):
        assert set(read) <= REFUSED
        assert all(each in (*REFUSED, []) for each in listed)
        assert set(written) <= REFUSED | {"EROFS"}
        assert not Path(user, "new").exists()
    else:
        assert SECRET in read[0]  # and `limits` says that nothing hinders it


def function_folder(machine) -> str:
    """Where the executor keeps a function's code."""
    return str(next(machine.home.glob("code/*/lambda_function.py")).parent)


def test_another_function_s_tmp_can_t_be_read(machine) -> None:
    keeper = lambdanb.deploy("keeper", SOURCE, memory=1769)
    path = keeper({"do": "keep"})
    init = next(each for each in machine.executor.ask("environments")["environments"] if each["function"] == "keeper")
    paths = [path, f"/proc/{init['init_pid']}/root{path}", *map(str, machine.home.glob("**/kept"))]
    found = prowler()({"do": "read", "paths": paths})
    if isolated(machine):
        assert set(found) <= REFUSED
    assert keeper({"do": "read", "paths": [path]}) == ["private"]


def test_the_notebook_s_environment_can_t_be_read(machine, notebook) -> None:
    function = prowler()
    pids = [notebook.pid, os.getpid(), executor_pid(machine.home), "1", "self/../" + str(notebook.pid)]
    found = function({"do": "read", "paths": [f"/proc/{pid}/environ" for pid in pids]})
    everybody_s = function({"do": "everybody's environ"})
    assert SECRET not in function({"do": "environ"}).values()
    if isolated(machine):
        assert set(found) <= REFUSED
        assert not any(SECRET in each for each in everybody_s)


def test_neither_notebook_nor_executor_nor_init_can_be_signalled(machine, notebook) -> None:
    function = prowler()
    executor = executor_pid(machine.home)
    function({"do": "environ"})
    outside = [notebook.pid, os.getpid(), executor]
    # Signal 0 asks only whether one could. Where one couldn't, it is tried in earnest, on what may be lost.
    found = function({"do": "signal", "pids": outside, "number": 0})
    if not scoped(machine):
        return
    assert set(found) <= REFUSED
    assert set(function({"do": "signal", "pids": [notebook.pid, executor], "number": 9})) <= REFUSED
    inits = {each["init_pid"] for each in machine.executor.ask("environments")["environments"]}
    function({"do": "signal", "pids": ["init"], "number": 9})
    assert function({"do": "environ"})["AWS_LAMBDA_FUNCTION_NAME"] == "prowler"
    assert {each["init_pid"] for each in machine.executor.ask("environments")["environments"]} == inits
    assert notebook.poll() is None
    assert running([executor, *inits]) == [executor, *inits]


def test_what_an_environment_sees_of_itself(machine) -> None:
    seen = prowler()({"do": "environ"})
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "prowler"
    assert not [name for name in seen if name.startswith(("LAMBDANB", "PYTEST", "JUPYTER"))]
    assert seen["AWS_ACCESS_KEY_ID"].startswith("LSIA")  # its own keys, and nobody else's
    root = seen["LAMBDA_TASK_ROOT"]
    assert root == "/var/task" if limits_rig.has_namespaces(machine) else os.path.isdir(root)
