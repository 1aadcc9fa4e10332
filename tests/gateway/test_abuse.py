"""Who may not come in, what is too much, and clients that misbehave: refused with the right error, nobody disturbed."""

from __future__ import annotations

import datetime
import io
import json
import os
import socket
import stat
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from packages import ROLE, zipped
from raw import INVOKE, send, signed

from lambdanb.executor.aws_endpoint import _listen

FUNCTIONS = "/2015-03-31/functions"


def test_credentials_are_the_users_alone(endpoint: dict[str, str], shared_home: Path) -> None:
    assert stat.S_IMODE((shared_home / "credentials.json").stat().st_mode) == 0o600
    assert urlsplit(endpoint["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1"


def test_unsigned(endpoint: dict[str, str], echo: str) -> None:
    status, code, _ = send(endpoint, "POST", INVOKE, b"{}")
    assert (status, code) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "InvalidSignatureException"),
        ({"age": datetime.timedelta(minutes=16)}, "InvalidSignatureException"),
        ({"age": datetime.timedelta(minutes=-16)}, "InvalidSignatureException"),
        ({"region": "eu-west-1"}, "InvalidSignatureException"),
        ({"service": "s3"}, ""),  # S3's clients are told in XML
    ],
)
def test_wrongly_signed(endpoint: dict[str, str], echo: str, change: dict[str, Any], code: str) -> None:
    headers = signed(endpoint, "POST", INVOKE, b"{}", **change)
    assert send(endpoint, "POST", INVOKE, b"{}", headers)[:2] == (403, code)


def test_what_is_signed_can_not_be_changed(endpoint: dict[str, str], echo: str) -> None:
    headers = signed(endpoint, "POST", INVOKE, b"{}", headers={"X-Amz-Invocation-Type": "DryRun"})
    assert send(endpoint, "POST", INVOKE, b"{}", headers)[0] == 204
    for method, path, body, changed in (
        ("POST", INVOKE, b"[]", {}),
        ("POST", INVOKE + "?Qualifier=1", b"{}", {}),
        ("POST", INVOKE, b"{}", {"X-Amz-Invocation-Type": "Event"}),
        ("POST", INVOKE, b"{}", {"X-Amz-Log-Type": "Tail"}),
        ("POST", INVOKE.replace("echo", "other"), b"{}", {}),
    ):
        assert send(endpoint, method, path, body, headers | changed)[:2] == (403, "InvalidSignatureException")
    assert send(endpoint, "POST", INVOKE, b"{}", headers | {"Authorization": "AWS4-HMAC-SHA256 x"})[0] == 403


def test_an_unknown_key(endpoint: dict[str, str], echo: str) -> None:
    headers = signed(endpoint | {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "POST", INVOKE, b"{}")
    assert send(endpoint, "POST", INVOKE, b"{}", headers)[:2] == (403, "UnrecognizedClientException")


@pytest.mark.parametrize("more", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_browsers_request_is_refused(endpoint: dict[str, str], echo: str, more: dict[str, str]) -> None:
    headers = signed(endpoint, "POST", INVOKE, b"{}") | more
    assert send(endpoint, "POST", INVOKE, b"{}", headers)[:2] == (403, "AccessDeniedException")


def test_an_unknown_path(endpoint: dict[str, str]) -> None:
    for path in ("/", "/nothing", "/2015-03-31/functions/../../etc/passwd", "//"):
        headers = signed(endpoint, "GET", path)
        assert send(endpoint, "GET", path, headers=headers)[:2] == (404, "UnknownOperationException")


def test_an_event_over_6_mb(endpoint: dict[str, str], echo: str, aws: Any) -> None:
    body = b'"' + b"x" * (7 * 1024 * 1024) + b'"'
    status, code, _ = send(endpoint, "POST", INVOKE, body, signed(endpoint, "POST", INVOKE, body))
    assert (status, code) == (413, "RequestTooLargeException")
    assert aws.invoke(FunctionName=echo)["StatusCode"] == 200


def bomb() -> bytes:
    """300 MB of nothing in 300 KB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("app.py", "w") as file:
        for _ in range(300):
            file.write(bytes(1024 * 1024))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("package", "told"),
    [
        (lambda: zipped({"../../evil.py": "x"}), "a path outside of its own folder"),
        (lambda: zipped({"/etc/evil": "x"}), "a path outside of its own folder"),
        (lambda: zipped({"a\\..\\..\\evil.py": "x"}), "a path outside of its own folder"),
        (lambda: zipped({"link": "/etc/passwd"}, modes={"link": stat.S_IFLNK | 0o777}), "no plain file"),
        (lambda: zipped({"a": "x", "a/b": "x"}), "a file and a folder of the same name"),
        (bomb, "Unzipped size must be smaller than 262144000 bytes"),
        (lambda: b"this is no zip", "Could not unzip uploaded file"),
        (lambda: zipped({"app.py": "x" * 5000})[:-30], "Could not unzip uploaded file"),
        (lambda: zipped({}), "non-empty zip"),
    ],
)
def test_a_bad_package(aws: Any, shared_home: Path, package: Any, told: str) -> None:
    with pytest.raises(ClientError) as caught:
        aws.create_function(
            FunctionName="bad", Runtime="python3.13", Role=ROLE, Handler="app.handler", Code={"ZipFile": package()}
        )
    error = caught.value.response["Error"]
    assert (error["Code"], told in error["Message"]) == ("InvalidParameterValueException", True), error
    assert [name for name in os.listdir(shared_home / "code") if name.startswith(".")] == []
    assert not (shared_home / "evil.py").exists()


def test_a_client_that_hangs_up_its_half_still_gets_its_answer(endpoint: dict[str, str], echo: str) -> None:
    headers = signed(endpoint, "POST", INVOKE, b'{"half": 1}') | {"Host": urlsplit(endpoint["AWS_ENDPOINT_URL"]).netloc}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(_address(endpoint), timeout=20) as sock:
        sock.sendall(f"POST {INVOKE} HTTP/1.1\r\n{head}Content-Length: 11\r\n\r\n".encode() + b'{"half": 1}')
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"half": 1}')


def test_clients_that_never_finish_disturb_nobody(endpoint: dict[str, str], echo: str, aws: Any) -> None:
    loris = [socket.create_connection(_address(endpoint), timeout=20) for _ in range(300)]
    try:
        for sock in loris:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert json.load(aws.invoke(FunctionName=echo, Payload=b"1")["Payload"]) == 1
        for sock in loris[:50]:
            sock.sendall(b"\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 403 ")
    finally:
        for sock in loris:
            sock.close()
    assert json.load(aws.invoke(FunctionName=echo, Payload=b"2")["Payload"]) == 2


def test_rubbish_instead_of_http(endpoint: dict[str, str], echo: str, aws: Any) -> None:
    for rubbish in (b"\x16\x03\x01\x02\x00" * 20, b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000, b"\r\n" * 2000):
        with socket.create_connection(_address(endpoint), timeout=20) as sock:
            sock.sendall(rubbish)
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    assert aws.invoke(FunctionName=echo)["StatusCode"] == 200


def test_a_home_keeps_its_port_while_it_is_free(tmp_path: Path) -> None:
    first = _listen(tmp_path / "port")
    other = _listen(tmp_path / "port")
    assert other.getsockname() != first.getsockname()
    kept = other.getsockname()
    first.close()
    other.close()
    again = _listen(tmp_path / "port")
    assert again.getsockname() == kept
    again.close()


def _address(endpoint: dict[str, str]) -> tuple[str, int]:
    parts = urlsplit(endpoint["AWS_ENDPOINT_URL"])
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port
