"""Kinesis Data Streams: a batch of records."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from lambdanb.streams.samples.account import ACCOUNT, REGION, batch, digits, now_ms, text


def kinesis(
    *, data: Iterable[Any] = ("Hello, this is a test.",), partition_key: str = "1", stream: str = "lambda-stream"
) -> dict[str, Any]:
    """A batch of records of one shard, one for each of `data`: bytes, a text, or anything that is JSON.

    It is base64 in the event.
    """
    shard = "shardId-000000000006"
    records = []
    first = int(digits(56))
    for place, value in enumerate(batch("data", data)):
        sequence_number = str(first + place)
        raw = value if isinstance(value, bytes) else text(value).encode()
        records.append(
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": partition_key,
                    "sequenceNumber": sequence_number,
                    "data": base64.b64encode(raw).decode(),
                    "approximateArrivalTimestamp": now_ms() / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{sequence_number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/lambda-kinesis-role",
                "awsRegion": REGION,
                "eventSourceARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}",
            }
        )
    return {"Records": records}
