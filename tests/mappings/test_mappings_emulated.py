"""Mappings of what the home itself has: the gateway and its emulator are between, and are killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from emulators import client, left_in, make_queue, make_stream, make_table, needs, put
from rig import data_of
from whole import lambda_client, until_state, wait_until
from witness import Witness

from lambdanb.client.aws import make_client
from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables

pytestmark = needs("ministack")


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness()
    yield made
    made.close()


def emulator_of(home: Path) -> psutil.Process:
    """The process that holds what the home's services have: its lock's file tells its number."""
    return psutil.Process(int((home / "aws" / "lock").read_text()))


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb", "sqs"])
def test_the_emulator_begins_anew(home: Path, name: str, witness: Witness, kind: str) -> None:
    """DynamoDB's is without its stream's records then, and takes an iterator of before for one of its own."""
    own = variables(home, Executor.of(home).ask("endpoint")["url"])
    url = ""
    if kind == "kinesis":
        arn = make_stream(own, name)
    elif kind == "dynamodb":
        arn = make_table(own, name)
    else:
        url, arn = make_queue(own, name, VisibilityTimeout="30")

    def write(number: int) -> None:
        if kind == "kinesis":
            put(own, name, [("k", str(number).encode())])
        elif kind == "dynamodb":
            client(own, "dynamodb").put_item(TableName=name, Item={"id": {"S": str(number)}})
        else:
            client(own, "sqs").send_message(QueueUrl=url, MessageBody=str(number))

    def came() -> set[int]:
        return {number_of(record) for record in witness.records("reader")}

    def number_of(record: dict[str, Any]) -> int:
        return int(record["dynamodb"]["Keys"]["id"]["S"] if kind == "dynamodb" else data_of(record))

    witness.deploy("reader")
    start = {} if kind == "sqs" else {"StartingPosition": "TRIM_HORIZON"}
    with lambda_client(home) as lambda_:
        uuid = lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="reader", **start)["UUID"]
        until_state(lambda_, uuid, "Enabled")
        for number in range(5):
            write(number)
        witness.until(lambda: came() == set(range(5)))
        if kind == "sqs":  # what was done is deleted a moment later
            wait_until(lambda: left_in(own, url) == (0, 0))
        before = emulator_of(home)
        psutil.Process(before.ppid()).send_signal(signal.SIGKILL)  # its supervisor: then it ends in order
        before.wait(30)
        wait_until(lambda: answers(own))
        assert emulator_of(home).pid != before.pid
        for number in range(5, 8):
            write(number)
        witness.until(lambda: came() == set(range(8)))
        assert lambda_.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"


def test_10_000_records_through_all_of_it(home: Path, name: str, witness: Witness) -> None:
    """4 shards at factor 10, in order per key, none lost or doubled."""
    own = variables(home, Executor.of(home).ask("endpoint")["url"])
    arn = make_stream(own, name, 4)
    put(own, name, [(f"key-{number % 200}", str(number).encode()) for number in range(10_000)])
    witness.deploy("reader", memory=128)
    with lambda_client(home) as lambda_:
        lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="TRIM_HORIZON", ParallelizationFactor=10
        )
        witness.until(lambda: len(witness.records("reader")) >= 10_000)
    by_key: dict[str, list[int]] = {}
    for record in witness.records("reader"):
        by_key.setdefault(record["kinesis"]["partitionKey"], []).append(int(data_of(record)))
    assert by_key == {f"key-{first}": list(range(first, 10_000, 200)) for first in range(200)}


def answers(own: dict[str, str]) -> bool:
    """Whether the services do."""
    sts = make_client("sts", own)
    try:
        return bool(sts.get_caller_identity())
    except sts.exceptions.ClientError:
        return False
    finally:
        sts.close()
