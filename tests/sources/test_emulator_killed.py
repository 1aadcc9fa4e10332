"""The emulator killed, hung, ended in order, and the executor killed above it: what was acknowledged is there again."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aws import (
    EMULATED,
    NEEDS_EMULATOR,
    SUPERVISOR,
    client_of,
    endpoint_of,
    process_of,
    processes_of,
    wait_until_gone,
)
from botocore.exceptions import ClientError
from homes import executor_pid, hang_up, wait_for_end

from lambdanb.client.connection import Executor

pytestmark = NEEDS_EMULATOR


def table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def state_of(home: Path, service: str) -> tuple[int, int]:
    """What tells one snapshot's file from another."""
    try:
        found = (home / "aws" / "state" / f"{service}.json").stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def wait_for_snapshots(home: Path, service: str, count: int = 2, timeout_s: float = 30.0) -> None:
    """Until so many more have been written: what was there before the last of them began is in it."""
    deadline_s = time.monotonic() + timeout_s
    for _ in range(count):
        before = state_of(home, service)
        while state_of(home, service) == before:
            assert time.monotonic() < deadline_s, "no snapshot"
            time.sleep(0.02)


def keep_changing(dynamodb: Any, stop: threading.Event) -> threading.Thread:
    """A client that changes something all the time, so that snapshots go on."""

    def change() -> None:
        while not stop.wait(0.05):
            dynamodb.put_item(TableName="busy", Item={"id": {"S": "0"}})

    table(dynamodb, "busy")
    thread = threading.Thread(target=change)
    thread.start()
    return thread


def test_kill_9_while_a_client_works(home: Path) -> None:
    """boto3 with its own retries sees nothing of it; what is in a snapshot is there, and S3's objects are anyway."""
    told = endpoint_of(home)
    s3, dynamodb = (client_of(told, name, attempts=8) for name in ("s3", "dynamodb"))
    s3.create_bucket(Bucket="kept")
    table(dynamodb, "kept")
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "before"}})
    stop = threading.Event()
    changing = keep_changing(client_of(told, "dynamodb", attempts=8), stop)
    try:
        wait_for_snapshots(home, "dynamodb")
        stored: list[str] = []
        for number in range(60):
            if number == 30:
                os.kill(process_of(home, EMULATED).pid, signal.SIGKILL)
            s3.put_object(Bucket="kept", Key=str(number), Body=b"x")
            stored.append(str(number))
    finally:
        stop.set()
        changing.join()
    assert dynamodb.get_item(TableName="kept", Key={"id": {"S": "before"}})["Item"]
    assert sorted(each["Key"] for each in s3.list_objects_v2(Bucket="kept")["Contents"]) == sorted(stored)


def test_a_hang(home: Path) -> None:
    """One that is stopped doesn't answer: it is found out and replaced, and the request that it kept is told so."""
    told = endpoint_of(home)
    dynamodb = client_of(told, "dynamodb")
    dynamodb.list_tables()
    hung = process_of(home, EMULATED)
    os.kill(hung.pid, signal.SIGSTOP)
    with pytest.raises(ClientError, match="broke off the request") as raised:
        dynamodb.list_tables()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert raised.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert "TableNames" in client_of(told, "dynamodb", attempts=8).list_tables()
    assert process_of(home, EMULATED).pid != hung.pid
    assert "hangs: no answer" in (home / "executor.log").read_text()


def test_the_supervisor_is_killed(home: Path) -> None:
    """The emulator below it ends in order, and so keeps its state; another pair takes over."""
    told = endpoint_of(home)
    sqs = client_of(told, "sqs", attempts=8)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="kept")
    before = process_of(home, SUPERVISOR).pid, process_of(home, EMULATED).pid
    os.kill(before[0], signal.SIGKILL)
    wait_until_gone(list(before))
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"] == "kept"
    assert process_of(home, SUPERVISOR).pid != before[0]


def test_a_hung_one_without_its_supervisor(home: Path) -> None:
    """It can't end in order, and holds the lock: the next supervisor kills it."""
    told = endpoint_of(home)
    s3 = client_of(told, "s3", attempts=8)
    s3.create_bucket(Bucket="box")
    s3.put_object(Bucket="box", Key="first", Body=b"on disk, and with it its bucket")
    stopped = process_of(home, EMULATED).pid
    os.kill(stopped, signal.SIGSTOP)
    os.kill(process_of(home, SUPERVISOR).pid, signal.SIGKILL)
    assert s3.put_object(Bucket="box", Key="k", Body=b"v")
    wait_until_gone([stopped])


