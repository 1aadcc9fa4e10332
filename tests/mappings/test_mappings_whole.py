"""Event source mappings as a user has them: boto3 in front, MiniStack behind, and kill -9 of what is between."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emulators import client, left_in, make_queue, make_stream, make_table, needs, put
from homes import executor_pid, hang_up, wait_for_end
from rig import data_of
from whole import lambda_client, sources_of, until_state, wait_for_sources, wait_until
from witness import Witness

import lambdanb
from lambdanb.client.connection import Executor

pytestmark = needs("ministack")
Aws = dict[str, str]


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness()
    yield made
    made.close()


@pytest.fixture
def whole(home: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that reads from the tests' MiniStack."""
    monkeypatch.setenv("LAMBDANB_AWS_ENDPOINT_URL", aws["AWS_ENDPOINT_URL"])
    return home


def rows_of(function: lambdanb.Function) -> Any:
    """Its records, once there are any: they follow the answer that the witness gives."""
    wait_until(lambda: not function.records().empty)
    return function.records()


def test_a_stream_runs_a_function(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    arn = make_stream(aws, name, 2)
    function = witness.deploy("reader")
    with lambda_client(whole) as client_of_lambda:
        made = client_of_lambda.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="LATEST", BatchSize=10
        )
        assert made["State"] == "Creating"
        assert made["LastProcessingResult"] == "No records processed"
        until_state(client_of_lambda, made["UUID"], "Enabled")
        put(aws, name, [(f"k{number}", str(number).encode()) for number in range(50)])
        witness.until(lambda: len(witness.records("reader")) == 50)
        assert sorted(int(data_of(record)) for record in witness.records("reader")) == list(range(50))
    wait_until(lambda: function.records()["batch_size"].sum() == 50)  # records follow the answers
    records = function.records()
    assert set(records["trigger"]) == {"kinesis"}
    assert records["iterator_age_ms"].between(0, 60_000).all()
    function({"Records": []})
    assert function.records()["batch_size"].isna().sum() == 1


