"""S3, DynamoDB and Kinesis through the one endpoint, beside MiniStack itself, by boto3; and what a snapshot costs.

    python benchmarks/aws_services.py [--rounds N] [--calls N] [--items N]

Ours verifies each signature, signs anew and has IAM on and snapshots; MiniStack, started by hand on a loopback port,
has IAM on and takes the key "test" for the owner's without looking at its signature.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables
from measure import Contender, Event, interleaved, print_times
from ours import own_home

OURS, DIRECT = "lambdanb", "MiniStack itself"
BODY = b"x" * 1024


@contextmanager
def ministack(folder: Path, port: int) -> Iterator[dict[str, str]]:
    """MiniStack as its own documentation starts it, on loopback."""
    settings = {"AUTH": "true", "S3_PERSIST": "1", "S3_DATA_DIR": str(folder), "IOT_MTLS_ENABLED": "0"}
    settings |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    settings |= {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = subprocess.Popen([sys.executable, "-m", "ministack.app"], env=settings, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 20
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).read()
                break
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    finally:
        process.kill()
        process.wait()


def client(told: dict[str, str], service: str) -> Any:
    """boto3's client."""
    return boto3.Session(told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1").client(
        service, endpoint_url=told["AWS_ENDPOINT_URL"]
    )


def calls(told: dict[str, str]) -> dict[str, Callable[[Event], Any]]:
    """What is measured, by name; each returns its event's number."""
    s3, dynamodb, kinesis = (client(told, service) for service in ("s3", "dynamodb", "kinesis"))
    s3.create_bucket(Bucket="bench")
    dynamodb.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    kinesis.create_stream(StreamName="bench", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="bench", WaiterConfig={"Delay": 1})

    def done(event: Event, answer: Any) -> dict[str, Any]:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        return {"n": event["n"]}

    def get(event: Event) -> dict[str, Any]:
        answer = s3.get_object(Bucket="bench", Key="k")
        assert answer["Body"].read() == BODY
        return done(event, answer)

    item = {"id": {"S": "1"}, "data": {"B": BODY}}
    return {
        "S3 put 1 KB": lambda event: done(event, s3.put_object(Bucket="bench", Key="k", Body=BODY)),
        "S3 get 1 KB": get,
        "DynamoDB put": lambda event: done(event, dynamodb.put_item(TableName="bench", Item=item)),
        "DynamoDB get": lambda event: done(event, dynamodb.get_item(TableName="bench", Key={"id": {"S": "1"}})),
        "Kinesis put": lambda event: done(
            event, kinesis.put_record(StreamName="bench", Data=BODY, PartitionKey=str(event["n"]))
        ),
    }


def snapshot(home: Path, told: dict[str, str], items: int) -> None:
    """What is on disk how long after the last change, with so many items of 1 KB; and what others notice of it."""
    dynamodb, s3 = client(told, "dynamodb"), client(told, "s3")
    batches = [range(start, min(start + 25, items)) for start in range(0, items, 25)]

    def put(numbers: range) -> None:
        requests = [{"PutRequest": {"Item": {"id": {"S": str(n)}, "data": {"B": BODY}}}} for n in numbers]
        dynamodb.batch_write_item(RequestItems={"bench": requests})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, batches))
    path = home / "aws" / "state" / "dynamodb.json"
    slowest_ms: list[float] = []
    seen, until_s = 0, time.monotonic() + 15
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    while time.monotonic() < until_s:
        start = time.perf_counter()
        s3.put_object(Bucket="bench", Key="k", Body=BODY)
        slowest_ms.append((time.perf_counter() - start) * 1e3)
        now = path.stat().st_mtime_ns if path.exists() else 0
        seen, stamp = seen + (now != stamp), now
    slowest_ms.sort()
    print(
        f"\n{items:,} items of 1 KB, {path.stat().st_size / 1e6:.1f} MB on disk: {seen} snapshots in 15 s of S3 puts; "
        f"put p50 {slowest_ms[len(slowest_ms) // 2]:.2f} ms, p99 {slowest_ms[int(len(slowest_ms) * 0.99)]:.2f} ms, "
        f"longest {slowest_ms[-1]:.1f} ms"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--items", type=int, default=10_000, help="in the snapshot")
    options = parser.parse_args()
    with own_home() as home, tempfile.TemporaryDirectory() as folder, ministack(Path(folder), 45_661) as direct:
        executor = Executor.of(home)
        told = variables(home, executor.ask("endpoint")["url"])
        ours, theirs = calls(told), calls(direct)
        for name in ours:
            contenders = [Contender(OURS, ours[name]), Contender(DIRECT, theirs[name])]
            print_times(name, interleaved(contenders, options.rounds, options.calls))
        for items in (0, options.items):
            snapshot(home, told, items)
        executor.close()


if __name__ == "__main__":
    main()
