"""S3's side of HTTP, through the gateway: big bodies in pieces, ranges, presigned URLs, chunked and checked uploads."""

from __future__ import annotations

import hashlib
import hmac
import io
import socket
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from aws import GATEWAY, NEEDS_EMULATOR, Client, client_of, process_of
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

pytestmark = NEEDS_EMULATOR
MB = 1024 * 1024


@pytest.fixture(scope="module")
def s3(client: Client) -> Any:
    found = client("s3")
    found.create_bucket(Bucket="wire")
    return found


class Zeros(io.RawIOBase):
    """A file of so many zeros, which are nowhere."""

    def __init__(self, size: int) -> None:
        self._size, self._place = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._place)
        buffer[:count] = bytes(count)
        self._place += count
        return count


def test_a_big_object_isnt_held(s3: Any, shared_home: Path) -> None:
    """256 MB up and down in one piece; what the gateway holds at most grows by far less."""
    gateway = process_of(shared_home, GATEWAY)
    before = peak_kb(gateway.pid)
    s3.put_object(Bucket="wire", Key="big", Body=io.BufferedReader(Zeros(256 * MB)), ContentLength=256 * MB)
    size = sum(len(piece) for piece in s3.get_object(Bucket="wire", Key="big")["Body"].iter_chunks(MB))
    assert size == 256 * MB
    assert peak_kb(gateway.pid) - before < 48 * 1024
    s3.delete_object(Bucket="wire", Key="big")


def peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def test_multipart(s3: Any, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096 * 20
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(data), "wire", "parts", Config=config)
    assert s3.head_object(Bucket="wire", Key="parts")["ETag"].endswith('-4"')
    s3.download_file("wire", "parts", str(tmp_path / "parts"), Config=config)
    assert (tmp_path / "parts").read_bytes() == data


def test_ranges_and_heads(s3: Any) -> None:
    s3.put_object(Bucket="wire", Key="range", Body=bytes(range(100)), ContentType="text/x")
    part = s3.get_object(Bucket="wire", Key="range", Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (bytes(range(10, 20)), "bytes 10-19/100")
    head = s3.head_object(Bucket="wire", Key="range")
    assert (head["ContentLength"], head["ContentType"]) == (100, "text/x")
    with pytest.raises(ClientError, match="304"):
        s3.get_object(Bucket="wire", Key="range", IfNoneMatch=head["ETag"])
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="wire", Key="none")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket="wire", Key="range", Range="bytes=200-")
    assert s3.get_object(Bucket="wire", Key="range")["Body"].read() == bytes(range(100))  # on the same connection


@pytest.mark.parametrize("key", ["a b", "ü/ß", "a+b", "a%2Fb", "a&b=c?d", "x//y", "dots/../up", "~t'()*!", "日本"])
def test_odd_keys(s3: Any, told: dict[str, str], key: str) -> None:
    s3.put_object(Bucket="wire", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="wire", Key=key)["Body"].read() == key.encode()
    assert key in [each["Key"] for each in s3.list_objects_v2(Bucket="wire")["Contents"]]
    for version in ("s3", "s3v4"):
        signer = client_of(told, "s3", signature_version=version)
        url = signer.generate_presigned_url("get_object", {"Bucket": "wire", "Key": key})
        assert urlopen(url, timeout=20).read() == key.encode()
    s3.delete_object(Bucket="wire", Key=key)


@pytest.fixture(params=["s3", "s3v4"])
def signer(request: pytest.FixtureRequest, told: dict[str, str]) -> Any:
    """boto3's presigning: by version 2 of signatures, as by default for us-east-1, and by version 4."""
    return client_of(told, "s3", signature_version=request.param)


def test_presigned_urls(s3: Any, signer: Any) -> None:
    """GET with what it is to answer, PUT with a header that is signed, and one that was changed."""
    put = signer.generate_presigned_url("put_object", {"Bucket": "wire", "Key": "pre", "ContentType": "text/plain"})
    sent = Request(put, data=b"by url", method="PUT", headers={"Content-Type": "text/plain"})
    assert urlopen(sent, timeout=20).status == 200
    shown = {"Bucket": "wire", "Key": "pre", "ResponseContentDisposition": 'attachment; filename="a b+c"'}
    answer = urlopen(signer.generate_presigned_url("get_object", shown), timeout=20)
    assert (answer.read(), answer.headers["Content-Disposition"]) == (b"by url", 'attachment; filename="a b+c"')
    get = signer.generate_presigned_url("get_object", {"Bucket": "wire", "Key": "pre"})
    assert status_of(get.replace("/pre?", "/other?")) == (403, "SignatureDoesNotMatch")
    assert status_of(Request(get, method="DELETE")) == (403, "SignatureDoesNotMatch")
    assert status_of(f"{get}&acl")[0] == 403
    other = Request(put, data=b"else", method="PUT", headers={"Content-Type": "text/html"})
    assert status_of(other) == (403, "SignatureDoesNotMatch")
    assert s3.get_object(Bucket="wire", Key="pre")["Body"].read() == b"by url"


