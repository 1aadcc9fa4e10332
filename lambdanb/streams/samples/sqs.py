"""SQS: a batch of messages of a standard queue."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from typing import Any

from lambdanb.streams.samples.account import ACCOUNT, REGION, batch, now_ms, text


def sqs(*, bodies: Iterable[Any] = ("Test message.",), queue: str = "my-queue") -> dict[str, Any]:
    """A batch of messages, one for each of `bodies`: a text, or anything that is JSON."""
    records = []
    for value in batch("bodies", bodies):
        body = text(value)
        sent_ms = now_ms()
        records.append(
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": secrets.token_urlsafe(96),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(sent_ms),
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": str(sent_ms + 5),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
        )
    return {"Records": records}