def test_states_and_answers_are_aws_s(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    arn = make_table(aws, name)
    witness.deploy("reader")
    with lambda_client(whole) as lambda_:
        made = lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1
        )
        uuid = made["UUID"]
        assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 202
        made.pop("LastModified")
        assert made == {
            "UUID": uuid,
            "BatchSize": 100,
            "BisectBatchOnFunctionError": False,
            "DestinationConfig": {"OnFailure": {}},
            "EventSourceArn": arn,
            "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:reader",
            "FunctionResponseTypes": [],
            "LastProcessingResult": "No records processed",
            "MaximumBatchingWindowInSeconds": 0,
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": 1,
            "ParallelizationFactor": 1,
            "StartingPosition": "TRIM_HORIZON",
            "State": "Creating",
            "StateTransitionReason": "User action",
            "TumblingWindowInSeconds": 0,
        }
        until_state(lambda_, uuid, "Enabled")
        with pytest.raises(lambda_.exceptions.ResourceConflictException, match=uuid):
            lambda_.create_event_source_mapping(
                EventSourceArn=arn, FunctionName="reader", StartingPosition="TRIM_HORIZON"
            )
        client(aws, "dynamodb").put_item(TableName=name, Item={"id": {"S": "1"}})
        witness.until(lambda: len(witness.records("reader")) == 1)
        wait_until(lambda: lambda_.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK")
        assert lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
        until_state(lambda_, uuid, "Disabled")
        assert not sources_of(whole)
        client(aws, "dynamodb").put_item(TableName=name, Item={"id": {"S": "2"}})
        still = lambda_.update_event_source_mapping(UUID=uuid, BatchSize=7)
        assert (still["State"], still["BatchSize"]) == ("Disabled", 7)
        assert lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
        until_state(lambda_, uuid, "Enabled")
        witness.until(lambda: len(witness.records("reader")) == 2)
        assert lambda_.update_event_source_mapping(UUID=uuid, BatchSize=8)["State"] == "Updating"
        until_state(lambda_, uuid, "Enabled")
        ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in witness.records("reader")]
        assert ids == ["1", "2"]
        assert [
            each["UUID"] for each in lambda_.list_event_source_mappings(FunctionName="reader")["EventSourceMappings"]
        ] == [uuid]
        assert lambda_.list_event_source_mappings(FunctionName="other")["EventSourceMappings"] == []
        deleting = lambda_.delete_event_source_mapping(UUID=uuid)
        assert (deleting["State"], deleting["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
        until_state(lambda_, uuid, "gone")


def test_changes_wait_for_what_is_under_way(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    """An invocation runs while its mapping is disabled: its records are done with, and don't come again."""
    arn = make_stream(aws, name)
    go = threading.Event()

    def decide(_: dict[str, Any]) -> dict[str, Any]:
        go.wait(60)
        return {}

    witness.decide = decide
    witness.deploy("reader")
    with lambda_client(whole) as lambda_:
        uuid = lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="TRIM_HORIZON"
        )["UUID"]
        put(aws, name, [("k", b"1")])
        witness.until(lambda: len(witness.events) == 1)
        until_state(lambda_, uuid, "Enabled")
        lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
        with pytest.raises(lambda_.exceptions.ResourceInUseException):
            lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
        with pytest.raises(lambda_.exceptions.ResourceInUseException):
            lambda_.delete_event_source_mapping(UUID=uuid)
        assert lambda_.get_event_source_mapping(UUID=uuid)["State"] == "Disabling"
        go.set()
        until_state(lambda_, uuid, "Disabled")
        lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
        put(aws, name, [("k", b"2")])
        witness.until(lambda: len(witness.events) == 2)
    assert [data_of(record) for record in witness.records("reader")] == ["1", "2"]


def test_a_queue_runs_a_function_and_errors_are_told(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    url, arn = make_queue(aws, name, VisibilityTimeout="30")
    witness.decide = lambda event: {"return": {"batchItemFailures": []}}
    witness.deploy("reader")
    with lambda_client(whole) as lambda_:
        made = lambda_.create_event_source_mapping(
            EventSourceArn=arn,
            FunctionName="reader",
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 2},
        )
        made.pop("ResponseMetadata")
        assert made.keys() == {
            *("UUID", "BatchSize", "EventSourceArn", "EventSourceMappingArn", "FunctionArn", "FunctionResponseTypes"),
            *("LastModified", "MaximumBatchingWindowInSeconds", "ScalingConfig", "State", "StateTransitionReason"),
        }
        assert (made["BatchSize"], made["StateTransitionReason"]) == (10, "USER_INITIATED")
        client(aws, "sqs").send_message(QueueUrl=url, MessageBody="hello")
        witness.until(lambda: len(witness.records("reader")) == 1)
        until_state(lambda_, made["UUID"], "Enabled")
        lambda_.delete_event_source_mapping(UUID=made["UUID"])
        until_state(lambda_, made["UUID"], "gone")
    assert left_in(aws, url) == (0, 0)
    assert list(rows_of(lambdanb.get("reader"))["batch_size"]) == [1]


def test_a_function_is_told_of_what_is_given_up(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    arn = make_stream(aws, name)
    witness.decide = lambda event: {"raise": "poison"} if "Records" in event else {}
    witness.deploy("reader")
    told_of = witness.deploy("told")
    with lambda_client(whole) as lambda_:
        made = lambda_.create_event_source_mapping(
            EventSourceArn=arn,
            FunctionName="reader",
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:123456789012:function:told"}},
        )
        put(aws, name, [("k", b"1")])
        witness.until(lambda: any(function == "told" for function, _ in witness.events))
        assert until_state(lambda_, made["UUID"], "Enabled")["LastProcessingResult"] in (
            *("No records processed", "PROBLEM: Function call failed"),
        )
    (event,) = [event for function, event in witness.events if function == "told"]
    assert event["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert event["KinesisBatchInfo"]["batchSize"] == 1
    assert list(rows_of(told_of)["trigger"]) == ["destination"]


@pytest.mark.parametrize("victim", ["sources", "executor"])
@pytest.mark.parametrize("kind", ["kinesis", "dynamodb", "sqs"])
def test_kill_9_in_mid_batch(whole: Path, aws: Aws, name: str, witness: Witness, victim: str, kind: str) -> None:
    """What was done isn't done again; what was under way is; nothing is lost."""
    url = ""
    if kind == "kinesis":
        arn = make_stream(aws, name)
    elif kind == "dynamodb":
        arn = make_table(aws, name)
    else:
        url, arn = make_queue(aws, name, VisibilityTimeout="30")
    killed = threading.Event()

    def write(number: int) -> None:
        if kind == "kinesis":
            put(aws, name, [("k", str(number).encode())])
        elif kind == "dynamodb":
            client(aws, "dynamodb").put_item(TableName=name, Item={"id": {"S": str(number)}})
        else:
            client(aws, "sqs").send_message(QueueUrl=url, MessageBody=str(number))

    def number_of(record: dict[str, Any]) -> int:
        return int(record["dynamodb"]["Keys"]["id"]["S"] if kind == "dynamodb" else data_of(record))

    def decide(event: dict[str, Any]) -> dict[str, Any]:
        if any(number_of(record) == 5 for record in event["Records"]):
            killed.wait(60)
        return {}

    witness.decide = decide
    witness.deploy("reader")
    start = {} if kind == "sqs" else {"StartingPosition": "TRIM_HORIZON"}
    with lambda_client(whole) as lambda_:
        uuid = lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="reader", BatchSize=1, **start)[
            "UUID"
        ]
        until_state(lambda_, uuid, "Enabled")
    for number in range(5):
        write(number)
    witness.until(lambda: len(witness.records("reader")) == 5)
    write(5)
    witness.until(lambda: len(witness.records("reader")) == 6)
    if kind == "sqs":  # what was done is deleted a moment later
        wait_until(lambda: left_in(aws, url) == (0, 1))
    sources = wait_for_sources(whole)
    if victim == "sources":
        os.kill(sources.pid, signal.SIGKILL)
        wait_for_sources(whole, other_than=sources.pid)
    else:
        executor = executor_pid(whole)
        assert executor is not None
        os.kill(executor, signal.SIGKILL)
        wait_for_end(executor)
        wait_for_end(sources.pid)
        Executor.of(whole).ask("hello")
    if kind == "sqs":  # the test needn't wait for the visibility timeout
        receipt = witness.records("reader")[-1]["receiptHandle"]
        client(aws, "sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    killed.set()
    write(6)
    witness.until(lambda: len(witness.records("reader")) >= 8)
    came = [number_of(record) for record in witness.records("reader")]
    assert sorted(came[6:]) == [5, 6]
    assert came[:5] == list(range(5)) if kind != "sqs" else sorted(came[:5]) == list(range(5))


def test_a_mapping_is_read_again_after_the_executor_s_end(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    arn = make_stream(aws, name)
    witness.deploy("reader")
    with lambda_client(whole) as lambda_:
        uuid = lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="LATEST"
        )["UUID"]
        until_state(lambda_, uuid, "Enabled")
    sources = wait_for_sources(whole)
    hang_up(whole)
    wait_for_end(sources.pid)
    put(aws, name, [("k", b"1")])
    Executor.of(whole).ask("hello")
    witness.until(lambda: len(witness.records("reader")) == 1)


def test_a_slow_and_a_failing_mapping_hold_nobody_up(whole: Path, aws: Aws, name: str, witness: Witness) -> None:
    """One mapping's function never ends, another's always fails; the third's goes on."""
    arns = {each: make_stream(aws, f"{name}-{each}") for each in ("slow", "failing", "good")}
    over = threading.Event()

    def decide(event: dict[str, Any]) -> dict[str, Any]:
        source = event["Records"][0]["eventSourceARN"]
        if source.endswith("slow"):
            over.wait(60)
        return {"raise": "always"} if source.endswith("failing") else {}

    witness.decide = decide
    with lambda_client(whole) as lambda_:
        for each, arn in arns.items():
            witness.deploy(each)
            uuid = lambda_.create_event_source_mapping(
                EventSourceArn=arn, FunctionName=each, StartingPosition="TRIM_HORIZON", BatchSize=1
            )["UUID"]
            until_state(lambda_, uuid, "Enabled")
    for number in range(20):
        for each in arns:
            put(aws, f"{name}-{each}", [("k", str(number).encode())])
    witness.until(lambda: len(witness.records("good")) == 20)
    over.set()
    assert [int(data_of(record)) for record in witness.records("good")] == list(range(20))


def test_a_mapping_without_its_source_is_told_and_can_be_deleted(
    whole: Path, aws: Aws, name: str, witness: Witness
) -> None:
    arn = make_stream(aws, name)
    witness.deploy("reader")
    with lambda_client(whole) as lambda_:
        uuid = lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="reader", StartingPosition="TRIM_HORIZON"
        )["UUID"]
        until_state(lambda_, uuid, "Enabled")
        client(aws, "kinesis").delete_stream(StreamName=name)
        lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
        until_state(lambda_, uuid, "Disabled")
        with pytest.raises(lambda_.exceptions.InvalidParameterValueException, match="Stream not found"):
            lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
        lambda_.delete_event_source_mapping(UUID=uuid)
        until_state(lambda_, uuid, "gone")
