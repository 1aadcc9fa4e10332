"""Records of streams and queues as they are in a function's event: AWS's shapes.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":", 4)[3]


def encode(value: Any) -> bytes:
    """JSON, as short as it can be."""
    return json.dumps(value, separators=(",", ":")).encode()


def event(bodies: Iterable[bytes], rest: dict[str, Any] | None = None, state: bytes | None = None) -> bytes:
    """An event of records that are JSON already, with what a tumbling window adds."""
    parts = [b'{"Records":[', b",".join(bodies), b"]"]
    if state is not None:
        parts += [b',"state":', state]
    if rest:
        parts += [b",", encode(rest)[1:-1]]
    parts.append(b"}")
    return b"".join(parts)


def kinesis(record: dict[str, Any], shard: str, stream_arn: str, role: str) -> dict[str, Any]:
    """A record that GetRecords gave."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": region_of(stream_arn),
        "eventSourceARN": stream_arn,
    }


def dynamodb(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    """A record that GetRecords of a table's stream gave."""
    change = record["dynamodb"]
    told: dict[str, Any] = {}
    if "ApproximateCreationDateTime" in change:
        told["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    for name in ("Keys", "NewImage", "OldImage"):
        if name in change:
            told[name] = {key: attribute(value) for key, value in change[name].items()}
    told |= {name: change[name] for name in ("SequenceNumber", "SizeBytes", "StreamViewType") if name in change}
    shown = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": record["eventVersion"],
        "eventSource": record["eventSource"],
        "awsRegion": record.get("awsRegion") or region_of(stream_arn),
        "dynamodb": told,
        "eventSourceARN": stream_arn,
    }
    if "userIdentity" in record:  # what the table's time to live removed
        identity = record["userIdentity"]
        shown["userIdentity"] = {"principalId": identity.get("PrincipalId"), "type": identity.get("Type")}
    return shown


def attribute(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute's value as DynamoDB's JSON has it: bytes are base64."""
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: base64.b64encode(content).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(each).decode() for each in content]}
    if kind == "M":
        return {kind: {key: attribute(each) for key, each in content.items()}}
    if kind == "L":
        return {kind: [attribute(each) for each in content]}
    return value


def sqs(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """A message that ReceiveMessage gave."""
    attributes = message.get("MessageAttributes", {})
    shown = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _message_attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region_of(queue_arn),
    }
    if "MD5OfMessageAttributes" in message:
        shown["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return shown


def _message_attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown


def iso(time_s: float, *, milliseconds: bool = True) -> str:
    """`2026-01-31T12:00:00.000Z`, or without the milliseconds."""
    text = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")
