"""The limit on simultaneous outbound connections: the whole tree's, Node.js included, given back when they are
closed.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest

from lambdanb.sandbox.connections import ConnectionLimit

pytestmark = pytest.mark.limits

CLIENT = """
import errno, json, os, socket
def connect(port, host="127.0.0.1"):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    number = made.connect_ex((host, port))
    answers.append(errno.errorcode.get(number, "made"))
    return made
answers = []
"""
NODE = """
const net = require("net"), answers = [], sockets = [];
const done = (answer) => { answers.push(answer); if (answers.length === 12) { console.log(JSON.stringify(answers));
process.exit() } }; for (let i = 0; i < 12; i++) {
  const made = net.connect(PORT, "127.0.0.1");
  sockets.push(made);
  made.on("connect", () => done("made"));
  made.on("error", (error) => done(error.code));
}
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A listening port whose backlog takes every connection that the tests make."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield listening.getsockname()[1]


@pytest.fixture
def counted(capable, sandboxed):
    """Run code in an environment of at most 10 connections, supervised as the executor's loop does it."""

    def counted(code: str, *, count_loopback: bool = True, limit: int = 10):
        capabilities = capable("cgroups", needs="seccomp_notify")
        child = sandboxed.instructions(capabilities, connections=limit)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = sandboxed.start(child, CLIENT + code, pass_fds=(theirs.fileno(),))
            theirs.close()
            _, listeners, _, _ = socket.recv_fds(ours, 1, 1)
        if not listeners:
            return sandboxed.answer(process)  # fails with what the environment printed
        supervisor = ConnectionLimit(listeners[0], limit, lambda: tree(process.pid), count_loopback=count_loopback)

        def supervise() -> None:
            while supervisor.on_readable():
                supervisor.wait()

        thread = threading.Thread(target=supervise)
        thread.start()
        answer = sandboxed.answer(process)
        thread.join()  # the listener tells that the last filtered process has gone
        supervisor.close()
        return answer

    return counted


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for each in found:
        for thread in os.listdir(f"/proc/{each}/task"):
            with open(f"/proc/{each}/task/{thread}/children") as children:
                found += map(int, children.read().split())
    return found


def test_the_eleventh_is_refused(counted, port) -> None:
    answers = counted(f"held = [connect({port}) for _ in range(12)]; print(json.dumps(answers))")
    assert answers == ["made"] * 10 + ["EADDRNOTAVAIL"] * 2


def test_closing_makes_room(counted, port) -> None:
    answers = counted(
        f"""
held = [connect({port}) for _ in range(11)]
held.pop(3).close(); held.pop(5).close()
held += [connect({port}) for _ in range(3)]
for _ in range(50):
    for each in held: each.close()
    held = [connect({port})]
print(json.dumps(answers))
"""
    )
    assert answers[:14] == ["made"] * 10 + ["EADDRNOTAVAIL"] + ["made"] * 2 + ["EADDRNOTAVAIL"]
    assert answers[14:] == ["made"] * 50


def test_children_are_counted_with_their_parent(counted, port) -> None:
    answers = counted(
        f"""
import subprocess, sys
held = [connect({port}) for _ in range(6)]
inner = {CLIENT!r} + "held = [connect({port}) for _ in range(6)]; print(json.dumps(answers))"
print(json.dumps(json.loads(subprocess.run([sys.executable, "-c", inner], stdout=-1, check=True).stdout)))
"""
    )
    assert answers == ["made"] * 4 + ["EADDRNOTAVAIL"] * 2


def test_an_inherited_connection_still_counts_when_its_maker_has_closed_it(counted, port) -> None:
    answers = counted(
        f"""
held = [connect({port}) for _ in range(9)]
passed = connect({port})
reading, writing = os.pipe()
if os.fork() == 0:
    os.close(writing); os.read(reading, 1); os._exit(0)
passed.close()
connect({port})
print(json.dumps(answers))
"""
    )
    assert answers == ["made"] * 10 + ["EADDRNOTAVAIL"]


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")
def test_node_is_counted(counted, port) -> None:
    answers = counted(
        f"""
import subprocess
held = [connect({port}) for _ in range(6)]
print(subprocess.run(["node", "-e", {NODE.replace("PORT", str(port))!r}], stdout=-1, check=True, text=True).stdout)
"""
    )
    assert sorted(answers) == ["EADDRNOTAVAIL"] * 8 + ["made"] * 4


def test_threads_connect_too(counted, port) -> None:
    answers = counted(
        f"""
import threading
held = []
threads = [threading.Thread(target=lambda: held.append(connect({port}))) for _ in range(12)]
for each in threads: each.start()
for each in threads: each.join()
print(json.dumps(answers))
"""
    )
    assert sorted(answers) == ["EADDRNOTAVAIL"] * 2 + ["made"] * 10


def test_what_does_not_count(counted, port) -> None:
    """Loopback unless it is asked for, UDP, unix sockets, and attempts that were refused by the other side."""
    code = f"""
held = [connect({port}) for _ in range(12)]
for _ in range(12):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); held.append(udp)
    udp.connect(("192.0.2.1", 53))
print(json.dumps(answers))
"""
    assert counted(code, count_loopback=False) == ["made"] * 12
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        refused = f"held = [connect({closed}) for _ in range(20)]; connect({port}); print(json.dumps(answers))"
        assert counted(refused) == ["ECONNREFUSED"] * 20 + ["made"]


def test_ipv6_and_nonblocking_count(counted, port) -> None:
    answers = counted(
        f"""
held = []
for _ in range(11):
    each = socket.socket(socket.AF_INET6); held.append(each); each.setblocking(False)
    answers.append(errno.errorcode.get(each.connect_ex(("::ffff:127.0.0.1", {port})), "made"))
print(json.dumps(answers))
"""
    )
    assert set(answers[:10]) <= {"EINPROGRESS", "made"}
    assert answers[10] == "EADDRNOTAVAIL"


def test_io_uring_is_refused(counted) -> None:
    answer = counted("import ctypes; print(ctypes.CDLL(None, use_errno=True).syscall(425, 1, None), end='')")
    assert answer == -1


def test_bad_addresses_get_an_error_and_stall_nobody(counted, port) -> None:
    answers = counted(
        f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.connect(0, 8, 16); libc.connect(-1, b"x" * 16, 16)
connect({port})
print(json.dumps(answers))
"""
    )
    assert answers == ["made"]