def fill(told: dict[str, str]) -> None:
    """Something of every service."""
    client_of(told, "s3").create_bucket(Bucket="box")
    client_of(told, "s3").put_object(Bucket="box", Key="k", Body=b"object", Metadata={"a": "b"})
    table(client_of(told, "dynamodb"), "table")
    client_of(told, "dynamodb").put_item(TableName="table", Item={"id": {"S": "item"}})
    client_of(told, "kinesis").create_stream(StreamName="s", ShardCount=1)
    client_of(told, "kinesis").get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    client_of(told, "kinesis").put_record(StreamName="s", Data=b"record", PartitionKey="p")
    queue = client_of(told, "sqs").create_queue(QueueName="q")["QueueUrl"]
    client_of(told, "sqs").send_message(QueueUrl=queue, MessageBody="message")
    client_of(told, "sns").create_topic(Name="n")
    client_of(told, "events").put_rule(Name="r", ScheduleExpression="rate(1 day)")
    client_of(told, "iam").create_user(UserName="u")


def check(told: dict[str, str]) -> None:
    """All of it is there."""
    found = client_of(told, "s3").get_object(Bucket="box", Key="k")
    assert (found["Body"].read(), found["Metadata"]) == (b"object", {"a": "b"})
    assert client_of(told, "dynamodb").get_item(TableName="table", Key={"id": {"S": "item"}})["Item"]
    kinesis = client_of(told, "kinesis")
    (shard,) = kinesis.list_shards(StreamName="s")["Shards"]
    start = kinesis.get_shard_iterator(StreamName="s", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    assert [each["Data"] for each in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]] == [
        b"record"
    ]
    sqs = client_of(told, "sqs")
    (message,) = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="q")["QueueUrl"])["Messages"]
    assert message["Body"] == "message"
    assert len(client_of(told, "sns").list_topics()["Topics"]) == 1
    assert client_of(told, "events").describe_rule(Name="r")["ScheduleExpression"] == "rate(1 day)"
    assert client_of(told, "iam").get_user(UserName="u")["User"]


def test_state_is_kept(home: Path) -> None:
    """The last client goes, the executor ends and with it the emulator; the next one has all of it."""
    fill(endpoint_of(home))
    ended = [process_of(home, module).pid for module in (SUPERVISOR, EMULATED)]
    hang_up(home)
    assert not [pid for pid in ended if Path(f"/proc/{pid}").exists()]
    check(endpoint_of(home))


def test_the_executor_is_killed(home: Path) -> None:
    """Nothing of the emulator stays behind, and nothing is lost: it ends in order all the same."""
    fill(endpoint_of(home))
    left = [process_of(home, module).pid for module in (SUPERVISOR, EMULATED)]
    pid = executor_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    wait_until_gone(left)
    check(endpoint_of(home))


def test_the_executor_is_killed_above_a_hung_emulator(home: Path) -> None:
    client_of(endpoint_of(home), "s3").create_bucket(Bucket="box")
    left = [process_of(home, module).pid for module in (SUPERVISOR, EMULATED)]
    os.kill(left[1], signal.SIGSTOP)
    pid = executor_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until_gone([pid, *left])


def test_two_homes_beside_each_other(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        first, second = endpoint_of(home), endpoint_of(other)
        client_of(first, "s3").create_bucket(Bucket="mine")
        client_of(second, "s3").create_bucket(Bucket="mine")
        client_of(first, "s3").put_object(Bucket="mine", Key="k", Body=b"first")
        assert "Contents" not in client_of(second, "s3").list_objects_v2(Bucket="mine")
        crossed = first | {"AWS_ENDPOINT_URL": second["AWS_ENDPOINT_URL"]}
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            client_of(crossed, "s3").list_buckets()
    finally:
        hang_up(other)


def test_one_that_cant_be_kept_up(home: Path) -> None:
    """Clients are told, and the executor goes on. It is tried again for the next client, and may have been mended."""
    told = endpoint_of(home)
    (home / "aws").mkdir(exist_ok=True)
    (home / "aws" / "tmp").write_text("no folder")
    with pytest.raises(ClientError, match="broke off"):
        client_of(told, "dynamodb").list_tables()
    with pytest.raises(ClientError, match=r"can't be reached .*executor\.log tells why"):
        client_of(told, "dynamodb").list_tables()
    assert "can't be kept up" in (home / "executor.log").read_text()
    assert Executor.of(home).ask("hello")["pid"] == executor_pid(home)
    assert not processes_of(home, EMULATED)
    (home / "aws" / "tmp").unlink()
    assert "TableNames" in client_of(told, "dynamodb").list_tables()
