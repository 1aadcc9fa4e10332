"""Clients that send garbage, half a message, or never read; and another user's: none of them harms anyone."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from homes import executor_pid
from multiprocess.connection import Connection
from processes import eventually

import lambdanb
from lambdanb.model import wire

ECHO = "def lambda_handler(event, context): return event\n"
DEADLINE_S = 20.0


@pytest.fixture
def echo(shared_home: Path) -> lambdanb.Function:
    return lambdanb.deploy("echo", ECHO, timeout=20)


def knock(home: Path) -> socket.socket:
    """A raw connection to the home's executor. Through a descriptor: a socket's path may have 107 bytes."""
    folder = os.open(home / "run", os.O_RDONLY | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    try:
        sock.connect(f"/proc/self/fd/{folder}/executor.sock")
    finally:
        os.close(folder)
    return sock


def hangs_up(sock: socket.socket) -> bool:
    """Whether the executor ends this connection."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header of 100 MB announced": struct.pack("!i", 100 * 1024 * 1024),
    "a negative length": struct.pack("!i", -5) + b"x" * 100,
    "a header that isn't JSON": struct.pack("!i", 4) + b"\xff\xfe\x00{" + struct.pack("!i", 0),
    "a header nested without end": struct.pack("!i", 10**6) + b"[" * 10**6 + struct.pack("!i", 0),
    "a payload of 2 GB announced": struct.pack("!i", 2) + b"{}" + struct.pack("!i", 2**31 - 1),
    "random bytes": bytes(range(128, 256)) * 1000,
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_ends_its_own_connection_only(shared_home: Path, echo: lambdanb.Function, what: str) -> None:
    pending = echo.submit("pending")
    with knock(shared_home) as sock:
        try:
            sock.sendall(GARBAGE[what])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up before the end
        assert hangs_up(sock)
    assert pending.result(DEADLINE_S) == "pending"
    assert echo("good") == "good"


HEADERS: list[Any] = [
    [],
    7,
    None,
    "invoke",
    {},
    {"n": "seven"},
    {"n": 1},
    {"n": 1, "op": None},
    {"n": 1, "op": 7},
    {"n": 1, "op": "perform"},
    {"n": 1, "op": "__init__"},
    {"n": 1, "op": "invoke"},
    {"n": 1, "op": "invoke", "name": 5, "mode": "sync"},
    {"n": 1, "op": "invoke", "name": "echo", "mode": None},
    {"n": 1, "op": "invoke", "name": "echo", "mode": "sync", "qualifier": ["x"]},
    {"n": 1, "op": "get", "surprise": True},
]


def test_requests_that_make_no_sense_are_answered_or_ignored(shared_home: Path, echo: lambdanb.Function) -> None:
    """Whatever they say, the next request on the same connection is answered."""
    with knock(shared_home) as sock:
        reader = wire.MessageReader(10**6)
        for header in HEADERS:
            sock.sendall(wire.encode(header, b"[1]"))
            sock.sendall(wire.encode({"n": 99, "op": "hello"}))
            answers = []
            while not answers or answers[-1][0].get("n") != 99:
                answers += reader.feed(sock.recv(65536))
            assert json.loads(answers[-1][1]) == {"pid": executor_pid(shared_home)}
            for answer, _ in answers[:-1]:
                assert answer["refused"], header
    assert echo("good") == "good"


def test_arguments_that_aren_t_an_object(shared_home: Path, echo: lambdanb.Function) -> None:
    with knock(shared_home) as sock:
        for payload in (b"[1]", b"{", b"\xff", b'{"name": "echo", "unknown": 1}', b"[" * 100_000):
            sock.sendall(wire.encode({"n": 1, "op": "get"}, payload))
            answer = wire.receive(sock, wire.MessageReader(10**6))
            assert answer is not None and answer[0]["refused"]


