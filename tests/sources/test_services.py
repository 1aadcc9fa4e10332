"""The services beside Lambda, by the real boto3 through the one endpoint, with the home's own keys."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aws import EMULATED, GATEWAY, NEEDS_EMULATOR, SUPERVISOR, Client, process_of
from botocore.exceptions import ClientError

pytestmark = NEEDS_EMULATOR
ACCOUNT = "123456789012"


def test_s3(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="photos")
    etag = s3.put_object(Bucket="photos", Key="a/cat.jpg", Body=b"meow", Metadata={"who": "me"})["ETag"]
    found = s3.get_object(Bucket="photos", Key="a/cat.jpg")
    assert (found["Body"].read(), found["ETag"], found["Metadata"]) == (b"meow", etag, {"who": "me"})
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="photos")["Contents"]] == ["a/cat.jpg"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="photos", Key="dog.jpg")


def test_dynamodb(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}, "n": {"N": "3"}})
    assert dynamodb.get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]["n"] == {"N": "3"}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
    streams = client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName="orders")["Streams"]
    (shard,) = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (record,) = streams.get_records(ShardIterator=start)["Records"]
    assert record["eventName"] == "INSERT"


def test_kinesis(client: Client) -> None:
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="clicks", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    records = [{"Data": bytes([n]) * 1000, "PartitionKey": str(n)} for n in range(100)]
    assert kinesis.put_records(StreamName="clicks", Records=records)["FailedRecordCount"] == 0
    (shard,) = kinesis.list_shards(StreamName="clicks")["Shards"]
    start = kinesis.get_shard_iterator(StreamName="clicks", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    found = kinesis.get_records(ShardIterator=start, Limit=1000)["Records"]
    assert [each["Data"] for each in found] == [each["Data"] for each in records]


def test_sns_to_sqs(client: Client, told: dict[str, str]) -> None:
    sqs, sns = client("sqs"), client("sns")
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    assert url == f"{told['AWS_ENDPOINT_URL']}/{ACCOUNT}/jobs"
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allowed)})
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="hello")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "hello"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_sqs_waits_for_a_message(client: Client) -> None:
    """A long poll is held open, and is answered as soon as there is something."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="slow")["QueueUrl"]
    begun_s = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.monotonic() - begun_s >= 0.9


def test_eventbridge_to_sqs(client: Client) -> None:
    events, sqs = client("events"), client("sqs")
    url = sqs.create_queue(QueueName="matched")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allowed)})
    events.put_rule(Name="big", EventPattern=json.dumps({"source": ["shop"], "detail": {"n": [{"numeric": [">", 5]}]}}))
    events.put_targets(Rule="big", Targets=[{"Id": "1", "Arn": arn}])
    entries = [{"Source": "shop", "DetailType": "order", "Detail": json.dumps({"n": n})} for n in (1, 9)]
    assert events.put_events(Entries=entries)["FailedEntryCount"] == 0
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["detail"] == {"n": 9}


def test_iam_and_sts(client: Client) -> None:
    iam, sts = client("iam"), client("sts")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/reader"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="writer")


def test_nothing_listens_but_the_gateway(client: Client, told: dict[str, str], shared_home: Path) -> None:
    """Not on other addresses than loopback, and the emulator on no address at all."""
    client("s3").list_buckets()
    pids = {process_of(shared_home, module).pid for module in (EMULATED, SUPERVISOR, GATEWAY)}
    table = subprocess.run(["ss", "-Hltnup"], capture_output=True, text=True)
    if table.returncode:
        pytest.skip("ss isn't here to tell what listens")
    ours = [line for line in table.stdout.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    addresses = {line.split()[4] for line in ours}
    assert addresses == {told["AWS_ENDPOINT_URL"].removeprefix("http://")}, table.stdout


def test_no_service_listens_beyond_loopback() -> None:
    """Whatever MiniStack would open: it can't."""
    code = (
        "import asyncio, socket, sys\n"
        "from lambdanb.sources.emulated import only_loopback\n"
        "sys.addaudithook(only_loopback)\n"
        "socket.create_server(('127.0.0.1', 0)).close()\n"
        "async def main():\n"
        "    for host in ('0.0.0.0', '', '::'):\n"
        "        try:\n"
        "            await asyncio.start_server(lambda reader, writer: None, host, 0)\n"
        "        except OSError as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.lower().count("emulator listens on loopback only") == 3, done
