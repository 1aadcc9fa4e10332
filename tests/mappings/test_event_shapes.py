"""Events of mappings have AWS's shapes: the key sets of the samples, and Powertools' models take them."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities import data_classes
from aws_lambda_powertools.utilities.parser import models
from emulators import client, make_queue, make_stream, make_table, needs, put
from rig import Event, Function, mapping_of, running

from lambdanb.streams import samples

pytestmark = needs("ministack")
Aws = dict[str, str]


def keys(value: Any, *, but: tuple[str, ...] = ()) -> Any:
    """A record's keys, with those of the objects in it; what stands under `but` is the user's own."""
    if not isinstance(value, dict):
        return None
    return {name: None if name in but else keys(each, but=but) for name, each in value.items()}


def test_kinesis(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> Event:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, [("key-ü", b"\xff\x00 bytes")])
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until_records(1)
        return function.events[0]

    event = asyncio.run(main())
    assert keys(event["Records"][0]) == keys(samples.kinesis()["Records"][0])
    models.KinesisDataStreamModel.model_validate(event)
    (record,) = data_classes.KinesisStreamEvent(event).records
    assert record.kinesis.data_as_bytes() == b"\xff\x00 bytes"
    assert record.kinesis.partition_key == "key-ü"
    assert record.event_id == f"shardId-000000000000:{record.kinesis.sequence_number}"
    assert record.aws_region == "us-east-1"


def test_dynamodb(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> list[Event]:
        arn, function = make_table(aws, name), Function()
        dynamodb = client(aws, "dynamodb")
        item = {
            "id": {"S": "1"},
            "price": {"N": "1.50"},
            "raw": {"B": b"\xff\x00"},
            "set": {"BS": [b"a", b"\xfe"]},
            "deep": {"M": {"list": {"L": [{"B": b"\xfd"}, {"BOOL": True}, {"NULL": True}]}}},
        }
        dynamodb.put_item(TableName=name, Item=item)
        dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}})
        dynamodb.delete_item(TableName=name, Key={"id": {"S": "1"}})
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until_records(3)
        return function.records

    found = asyncio.run(main())
    for record, kind in zip(found, ("INSERT", "MODIFY", "REMOVE"), strict=True):
        sample = samples.dynamodb_stream(items=[{"id": "1"}], event_name=kind)["Records"][0]
        users = ("Keys", "NewImage", "OldImage")
        assert keys(record, but=users) == keys(sample, but=users)
        assert record["eventName"] == kind
    event = {"Records": found}
    models.DynamoDBStreamModel.model_validate(event)
    first = next(iter(data_classes.DynamoDBStreamEvent(event).records))
    assert first.dynamodb is not None
    image = first.dynamodb.new_image or {}
    assert image["price"] == Decimal("1.50")
    assert json.loads(json.dumps(found[0]["dynamodb"]["NewImage"]["raw"])) == {"B": "/wA="}
    assert found[0]["dynamodb"]["NewImage"]["deep"]["M"]["list"]["L"][0] == {"B": "/Q=="}


def test_sqs(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> list[Event]:
        (url, arn), function = make_queue(aws, name), Function()
        sqs = client(aws, "sqs")
        sqs.send_message(QueueUrl=url, MessageBody="plain")
        sqs.send_message(
            QueueUrl=url,
            MessageBody="attributed",
            MessageAttributes={
                "Title": {"DataType": "String", "StringValue": "The Whistler"},
                "Raw": {"DataType": "Binary", "BinaryValue": b"\xff"},
            },
        )
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until_records(2)
        return sorted(function.records, key=lambda record: str(record["body"]), reverse=True)

    plain, attributed = asyncio.run(main())
    assert keys(plain) == keys(samples.sqs()["Records"][0])
    assert keys(attributed, but=("messageAttributes",)) == {
        **keys(plain, but=("messageAttributes",)),
        "md5OfMessageAttributes": None,
    }
    # As AWS was recorded to tell them.
    assert attributed["messageAttributes"]["Title"] == {
        "stringValue": "The Whistler",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    }
    assert attributed["messageAttributes"]["Raw"]["binaryValue"] == "/w=="
    models.SqsModel.model_validate({"Records": [plain, attributed]})
    assert [record.body for record in data_classes.SQSEvent({"Records": [plain]}).records] == ["plain"]
