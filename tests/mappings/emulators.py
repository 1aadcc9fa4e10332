"""MiniStack's and moto's servers as tests start them: on a free port of the loopback, and gone with the test."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambdanb.client.aws import make_client
from lambdanb.model.names import ACCOUNT, REGION

READY_S = 60.0


def needs(package: str) -> pytest.MarkDecorator:
    """Skips where a server isn't installed."""
    there = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(not there, reason=f"{package} isn't installed")


@contextmanager
def ministack(folder: Path) -> Iterator[dict[str, str]]:
    """AWS's variables for a MiniStack of its own. Every key is the account's root."""
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "STATE_DIR": str(folder),
    }
    with _server(["-m", "ministack"], settings, folder, port) as variables:
        yield variables


@contextmanager
def moto(folder: Path) -> Iterator[dict[str, str]]:
    """The same of moto's server."""
    port = free_port()
    arguments = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _server(arguments, {"MOTO_ACCOUNT_ID": ACCOUNT}, folder, port) as variables:
        yield variables


@contextmanager
def _server(arguments: list[str], settings: dict[str, str], folder: Path, port: int) -> Iterator[dict[str, str]]:
    with open(folder / "server.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, folder / "server.log")
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": REGION,
        }
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """A server tells nobody that it listens, so it is knocked at."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens after {READY_S} s: {log.read_text()[-2000:]}")


_clients: dict[tuple[str, ...], Any] = {}


def client(variables: dict[str, str], service: str) -> Any:
    """botocore's client of a service: one for all tests, as it takes long to make."""
    key = (variables["AWS_ENDPOINT_URL"], variables["AWS_ACCESS_KEY_ID"], service)
    if key not in _clients:
        _clients[key] = make_client(service, variables)
    return _clients[key]


def make_stream(variables: dict[str, str], name: str, shards: int = 1) -> str:
    """A Kinesis stream's ARN."""
    kinesis = client(variables, "kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    arn: str = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return arn


def put(variables: dict[str, str], stream: str, records: list[tuple[str, bytes]]) -> None:
    """Put records, (partition key, data), in order: each call's before the next one's."""
    kinesis = client(variables, "kinesis")
    for start in range(0, len(records), 500):
        some = [{"PartitionKey": key, "Data": data} for key, data in records[start : start + 500]]
        assert kinesis.put_records(StreamName=stream, Records=some)["FailedRecordCount"] == 0


def make_table(variables: dict[str, str], name: str) -> str:
    """A DynamoDB table's stream's ARN; its items have the key `id`."""
    made = client(variables, "dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn: str = made["TableDescription"]["LatestStreamArn"]
    return arn


def make_queue(variables: dict[str, str], name: str, **attributes: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    sqs = client(variables, "sqs")
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def messages_of(variables: dict[str, str], url: str, count: int) -> list[dict[str, Any]]:
    """So many messages of a queue, deleted from it."""
    sqs = client(variables, "sqs")
    found: list[dict[str, Any]] = []
    deadline_s = time.monotonic() + READY_S
    while len(found) < count and time.monotonic() < deadline_s:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    assert len(found) >= count, found
    return found


def left_in(variables: dict[str, str], url: str) -> tuple[int, int]:
    """Messages of a queue that can be received, and that are with somebody."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = client(variables, "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(told[names[0]]), int(told[names[1]])
