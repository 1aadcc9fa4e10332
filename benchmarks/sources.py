"""From a write to the handler's start: Kinesis, DynamoDB streams and SQS, each by an event source mapping of ours.

    python benchmarks/sources.py [--writes N] [--every S]

Writes come one by one, at random distances; the time is from before the write's call until the handler's first line.
Then the same for Kinesis beside two other mappings, of which one's function takes its time and the other's always
fails: issue 5 wants that to cost no more than 50 ms. It wants Kinesis and DynamoDB under 50 ms at p50.

The services are the home's own, or those of LAMBDANB_AWS_ENDPOINT_URL; writes and reads go through the gateway.
"""

from __future__ import annotations

import argparse
import random
import socket
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

import lambdanb
from lambdanb.client.aws import make_client
from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables
from measure import Times, print_table, verdict
from ours import own_home

WANTED_MS = 50.0
_DEADLINE_S = 30.0
SOURCE = """
import os, socket, time

wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def lambda_handler(event, context):
    wire.sendto(repr(time.time()).encode(), ("127.0.0.1", int(os.environ["PORT"])))
"""
SLOW = "import time\n\ndef lambda_handler(event, context):\n    time.sleep(1)\n"
FAILING = "def lambda_handler(event, context):\n    raise ValueError('always')\n"

Write = Callable[[int], None]


def kinesis(aws: dict[str, str], name: str) -> tuple[str, Write]:
    """A stream's ARN, and how to write to it."""
    client = make_client("kinesis", aws)
    client.create_stream(StreamName=name, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=name)
    arn = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return arn, lambda number: client.put_record(StreamName=name, Data=str(number).encode(), PartitionKey="k")


def dynamodb(aws: dict[str, str], name: str) -> tuple[str, Write]:
    """The same of a table and its stream."""
    client = make_client("dynamodb", aws)
    made = client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    arn = made["TableDescription"]["LatestStreamArn"]
    return arn, lambda number: client.put_item(TableName=name, Item={"id": {"S": str(number)}})


def sqs(aws: dict[str, str], name: str) -> tuple[str, Write]:
    """The same of a queue."""
    client = make_client("sqs", aws)
    url = client.create_queue(QueueName=name)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn, lambda number: client.send_message(QueueUrl=url, MessageBody=str(number))


def mapped(lambda_: Any, arn: str, function: str) -> None:
    """A mapping that is read."""
    start = {} if ":sqs:" in arn else {"StartingPosition": "LATEST"}
    uuid = lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, **start)["UUID"]
    deadline_s = time.monotonic() + _DEADLINE_S
    while lambda_.get_event_source_mapping(UUID=uuid)["State"] != "Enabled" and time.monotonic() < deadline_s:
        time.sleep(0.02)


def measured(name: str, write: Write, heard: socket.socket, writes: int, every_s: float) -> Times:
    """From each write to the handler it started."""
    times, chance = Times(name), random.Random(1)
    for number in range(writes + 3):
        time.sleep(every_s * (0.5 + chance.random()))
        before_s = time.time()
        write(number)
        started_s = float(heard.recv(64))
        if number >= 3:
            times.ms.append((started_s - before_s) * 1e3)
    return times


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--writes", type=int, default=100)
    options.add_argument("--every", type=float, default=0.1, metavar="S")
    chosen = options.parse_args()
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.bind(("127.0.0.1", 0))
    heard.settimeout(_DEADLINE_S)
    found: list[Times] = []
    with own_home() as home:
        told = variables(home, Executor.of(home).ask("endpoint")["url"])
        lambda_ = boto3.Session(region_name="us-east-1").client(
            "lambda",
            endpoint_url=told["AWS_ENDPOINT_URL"],
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        lambdanb.deploy("heard", SOURCE, timeout=10, environment={"PORT": str(heard.getsockname()[1])})
        for kind in (kinesis, dynamodb, sqs):
            arn, write = kind(told, f"bench-{kind.__name__}")
            mapped(lambda_, arn, "heard")
            found.append(measured(kind.__name__, write, heard, chosen.writes, chosen.every))
        for name, source in (("slow", SLOW), ("failing", FAILING)):
            lambdanb.deploy(name, source, timeout=10)
            arn, write = kinesis(told, f"bench-{name}")
            mapped(lambda_, arn, name)
            for number in range(500):
                write(number)
        arn, write = kinesis(told, "bench-beside")
        mapped(lambda_, arn, "heard")
        beside = measured("kinesis, beside a slow and a failing mapping", write, heard, chosen.writes, chosen.every)
    rows = [
        [each.name, *(f"{each.quantile(share):.1f}" for share in (0.5, 0.95, 0.99)), f"{max(each.ms):.1f}"]
        for each in [*found, beside]
    ]
    print_table("From a write to the handler's start", ["", "p50 ms", "p95", "p99", "max"], rows)
    for each in found[:2]:
        verdict(f"{each.name}, p50 in ms", each.quantile(0.5), f"under {WANTED_MS:g}")
    for share in (0.5, 0.99):
        delay_ms = beside.quantile(share) - found[0].quantile(share)
        verdict(f"more beside them, p{share * 100:g} in ms", delay_ms, f"at most {WANTED_MS:g}")


if __name__ == "__main__":
    main()