def test_an_event_that_isn_t_json_is_the_function_s_error(shared_home: Path, echo: lambdanb.Function) -> None:
    """The executor never looks into events; the runtime tells."""
    for payload in (b"{", b"\xff\xfe", b"[" * 200_000):
        with knock(shared_home) as sock:
            request = {"n": 1, "op": "invoke", "name": "echo", "qualifier": None, "mode": "sync"}
            sock.sendall(wire.encode(request, payload))
            answer = wire.receive(sock, wire.MessageReader(10**6))
        assert answer is not None
        assert answer[0]["error"] == "Unhandled"
        assert json.loads(answer[1])["errorType"] == "Runtime.UnmarshalError"
    assert echo("good") == "good"


def test_half_a_message_and_gone(shared_home: Path, echo: lambdanb.Function) -> None:
    whole = wire.encode({"n": 1, "op": "invoke", "name": "echo", "qualifier": None, "mode": "sync"}, b"1")
    for cut in (1, 4, 10, len(whole) - 1):
        with knock(shared_home) as sock:
            sock.sendall(whole[:cut])
    assert echo("good") == "good"


def test_gone_while_its_function_runs(shared_home: Path, echo: lambdanb.Function) -> None:
    whole = wire.encode({"n": 1, "op": "invoke", "name": "echo", "qualifier": None, "mode": "sync"}, b"1")
    for _ in range(20):
        with knock(shared_home) as sock:
            sock.sendall(whole)
    assert echo("good") == "good"
    assert eventually(lambda: (echo.records()["status"] == "ok").sum() >= 21, 5)


def test_a_client_that_doesn_t_read(shared_home: Path, echo: lambdanb.Function) -> None:
    """Its answers wait for it, within bounds, and hold up nobody."""
    with knock(shared_home) as sock:
        request = {"n": 1, "op": "invoke", "name": "echo", "qualifier": None, "mode": "sync"}
        for _ in range(20):
            sock.sendall(wire.encode(request, b'"' + b"x" * 1_000_000 + b'"'))
        for number in range(100):
            assert echo(number) == number
        reader = wire.MessageReader(10**7)
        answers: list[Any] = []
        while len(answers) < 20:
            answers += reader.feed(sock.recv(1 << 20))
        assert all(header["status"] == 200 for header, _ in answers if "refused" not in header)


def test_multiprocess_connection_is_a_client(shared_home: Path, echo: lambdanb.Function) -> None:
    with Connection(knock(shared_home).detach()) as connection:
        os.set_blocking(connection.fileno(), True)
        request = {"n": 5, "op": "invoke", "name": "echo", "qualifier": None, "mode": "sync"}
        connection.send_bytes(json.dumps(request).encode())
        connection.send_bytes(b'{"a": 1}')
        assert json.loads(connection.recv_bytes())["n"] == 5
        assert json.loads(connection.recv_bytes()) == {"a": 1}


STRANGER = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
folder = int(sys.argv[1])
try:
    sock.connect(f"/proc/self/fd/{folder}/executor.sock")
    sock.sendall(bytes.fromhex(sys.argv[2]))
    print("answered" if sock.recv(100) else "hung up")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_refused(shared_home: Path, echo: lambdanb.Function) -> None:
    """Even when somebody opened the folder's and the socket's modes: the kernel tells who it is."""
    run = shared_home / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    hello = wire.encode({"n": 1, "op": "hello"}).hex()
    folder = os.open(run, os.O_RDONLY | os.O_DIRECTORY)
    try:

        def ask() -> str:
            done = subprocess.run(
                [
                    "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable,
                    "-c",
                    STRANGER,
                    str(folder),
                    hello,
                ],
                pass_fds=[folder],
                user=65534,
                group=65534,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=60,
                cwd="/",
            )
            return done.stdout.strip() or done.stderr

        assert ask() == "PermissionError"
        run.chmod(0o777)
        (run / "executor.sock").chmod(0o777)
        assert ask() in ("hung up", "ConnectionResetError", "BrokenPipeError")
    finally:
        run.chmod(0o700)
        os.close(folder)
    assert echo("good") == "good"
