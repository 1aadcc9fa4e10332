"""What CreateEventSourceMapping and UpdateEventSourceMapping refuse, in the words that AWS was recorded to use."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulators import make_queue, make_stream, make_table, needs
from whole import lambda_client, until_state

import lambdanb

pytestmark = needs("ministack")
Aws = dict[str, str]
SOURCE = "def lambda_handler(event, context):\n    return None\n"


@pytest.fixture(scope="module")
def lambda_(shared_home: Path, aws: Aws) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.items():
            patch.setenv(f"LAMBDANB_{name}", value)
        lambdanb.deploy("reader", SOURCE)
        lambdanb.deploy("slow", SOURCE, timeout=60)
        with lambda_client(shared_home) as client:
            yield client


@pytest.fixture(scope="module")
def arns(aws: Aws) -> dict[str, str]:
    unique = uuid.uuid4().hex[:8]
    return {
        "kinesis": make_stream(aws, f"r-{unique}"),
        "dynamodb": make_table(aws, f"r-{unique}"),
        "sqs": make_queue(aws, f"r-{unique}")[1],
        "fifo": make_queue(aws, f"r-{unique}.fifo", FifoQueue="true")[1],
    }


def refusal(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**members)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


BAD = "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("source", "members", "code", "message"),
    [
        ("kinesis", {"StartingPosition": None}, BAD, "Value null at 'startingPosition'"),
        ("kinesis", {"StartingPosition": "0"}, "ValidationException", "Value '0' at 'startingPosition' failed"),
        ("kinesis", {"StartingPositionTimestamp": 1}, BAD, "Timestamp only valid with StartingPosition AT_TIMESTAMP"),
        ("kinesis", {"StartingPosition": "AT_TIMESTAMP"}, BAD, "needs a StartingPositionTimestamp"),
        ("dynamodb", {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1}, BAD, "Unsupported starting"),
        ("sqs", {"StartingPosition": "LATEST"}, BAD, "StartingPosition is not valid for SQS event sources."),
        ("sqs", {"MaximumRetryAttempts": 1}, BAD, "MaximumRetryAttempts is not valid for SQS event sources."),
        ("sqs", {"BatchSize": 11}, BAD, "Maximum batch window in seconds must be greater than 0 if maximum batch size"),
        ("fifo", {"BatchSize": 11}, BAD, "at most 10"),
        ("fifo", {"MaximumBatchingWindowInSeconds": 1}, BAD, "Batching window is not supported for FIFO queues."),
        ("sqs", {"ScalingConfig": {"MaximumConcurrency": 1}}, "ValidationException", "greater than or equal to 2"),
        ("sqs", {"FunctionName": "slow"}, BAD, "Queue visibility timeout: 30 seconds is less than Function timeout"),
        (
            "kinesis",
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            BAD,
            "ScalingConfig is only supported for Amazon SQS",
        ),
        ("kinesis", {"ParallelizationFactor": 11}, "ValidationException", "less than or equal to 10"),
        ("kinesis", {"BatchSize": 10_001}, "ValidationException", "less than or equal to 10000"),
        ("kinesis", {"MaximumRecordAgeInSeconds": 59}, BAD, "must be -1, or 60 and more"),
        ("kinesis", {"TumblingWindowInSeconds": 901}, "ValidationException", "less than or equal to 900"),
        ("kinesis", {"FunctionResponseTypes": ["Nothing"]}, "ValidationException", "functionResponseTypes"),
        ("kinesis", {"FilterCriteria": {"Filters": [{"Pattern": "word"}]}}, BAD, "Invalid filter pattern definition."),
        ("kinesis", {"FilterCriteria": {"Filters": [{"Pattern": '{"data": ["x"]}'}]}}, BAD, "Invalid filter pattern"),
        ("kinesis", {"FilterCriteria": {"Filters": [{"Pattern": '{"a": ["b"=1]}'}]}}, BAD, "Invalid filter pattern"),
        ("kinesis", {"FilterCriteria": {"Filters": [{"Pattern": '{"data":{"a":[1]}}'}] * 6}}, BAD, "At most 5"),
        ("kinesis", {"FunctionName": "nobody"}, BAD, "Function does not exist"),
        (
            "kinesis",
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::b"}}},
            BAD,
            "can be destinations",
        ),
        (
            "kinesis",
            {
                "DestinationConfig": {
                    "OnFailure": {"Destination": "arn:aws:lambda:us-east-1:123456789012:function:reader"}
                }
            },
            BAD,
            "as a destination for itself",
        ),
        ("kinesis", {"Topics": ["topic"]}, BAD, "isn't offered"),
        ("kinesis", {"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/none"}, BAD, "Stream not found"),
        ("kinesis", {"EventSourceArn": "arn:aws:mq:us-east-1:123456789012:broker:b"}, BAD, "isn't offered"),
        ("kinesis", {"EventSourceArn": None}, BAD, "Unrecognized event source."),
        (
            "sqs",
            {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:none"},
            BAD,
            "Error occurred while ReceiveMessage",
        ),
    ],
)
def test_create(
    lambda_: Any, arns: dict[str, str], source: str, members: dict[str, Any], code: str, message: str
) -> None:
    asked = {"EventSourceArn": arns[source], "FunctionName": "reader"}
    if source in ("kinesis", "dynamodb"):
        asked["StartingPosition"] = "LATEST"
    asked = {name: value for name, value in {**asked, **members}.items() if value is not None}
    found, text = refusal(lambda_.create_event_source_mapping, **asked)
    assert found == code, text
    assert message in text
    assert lambda_.list_event_source_mappings()["EventSourceMappings"] == []


def test_update_changes_nothing_when_it_is_refused(lambda_: Any, arns: dict[str, str]) -> None:
    made = lambda_.create_event_source_mapping(EventSourceArn=arns["sqs"], FunctionName="reader", Enabled=False)
    assert made["State"] == "Disabled"
    for members, message in (
        ({"BatchSize": 11}, "Maximum batch window"),
        ({"BisectBatchOnFunctionError": True}, "not valid for SQS"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "Invalid filter pattern"),
        ({"FunctionName": "nobody"}, "Function does not exist"),
    ):
        code, text = refusal(lambda_.update_event_source_mapping, UUID=made["UUID"], **members)
        assert (code, message in text) == (BAD, True), text
    kept = lambda_.get_event_source_mapping(UUID=made["UUID"])
    made.pop("ResponseMetadata"), kept.pop("ResponseMetadata")
    assert kept == made
    pattern = json.dumps({"body": {"a": [1]}})
    changed = lambda_.update_event_source_mapping(
        UUID=made["UUID"],
        BatchSize=20,
        MaximumBatchingWindowInSeconds=2,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
        ScalingConfig={"MaximumConcurrency": 7},
    )
    assert changed["FilterCriteria"] == {"Filters": [{"Pattern": pattern}]}
    assert (changed["BatchSize"], changed["ScalingConfig"]) == (20, {"MaximumConcurrency": 7})
    cleared = lambda_.update_event_source_mapping(UUID=made["UUID"], FilterCriteria={"Filters": []}, ScalingConfig={})
    assert "FilterCriteria" not in cleared
    assert "ScalingConfig" not in cleared
    lambda_.delete_event_source_mapping(UUID=made["UUID"])
    until_state(lambda_, made["UUID"], "gone")


def test_none_of_that_uuid(lambda_: Any) -> None:
    unknown = str(uuid.uuid4())
    for call in (
        lambda_.get_event_source_mapping,
        lambda_.update_event_source_mapping,
        lambda_.delete_event_source_mapping,
    ):
        assert refusal(call, UUID=unknown) == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )
