"""Functions speak to AWS: by the endpoint and credentials that they find, as their role and as nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from aws import NEEDS_EMULATOR, SUPERVISOR, Client, client_of, processes_of
from botocore.exceptions import ClientError

import lambdanb
from lambdanb.client.connection import Executor
from lambdanb.model.function_credentials import function_credentials, opened

ENVIRON = "import os\ndef lambda_handler(event, context): return dict(os.environ)\n"
CALLS = """
import boto3, botocore.exceptions

def lambda_handler(event, context):
    client = boto3.client(event["service"], config=boto3.session.Config(retries={"total_max_attempts": 4}))
    try:
        found = getattr(client, event["call"])(**event.get("with", {}))
    except botocore.exceptions.ClientError as error:
        return {"error": error.response["Error"], "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    found.pop("ResponseMetadata")
    return {key: value for key, value in found.items() if isinstance(value, (str, int, list))}
"""


@pytest.fixture(scope="module")
def calls(told: dict[str, str]) -> lambdanb.Function:
    """A function that calls what its event says."""
    return lambdanb.deploy("calls", CALLS, memory=256, timeout=60)


def call(function: Any, service: str, operation: str, **members: Any) -> dict[str, Any]:
    found: dict[str, Any] = function({"service": service, "call": operation, "with": members})
    return found


def test_a_function_that_doesnt_speak_to_aws(home: Path) -> None:
    """It finds the variables, and nothing has been started for them."""
    environ = lambdanb.deploy("environ", ENVIRON)({})
    port = (home / "gateway.port").read_text()
    assert environ["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    assert environ["AWS_ACCESS_KEY_ID"].startswith("LSIA")
    assert environ["AWS_SECRET_ACCESS_KEY"] and environ["AWS_SESSION_TOKEN"]
    assert not processes_of(home, "lambdanb.gateway") and not processes_of(home, SUPERVISOR)


def test_an_endpoint_of_its_own_choice(home: Path) -> None:
    function = lambdanb.deploy("environ", ENVIRON, environment={"AWS_ENDPOINT_URL": "http://localhost:4566"})
    assert function({})["AWS_ENDPOINT_URL"] == "http://localhost:4566"


def test_credentials_are_each_functions_own(home: Path) -> None:
    first, second = (lambdanb.deploy(name, ENVIRON)({}) for name in ("first", "second"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert first[name] != second[name]
        assert first[name] == lambdanb.get("first")({})[name]
    forged = {**first, "AWS_SESSION_TOKEN": second["AWS_SESSION_TOKEN"]}
    keys = {
        "aws_access_key_id": forged["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": forged["AWS_SECRET_ACCESS_KEY"],
        "aws_session_token": forged["AWS_SESSION_TOKEN"],
    }
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client_of(first, "sts", **keys).get_caller_identity()


def test_opening_credentials() -> None:
    secret = os.urandom(32)
    own = function_credentials(secret, "arn:f", "arn:r")
    found = opened(secret, own.access_key_id, own.session_token)
    assert found is not None
    assert (found.function_arn, found.role_arn, found.secret_access_key) == ("arn:f", "arn:r", own.secret_access_key)
    other = function_credentials(secret, "arn:g", "arn:r")
    for key_id, token in (
        (other.access_key_id, own.session_token),
        (own.access_key_id, other.session_token),
        (own.access_key_id, own.session_token.replace(".", "x.")),
        (own.access_key_id, ""),
        (own.access_key_id, "." * 10_000),
    ):
        assert opened(secret, key_id, token) is None
    assert opened(os.urandom(32), own.access_key_id, own.session_token) is None


@NEEDS_EMULATOR
def test_who_it_is(calls: Any) -> None:
    """Not the account's owner, but a session of the execution role, named after the function."""
    found = call(calls, "sts", "get_caller_identity")
    assert found["Arn"] == "arn:aws:sts::123456789012:assumed-role/lambdanb-execution-role/calls"


@NEEDS_EMULATOR
@pytest.mark.parametrize(
    ("service", "operation", "members"),
    [
        ("s3", "list_buckets", {}),
        ("s3", "put_object", {"Bucket": "private", "Key": "k", "Body": "x" * 200_000}),
        ("s3", "get_object", {"Bucket": "private", "Key": "k"}),
        ("dynamodb", "list_tables", {}),
        ("kinesis", "list_streams", {}),
        ("sqs", "create_queue", {"QueueName": "q"}),
        ("sns", "create_topic", {"Name": "t"}),
        ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}),
        ("iam", "create_user", {"UserName": "me"}),
        ("iam", "put_role_policy", {"RoleName": "lambdanb-execution-role", "PolicyName": "p", "PolicyDocument": "{}"}),
        ("sts", "assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/admin", "RoleSessionName": "me"}),
        ("lambda", "list_functions", {}),
    ],
)
def test_what_the_default_role_may_not(
    calls: Any, client: Client, service: str, operation: str, members: dict[str, Any]
) -> None:
    try:
        client("s3").create_bucket(Bucket="private")
    except ClientError as error:
        assert "BucketAlready" in str(error)
    found = call(calls, service, operation, **members)
    assert found["status"] in (400, 403), found
    assert found["error"]["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError"), found


@NEEDS_EMULATOR
def test_what_the_default_role_may(calls: Any) -> None:
    assert "error" not in call(calls, "logs", "create_log_group", logGroupName="mine")
    assert "error" not in call(calls, "logs", "create_log_stream", logGroupName="mine", logStreamName="s")
    event = {"timestamp": 1_800_000_000_000, "message": "written"}
    found = call(calls, "logs", "put_log_events", logGroupName="mine", logStreamName="s", logEvents=[event])
    assert "error" not in found
    assert call(calls, "logs", "describe_log_groups")["error"]["Code"] == "AccessDeniedException"


@NEEDS_EMULATOR
def test_a_role_of_its_own(client: Client, told: dict[str, str]) -> None:
    """Its policies are what the function may; streams of bytes go both ways under it."""
    lambda_may = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [lambda_may]})
    iam, s3 = client("iam"), client("s3")
    role = iam.create_role(RoleName="photographer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::album/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="photographer", PolicyName="album", PolicyDocument=policy)
    for bucket in ("album", "diary"):
        s3.create_bucket(Bucket=bucket)
    source = CALLS.replace(
        "    found.pop", "    if 'Body' in found: found['Body'] = found['Body'].read().decode()\n    found.pop"
    )
    function = lambdanb.deploy("photographer", source, memory=256, timeout=60, role=role)
    text = "picture" * 50_000
    assert "error" not in call(function, "s3", "put_object", Bucket="album", Key="k", Body=text)
    assert call(function, "s3", "get_object", Bucket="album", Key="k")["Body"] == text
    assert call(function, "s3", "put_object", Bucket="diary", Key="k", Body="x")["error"]["Code"] == "AccessDenied"
    assert call(function, "s3", "delete_object", Bucket="album", Key="k")["error"]["Code"] == "AccessDenied"
    url = 'import boto3\ndef lambda_handler(event, context):\n    return boto3.client("s3").generate_presigned_url('
    url += '"get_object", {"Bucket": event, "Key": "k"})\n'
    sign = lambdanb.deploy("signer", url, memory=256, timeout=60, role=role)
    from urllib.error import HTTPError
    from urllib.request import urlopen

    s3.put_object(Bucket="diary", Key="k", Body=b"secret")
    assert urlopen(sign("album"), timeout=20).read() == text.encode()
    with pytest.raises(HTTPError, match="403"):
        urlopen(sign("diary"), timeout=20)


@NEEDS_EMULATOR
def test_a_role_that_isnt_there(told: dict[str, str]) -> None:
    role = "arn:aws:iam::123456789012:role/nobody"
    function = lambdanb.deploy("lost", CALLS, memory=256, timeout=60, role=role)
    found = call(function, "s3", "list_buckets")
    assert found["error"]["Code"] == "AccessDenied"
    assert f"The execution role {role} of this function can't be assumed" in found["error"]["Message"]


@NEEDS_EMULATOR
def test_a_session_that_the_emulator_has_lost(calls: Any, client: Client, shared_home: Path) -> None:
    """boto3 in the function is told to try again, and finds another session."""
    assert call(calls, "sts", "get_caller_identity")["Arn"]
    sts = client("iam")
    sts.delete_role_policy(RoleName="lambdanb-execution-role", PolicyName="logs")
    sts.delete_role(RoleName="lambdanb-execution-role")
    assert call(calls, "sts", "get_caller_identity")["Arn"]


def test_without_the_emulator(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls another service is told what to do."""
    (tmp_path / "hidden" / "ministack").mkdir(parents=True)
    hook = "import importlib.util as u\nfound = u.find_spec\n"
    hook += "u.find_spec = lambda name, package=None: None if name == 'ministack' else found(name, package)\n"
    (tmp_path / "hidden" / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'hidden'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    function = lambdanb.deploy("calls", CALLS, memory=256, timeout=60)
    for service, operation in (("s3", "list_buckets"), ("dynamodb", "list_tables"), ("sns", "list_topics")):
        found = call(function, service, operation)
        assert found["status"] == 501
        assert "pip install 'lambdanb[aws]'" in found["error"]["Message"]
        assert "LAMBDANB_AWS_ENDPOINT_URL" in found["error"]["Message"]
    assert Executor.of(home).ask("hello")