def test_a_presigned_url_with_metadata(s3: Any, signer: Any) -> None:
    asked = {"Bucket": "wire", "Key": "meta", "Metadata": {"who": "me"}}
    put = signer.generate_presigned_url("put_object", asked)
    sent = Request(put, data=b"x", method="PUT", headers={"x-amz-meta-who": "me", "Content-Type": ""})
    assert status_of(sent) == (200, "")
    assert s3.head_object(Bucket="wire", Key="meta")["Metadata"] == {"who": "me"}


def test_a_presigned_url_that_has_expired(s3: Any, signer: Any) -> None:
    get = signer.generate_presigned_url("get_object", {"Bucket": "wire", "Key": "pre"}, ExpiresIn=-1)
    assert status_of(get)[0] == 403
    get = signer.generate_presigned_url("get_object", {"Bucket": "wire", "Key": "pre"}, ExpiresIn=60)
    later = get.replace("Expires=", "Expires=9")
    assert later != get and status_of(later)[0] == 403


def status_of(request: Any) -> tuple[int, str]:
    from urllib.error import HTTPError

    try:
        return urlopen(request, timeout=20).status, ""
    except HTTPError as error:
        return error.code, error.read().decode().partition("<Code>")[2].partition("<")[0]


class Wire:
    """Uploads put together by hand, as SDKs make them that boto3 isn't."""

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told
        self.netloc = urlsplit(told["AWS_ENDPOINT_URL"]).netloc
        self.secret = told["AWS_SECRET_ACCESS_KEY"]

    def head(self, key: str, payload_hash: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        """The signed headers of a PUT, and the signature."""
        url = f"{self.told['AWS_ENDPOINT_URL']}/wire/{quote(key)}"
        request = AWSRequest("PUT", url, headers={**headers, "X-Amz-Content-SHA256": payload_hash})
        request.context["payload_signing_enabled"] = True
        signer = S3SigV4Auth(Credentials(self.told["AWS_ACCESS_KEY_ID"], self.secret), "s3", "us-east-1")
        signer.payload = lambda request: payload_hash  # type: ignore[method-assign]
        signer.add_auth(request)
        found = dict(request.headers.items())
        return found, found["Authorization"].rpartition("Signature=")[2]

    def put(self, key: str, headers: dict[str, str], body: Iterator[bytes], *, expects: bool = False) -> bytes:
        """The whole answer; with `expects`, the body isn't sent before the server says so."""
        with socket.create_connection((self.netloc.partition(":")[0], int(self.netloc.partition(":")[2])), 20) as sock:
            lines = [f"PUT /wire/{quote(key)} HTTP/1.1", f"Host: {self.netloc}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if expects:
                lines.append("Expect: 100-continue")
            sock.sendall("\r\n".join([*lines, "", ""]).encode())
            answer = b""
            if expects:
                answer = sock.recv(65536)
                if not answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
                    return answer
                answer = answer.partition(b"\r\n\r\n")[2]
            try:
                for piece in body:
                    sock.sendall(piece)
            except ConnectionError:
                pass
            while piece := sock.recv(65536):
                answer += piece
            return answer

    def chunk_signature(self, stamp: str, before: str, kind: str, text: str) -> str:
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return hmac.new(key, f"{kind}\n{stamp}\n{scope}\n{before}\n{text}".encode(), "sha256").hexdigest()


@pytest.fixture
def wire(s3: Any, told: dict[str, str]) -> Wire:
    return Wire(told)


def chunked(wire: Wire, key: str, chunks: list[bytes], *, spoil: int | None = None) -> bytes:
    """An upload in signed chunks, as the SDKs for Java and Go make it; the chunk to spoil is signed wrongly."""
    size = sum(map(len, chunks))
    headers = {"x-amz-decoded-content-length": str(size), "content-encoding": "aws-chunked"}
    whole, before = wire.head(key, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headers)
    empty, framed = hashlib.sha256(b"").hexdigest(), []
    for number, chunk in enumerate([*chunks, b""]):
        text = f"{empty}\n{hashlib.sha256(chunk).hexdigest()}"
        before = wire.chunk_signature(whole["X-Amz-Date"], before, "AWS4-HMAC-SHA256-PAYLOAD", text)
        given = "0" * 64 if number == spoil else before
        framed.append(b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), given.encode(), chunk))
    whole["Content-Length"] = str(sum(map(len, framed)))
    return wire.put(key, whole, iter(framed))


def test_signed_chunks(wire: Wire, s3: Any) -> None:
    chunks = [b"a" * 65_536, b"b" * 200_000, b"c"]
    assert chunked(wire, "chunks", chunks).startswith(b"HTTP/1.1 200")
    found = s3.get_object(Bucket="wire", Key="chunks")
    assert found["Body"].read() == b"".join(chunks)
    assert "aws-chunked" not in found.get("ContentEncoding", "")


