"""Who may: the home's own key, keys of IAM users and sessions made there, and nobody else."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aws import EMULATED, NEEDS_EMULATOR, Client, client_of, keys_of, process_of
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

pytestmark = NEEDS_EMULATOR


def send(told: dict[str, str], method: str, target: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    """Status and text of the answer to a request that is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(told["AWS_ENDPOINT_URL"]).netloc, timeout=20)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def signed(told: dict[str, str], key: str, secret: str, service: str = "sts", body: bytes = b"") -> dict[str, str]:
    """The headers of a POST to / by this key."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", told["AWS_ENDPOINT_URL"] + "/", data=body, headers=headers)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize(
    ("service", "code"),
    [("s3", "SignatureDoesNotMatch"), ("dynamodb", "InvalidSignatureException"), ("sns", "SignatureDoesNotMatch")],
)
def test_a_wrong_secret(told: dict[str, str], service: str, code: str) -> None:
    keys = {"aws_access_key_id": told["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "wrong"}
    asked = client_of(told, service, **keys)
    call = {"s3": "list_buckets", "dynamodb": "list_tables", "sns": "list_topics"}[service]
    with pytest.raises(ClientError) as raised:
        getattr(asked, call)()
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("service", "code"),
    [("s3", "InvalidAccessKeyId"), ("dynamodb", "UnrecognizedClientException"), ("sns", "InvalidClientTokenId")],
)
@pytest.mark.parametrize("key", ["test", "123456789012", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
def test_an_unknown_key(told: dict[str, str], service: str, code: str, key: str) -> None:
    """Among them those that MiniStack takes for the account's owner, whatever they sign with."""
    asked = client_of(told, service, aws_access_key_id=key, aws_secret_access_key="test")
    call = {"s3": "list_buckets", "dynamodb": "list_tables", "sns": "list_topics"}[service]
    with pytest.raises(ClientError) as raised:
        getattr(asked, call)()
    assert raised.value.response["Error"]["Code"] == code


def test_two_keys_in_one_request(client: Client, told: dict[str, str]) -> None:
    """What one reader of the request takes for its key mustn't be another's."""
    user = a_user(client, "twofaced")
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    good = signed(told, *user, body=body)
    assert send(told, "POST", "/", good, body)[0] == 200
    scope = good["Authorization"].partition("Credential=")[2].partition(",")[0].partition("/")[2]
    before = good["Authorization"].replace("Credential=", f"Credential=test/{scope}, Credential=")
    after = f"{good['Authorization']}, Credential=test/{scope}"
    for authorization in (before, after):
        status, text = send(told, "POST", "/", good | {"Authorization": authorization}, body)
        assert ":root" not in text and (status == 403 or "user/twofaced" in text), text
    for query in (f"X-Amz-Credential=test/{scope}", f"x-amz-credential=test/{scope}", "AWSAccessKeyId=test"):
        status, text = send(told, "POST", f"/?{query}", good, body)
        assert status == 403, text


def a_user(client: Client, name: str) -> tuple[str, str]:
    """The keys of a new IAM user that may nothing."""
    iam = client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_user_of_the_account(client: Client, told: dict[str, str]) -> None:
    key, secret = a_user(client, "reader")
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    assert client_of(told, "sts", **keys).get_caller_identity()["Arn"].endswith(":user/reader")
    client("s3").create_bucket(Bucket="readable")
    s3 = client_of(told, "s3", **keys)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket="readable")
    may = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::readable*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    client("iam").put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    s3.put_object(Bucket="readable", Key="k", Body=b"v" * 100_000)
    assert s3.get_object(Bucket="readable", Key="k")["Body"].read() == b"v" * 100_000
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client_of(told, "s3", aws_access_key_id=key, aws_secret_access_key="x").list_objects_v2(Bucket="readable")


def test_a_session_of_a_role(client: Client, told: dict[str, str]) -> None:
    owner = {"AWS": "arn:aws:iam::123456789012:root"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": owner, "Action": "sts:AssumeRole"}],
    }
    role = client("iam").create_role(RoleName="visitor", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    keys = keys_of(client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"])
    assert client_of(told, "sts", **keys).get_caller_identity()["Arn"].endswith(":assumed-role/visitor/me")
    with pytest.raises(ClientError, match="AccessDenied"):
        client_of(told, "dynamodb", **keys).list_tables()
    with pytest.raises(ClientError):
        client_of(told, "sts", **(keys | {"aws_session_token": "x"})).get_caller_identity()


@pytest.mark.parametrize(
    "path", ["/_ministack/reset", "/_ministack/health", "/_localstack/health", "/_aws/sqs/messages"]
)
def test_pages_of_the_emulators_own(told: dict[str, str], path: str) -> None:
    """MiniStack shows and resets all to anybody who asks for these."""
    pair = told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]
    request = AWSRequest("POST", told["AWS_ENDPOINT_URL"] + path)
    S3SigV4Auth(Credentials(*pair), "s3", "us-east-1").add_auth(request)
    status, text = send(told, "POST", path, dict(request.headers.items()))
    assert status == 403 and "AccessDenied" in text


@pytest.mark.parametrize("target", ["@127.0.0.1:1/", "http://127.0.0.1:1/", "/bucket/key#x", "*"])
def test_paths_that_are_none(told: dict[str, str], target: str) -> None:
    headers = {"Host": urlsplit(told["AWS_ENDPOINT_URL"]).netloc, **signed_for(told, "GET", target)}
    with socket.create_connection(("127.0.0.1", int(headers["Host"].rpartition(":")[2])), timeout=20) as sock:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"GET {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer


def signed_for(told: dict[str, str], method: str, path: str) -> dict[str, str]:
    request = AWSRequest(method, told["AWS_ENDPOINT_URL"] + "/")
    S3SigV4Auth(Credentials(told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]), "s3", "us-east-1").add_auth(
        request
    )
    return dict(request.headers.items())


def test_the_emulators_own_door(client: Client, told: dict[str, str], shared_home: Path) -> None:
    """Who finds its socket, as a function might that isn't kept from the home, gets nothing without the door's key."""
    client("s3").list_buckets()

    def ask(path: str, headers: str = "") -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(shared_home / "run" / "aws.sock"))
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n".encode())
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        return answer

    test_key = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, "
    test_key += "SignedHeaders=host, Signature=0\r\n"
    for path, headers in (("/", ""), ("/", test_key), ("/_ministack/health", ""), ("/", "x-lambdanb-door: x\r\n")):
        assert ask(path, headers).startswith(b"HTTP/1.1 403"), (path, headers)


def test_no_keys_of_the_users_own_reach_the_emulator(client: Client, shared_home: Path) -> None:
    client("s3").list_buckets()
    environ: dict[str, Any] = process_of(shared_home, EMULATED).environ()
    assert environ["AWS_ACCESS_KEY_ID"].startswith("LKIA")
    assert not {name for name in environ if name.upper().endswith("_PROXY") or "TOKEN" in name}
