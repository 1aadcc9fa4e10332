"""What a handler can't reach: the notebook's files, processes and environ, other functions, its own init."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.limits

WAYS = [
    pytest.param((), "namespaces", id="namespaces"),
    pytest.param(("proc",), "namespaces", id="namespaces-outer-proc"),
    pytest.param(("namespaces",), "landlock_abi", id="landlock"),
]
PREAMBLE = """
import contextlib, ctypes, errno, json, os, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def tried(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def called(number):
    return "done" if number >= 0 else errno.errorcode[ctypes.get_errno()]
"""
REFUSED = {"ENOENT", "EACCES", "EPERM", "ESRCH"}


@pytest.fixture
def notebook() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user, with a secret in its environment."""
    environment = os.environ | {"SECRET_OF_NOTEBOOK": "s3cr3t"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(("without", "needs"), WAYS)
def test_credentials_in_home_are_not_there(capable: Callable, sandboxed, without, needs) -> None:
    home = sandboxed.folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("secret")
    (home / "packages").mkdir()
    (home / "packages" / "needed.py").write_text("answer = 42\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        readable = [str(home), str(home / ".aws"), str(home / "packages")]
        child = sandboxed.instructions(capable(*without, needs=needs), readable=readable)
    assert {path for path, _ in child["skipped"]} == {str(home), str(home / ".aws")}
    seen = sandboxed.run(
        child,
        PREAMBLE
        + f"""
print(json.dumps([tried(open, {str(home / ".aws" / "credentials")!r}), tried(os.listdir, {str(home)!r} + "/.aws"),
                  open({str(home / "packages" / "needed.py")!r}).read()]))
""",
    )
    assert seen[0] in REFUSED
    assert seen[1] in REFUSED
    assert seen[2] == "answer = 42\n"


@pytest.mark.parametrize(("without", "needs"), WAYS)
def test_tmp_of_others_is_not_there(capable, sandboxed, without, needs) -> None:
    capabilities = capable(*without, needs=needs)
    other = sandboxed.folder / "environments" / "other"
    other.mkdir(parents=True)
    (other / "left.txt").write_text("not for you")
    seen = sandboxed.run(
        sandboxed.instructions(capabilities),
        PREAMBLE
        + f"""
import tempfile
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("mine")
    mine = file.name.startswith(sandbox.tmp_root(child))
print(json.dumps([mine, tried(open, {str(other / "left.txt")!r}), tried(open, {str(other)!r} + "/new", "w")]))
""",
    )
    assert seen[0] is True
    assert seen[1] in REFUSED
    assert seen[2] in REFUSED
    assert os.listdir(other) == ["left.txt"]


@pytest.mark.parametrize(("without", "needs"), WAYS)
def test_notebook_is_out_of_reach(capable, sandboxed, notebook, without, needs) -> None:
    capabilities = capable(*without, needs=needs)
    seen = sandboxed.run(
        sandboxed.instructions(capabilities),
        PREAMBLE
        + f"""
pid = {notebook.pid}
found = []
for name in os.listdir("/proc"):
    with contextlib.suppress(OSError):
        if b"SECRET_OF_NOTEBOOK" in open(f"/proc/{{name}}/environ", "rb").read():
            found.append(name)
print(json.dumps([found, tried(os.kill, pid, signal.SIGTERM), called(libc.ptrace(16, pid, 0, 0)),
                  tried(open, f"/proc/{{pid}}/mem", "rb")]))
""",
    )
    assert seen[0] == []
    if needs == "namespaces" or capabilities.landlock_abi >= 6:
        assert seen[1] in REFUSED
        assert notebook.poll() is None
    assert seen[2] in REFUSED
    assert seen[3] in REFUSED


@pytest.mark.parametrize(("without", "needs"), WAYS[:2])
def test_init_survives_its_handler(capable, sandboxed, without, needs) -> None:
    # With the outer /proc the environment's numbers aren't those in /proc, so its files are looked for by name there.
    seen = sandboxed.run(
        sandboxed.instructions(capable(*without, needs=needs)),
        PREAMBLE
        + """
for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV, signal.SIGKILL):
    with contextlib.suppress(OSError):
        os.kill(os.getppid(), number)
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
above = status["PPid"].strip()
print(json.dumps([os.getppid(), called(libc.ptrace(16, 1, 0, 0)), tried(open, f"/proc/{above}/mem", "rb"),
                  tried(open, f"/proc/{above}/environ", "rb")]))
""",
    )
    assert seen[0] == 1
    assert set(seen[1:]) <= {"EPERM", "EACCES"}


@pytest.mark.parametrize(("without", "needs"), WAYS)
def test_no_privileges_are_left(capable, sandboxed, without, needs) -> None:
    seen = sandboxed.run(
        sandboxed.instructions(capable(*without, needs=needs)),
        PREAMBLE
        + """
import subprocess
read = lambda text: dict(line.split(":\\t", 1) for line in text.splitlines() if ":\\t" in line)
own = read(open("/proc/self/status").read())
child_of_it = read(subprocess.run(["/bin/cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout)
names = ["CapEff", "CapPrm", "CapInh", "CapAmb"]
print(json.dumps([[int(of[name], 16) for of in (own, child_of_it) for name in names], own["NoNewPrivs"].strip(),
                  called(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)), called(libc.umount2(b"/tmp", 2)),
                  called(libc.unshare(0x10000000)) if child["namespaces"] else "ENOSPC",
                  tried(open, "/proc/sys/kernel/core_pattern", "w"), tried(open, "/usr/new", "w"),
                  tried(open, sandbox.task_root(child) + "/new", "w"), tried(open, "/etc/shadow")]))
""",
    )
    assert seen[0] == [0] * 8
    assert seen[1] == "1"
    assert seen[2] == seen[3] == "EPERM"
    assert seen[4] in {"ENOSPC", "EUSERS", "EPERM"}
    for number in seen[5:8]:
        assert number in {"EROFS", "EACCES", "EPERM", "ENOENT"}
    assert seen[8] in REFUSED


def test_root_holds_the_list_and_nothing_else(capable, sandboxed, checkout_in_tmp) -> None:
    seen = sandboxed.run(
        sandboxed.instructions(capable(needs="namespaces")),
        PREAMBLE
        + """
import ssl, subprocess
for name in ("null", "zero", "full", "random", "urandom"):
    assert os.path.exists(f"/dev/{name}")
open("/dev/null", "w").write("gone")
open("/dev/shm/x", "w").write("shared")
shell = subprocess.run(["/bin/sh", "-c", "echo from a shell"], capture_output=True, text=True, check=True)
assert shell.stdout.strip() == "from a shell"
print(json.dumps([sorted(os.listdir("/")), os.getcwd(), os.listdir("/var/task"), os.listdir("/var/runtime"),
                  os.listdir("/tmp"), sorted(name for name in os.listdir("/proc") if name.isdigit()), os.getuid(),
                  tried(open, "/new", "w"), os.path.exists("/etc/shadow")]))
""",
    )
    assert {"var", "tmp", "usr", "proc", "dev", "etc"} <= set(seen[0])
    assert "home" not in seen[0]
    assert seen[1:5] == ["/var/task", ["lambda_function.py"], [], checkout_in_tmp]
    assert seen[5] == ["1", "2"]
    assert seen[6] == os.getuid()
    assert seen[7] == "EROFS"
    assert seen[8] is False


def test_old_kernels_bind_each_mount_read_only(capable, sandboxed) -> None:
    child = sandboxed.instructions(capable(needs="namespaces"))
    child["recursive_readonly"] = False
    seen = sandboxed.run(
        child,
        PREAMBLE
        + """
folders = [path for path in ("", "/usr", "/var/task", *child["root"]["binds"]) if os.path.isdir(path + "/")]
print(json.dumps([tried(open, path + "/new", "w") for path in folders]))
""",
    )
    assert set(seen) <= {"EROFS"}


def test_abstract_sockets_of_others_are_refused(capable, sandboxed) -> None:
    capabilities = capable(needs="namespaces")
    if capabilities.landlock_abi < 6:
        pytest.skip("Landlock before ABI 6 doesn't scope abstract sockets")
    name = f"\0lambdanb-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)
        listening.listen()
        code = f"""
import json
own = socket.socket(socket.AF_UNIX); own.bind("\\0own-of-handler"); own.listen()
print(json.dumps([tried(socket.socket(socket.AF_UNIX).connect, {name!r}),
                  tried(socket.socket(socket.AF_UNIX).connect, "\\0own-of-handler")]))
"""
        assert sandboxed.run(sandboxed.instructions(capabilities), PREAMBLE + code) == ["EPERM", "done"]


def test_readable_in_tmp_is_seen_through_the_private_tmp(capable, sandboxed) -> None:
    library = sandboxed.folder / "library"
    library.mkdir()
    (library / "it.py").write_text("it = 1\n")
    child = sandboxed.instructions(capable(needs="namespaces"), readable=[str(library), str(library / "missing")])
    code = f"print(json.dumps([open({str(library)!r} + '/it.py').read(), tried(open, {str(library)!r} + '/new', 'w')]))"
    assert sandboxed.run(child, PREAMBLE + code) == ["it = 1\n", "EROFS"]