@pytest.mark.parametrize("spoil", [0, 1, 2])
def test_a_chunk_signed_wrongly_stores_nothing(wire: Wire, s3: Any, spoil: int) -> None:
    answer = chunked(wire, "spoilt", [b"a" * 65_536, b"b" * 65_536], spoil=spoil)
    assert answer.startswith(b"HTTP/1.1 403") and b"SignatureDoesNotMatch" in answer
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="wire", Key="spoilt")


def trailing(wire: Wire, key: str, data: bytes, *, signed: bool, right: bool = True) -> bytes:
    """An upload with its checksum behind it; unsigned as the SDK for JavaScript and new boto3 (by TLS) make it."""
    checksum = b64encode(zlib.crc32(data if right else b"other").to_bytes(4, "big")).decode()
    told = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    headers = {"x-amz-decoded-content-length": str(len(data)), "content-encoding": "aws-chunked"}
    headers |= {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"}
    whole, before = wire.head(key, told, headers)
    framed, empty = [], hashlib.sha256(b"").hexdigest()
    for chunk in (data[:100_000], data[100_000:], b""):
        extension = b""
        if signed:
            text = f"{empty}\n{hashlib.sha256(chunk).hexdigest()}"
            before = wire.chunk_signature(whole["X-Amz-Date"], before, "AWS4-HMAC-SHA256-PAYLOAD", text)
            extension = b";chunk-signature=" + before.encode()
        framed.append(b"%x%s\r\n%s" % (len(chunk), extension, chunk + b"\r\n" if chunk else b""))
    framed.append(f"x-amz-checksum-crc32:{checksum}\r\n".encode())
    if signed:
        hashed = hashlib.sha256(f"x-amz-checksum-crc32:{checksum}\n".encode()).hexdigest()
        last = wire.chunk_signature(whole["X-Amz-Date"], before, "AWS4-HMAC-SHA256-TRAILER", hashed)
        framed.append(f"x-amz-trailer-signature:{last}\r\n".encode())
    framed.append(b"\r\n")
    whole["Transfer-Encoding"] = "chunked"
    http_chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in framed]
    return wire.put(key, whole, iter([*http_chunks, b"0\r\n\r\n"]))


@pytest.mark.parametrize("signed", [False, True])
def test_a_checksum_behind_the_body(wire: Wire, s3: Any, signed: bool) -> None:
    data = b"0123456789" * 20_000
    answer = trailing(wire, "trailer", data, signed=signed)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    found = s3.get_object(Bucket="wire", Key="trailer", ChecksumMode="ENABLED")
    assert found["Body"].read() == data
    assert found["ChecksumCRC32"] == b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("signed", [False, True])
def test_a_wrong_checksum_stores_nothing(wire: Wire, s3: Any, signed: bool) -> None:
    assert trailing(wire, "unsound", b"x" * 150_000, signed=signed, right=False).startswith(b"HTTP/1.1 400")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="wire", Key="unsound")


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_another_body_than_was_signed_stores_nothing(wire: Wire, s3: Any, size: int) -> None:
    headers, _ = wire.head("forged", hashlib.sha256(b"something else").hexdigest(), {})
    headers["Content-Length"] = str(size)
    answer = wire.put("forged", headers, iter([b"x" * size]))
    assert answer.startswith(b"HTTP/1.1 400") and b"XAmzContentSHA256Mismatch" in answer
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="wire", Key="forged")


def test_an_upload_that_breaks_off_stores_nothing(wire: Wire, s3: Any) -> None:
    headers, _ = wire.head("torn", "UNSIGNED-PAYLOAD", {})
    headers["Content-Length"] = "1000000"
    with socket.create_connection(("127.0.0.1", int(wire.netloc.rpartition(":")[2])), 20) as sock:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"PUT /wire/torn HTTP/1.1\r\nHost: {wire.netloc}\r\n{head}\r\n".encode() + b"x" * 500_000)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="wire", Key="torn")
    assert s3.put_object(Bucket="wire", Key="whole", Body=b"x")["ETag"]


def test_continue_is_said_to_who_waits_for_it(wire: Wire, s3: Any) -> None:
    data = b"patient"
    headers, _ = wire.head("expected", hashlib.sha256(data).hexdigest(), {})
    headers["Content-Length"] = str(len(data))
    assert wire.put("expected", headers, iter([data]), expects=True).startswith(b"HTTP/1.1 200")
    assert s3.get_object(Bucket="wire", Key="expected")["Body"].read() == data
    headers["Authorization"] = headers["Authorization"][:-4] + "0000"
    assert wire.put("expected", headers, iter([data]), expects=True).startswith(b"HTTP/1.1 403")
