"""Trials of the mechanisms that bind the process that tries them: run by `probe` as a process of its own.

Each trial goes all the way, with the code that environments use: an environment's init and runtime are forked into
their namespaces, a forbidden file is opened under Landlock, a connection is refused by the filter. Prints one JSON
object: {"namespaces": bool, "fresh_proc": bool, "recursive_readonly": bool, "landlock_abi": n, "seccomp_notify":
bool, "reasons": {}}.
"""

from __future__ import annotations

import array
import errno
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lambdanb.sandbox import child, connections, landlock, syscalls
from lambdanb.sandbox.child_spec import child_instructions
from lambdanb.sandbox.probe import Capabilities


def main(without: frozenset[str]) -> dict[str, Any]:
    """Try everything that `without` doesn't name."""
    reasons: dict[str, str] = {}
    found = Capabilities(uid=os.geteuid())
    if "namespaces" not in without:
        found = _namespaces(found, "proc" not in without, reasons)
    if "landlock" not in without:
        found = replace(found, landlock_abi=_landlock(reasons))
    if "seccomp" not in without:
        found = replace(found, seccomp_notify=_seccomp(reasons))
    return {
        "namespaces": found.namespaces,
        "fresh_proc": found.fresh_proc,
        "recursive_readonly": found.recursive_readonly,
        "landlock_abi": found.landlock_abi,
        "seccomp_notify": found.seccomp_notify,
        "reasons": reasons,
    }


def _namespaces(found: Capabilities, proc: bool, reasons: dict[str, str]) -> Capabilities:
    found = replace(found, namespaces=True, fresh_proc=proc, recursive_readonly=_has_mount_setattr())
    failure = _environment(found)
    if failure is not None and proc:
        without_proc = replace(found, fresh_proc=False)
        if _environment(without_proc) is None:
            reasons["proc"] = f"{failure}: what is masked in a container's /proc would show in a new one"
            return without_proc
    if failure is None:
        return found
    reasons["namespaces"] = failure
    return replace(found, namespaces=False, fresh_proc=False, recursive_readonly=False)


def _environment(found: Capabilities) -> str | None:
    """Start an environment as they are started, with nothing in it. None if it worked, else what failed."""
    with tempfile.TemporaryDirectory(prefix="lambdanb-probe-") as task_dir:
        instructions = child_instructions(
            found, memory_mb=128, tmp_mb=1, processes=8, files=256, connections=None, task_dir=task_dir, readable=[],
            template=False, fds=[], tmp_dir=None,
        )  # fmt: skip

        def init() -> None:
            child.enter_ahead(instructions)
            child.enter_init(instructions)
            pid = os.fork()
            if pid == 0:
                _finish(lambda: child.enter_runtime(instructions, []))
            if os.waitpid(pid, 0)[1] != 0:
                raise OSError(errno.EPERM, "the runtime process could not be started in the namespaces")

        def zygote() -> None:
            failure = _forked(init, lambda: child.fork_init(instructions))
            if failure is not None:
                raise OSError(errno.EPERM, failure)

        return _forked(zygote, os.fork)


def _landlock(reasons: dict[str, str]) -> int:
    abi = syscalls.landlock_abi()
    if abi == 0:
        reasons["landlock"] = (
            "this kernel has no Landlock, or it is not switched on (lsm= on the kernel's command line)"
        )
        return 0

    def confined() -> None:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(abi, ["/usr"], ["/dev/null"])
        try:
            os.close(os.open("/etc/passwd", os.O_RDONLY))
        except PermissionError:
            return
        raise OSError(errno.ENOTSUP, "Landlock is there, and did not keep a file from being opened")

    failure = _forked(confined, os.fork)
    if failure is None:
        return abi
    reasons["landlock"] = failure
    return 0


def _seccomp(reasons: dict[str, str]) -> bool:
    ours, theirs = socket.socketpair()

    def filtered() -> None:
        ours.close()
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        listener = connections.install()
        theirs.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
        with socket.socket() as target:
            result = target.connect_ex(("127.0.0.1", 9))
        if result != connections.REFUSED:
            raise OSError(result, f"a connection was to be refused, and was answered: {os.strerror(result)}")

    def supervise() -> None:
        theirs.close()
        descriptors = socket.recv_fds(ours, 1, 1)[1]
        if descriptors:
            limit = connections.ConnectionLimit(descriptors[0], 0, lambda: (), count_loopback=True)
            while limit.on_readable():
                limit.wait()
            limit.close()

    failure = _forked(filtered, os.fork, supervise)
    if failure is not None:
        reasons["seccomp"] = failure
    return failure is None


def _forked(
    body: Callable[[], object], fork: Callable[[], int], meanwhile: Callable[[], object] | None = None
) -> str | None:
    """Run `body` in a forked process; None if it went well, else the error's text."""
    reading, writing = os.pipe()
    try:
        pid = fork()
    except OSError as error:
        return error.strerror
    if pid == 0:
        os.dup2(writing, 2)
        _finish(body)
    os.close(writing)
    if meanwhile is not None:
        meanwhile()
    with open(reading, "rb") as answers:
        text = answers.read().decode(errors="replace").strip()
    status = os.waitpid(pid, 0)[1]
    return None if status == 0 else text or f"the trial ended with wait status {status}"


def _finish(body: Callable[[], object]) -> None:
    try:
        body()
    except Exception as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(2, f"{text}\n".encode())
        os._exit(1)
    os._exit(0)


def _has_mount_setattr() -> bool:
    try:
        syscalls.set_mount_attributes("/nonexistent", 0, recursive=False)
    except OSError as error:
        return error.errno != errno.ENOSYS
    return True


if __name__ == "__main__":
    print(json.dumps(main(frozenset(filter(None, sys.argv[1].split(","))))))
