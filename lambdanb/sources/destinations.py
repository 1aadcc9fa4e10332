"""On-failure destinations: who is told of records that a mapping gave up. Metadata of the batch alone, not its records.

A function is told by an event invocation, a queue by a message, a topic by a notification. What can't be delivered is
tried a few times, told in executor.log and dropped, as on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from lambdanb.client.link import Link
from lambdanb.model.errors import ServiceError
from lambdanb.model.mappings import EventSourceMapping
from lambdanb.model.names import split_qualifier
from lambdanb.sources.calls import CallFailed, Calls
from lambdanb.sources.invoking import Outcome
from lambdanb.sources.progress import Record
from lambdanb.sources.records import encode, iso

TRIES = 3
_WAIT_S = 0.5


def failure_record(
    mapping: EventSourceMapping,
    records: Sequence[Record],
    *,
    condition: str,
    invocations: int,
    last: Outcome | None,
    shard: str,
    batch_info: str,
    milliseconds: bool,
    now_s: float,
) -> dict[str, Any]:
    """What a destination is told, in AWS's form. last: how the last of the invocations ended; None: there was none."""
    told: dict[str, Any] = {
        "requestContext": {
            "requestId": last.request_id if last is not None and last.request_id else str(uuid.uuid4()),
            "functionArn": mapping.function_arn,
            "condition": condition,
            "approximateInvokeCount": invocations,
        }
    }
    if last is not None and last.request_id:
        told["responseContext"] = {
            "statusCode": 200,
            "executedVersion": last.version,
            "functionError": "Unhandled" if last.kind == "error" else None,
        }
    return {
        **told,
        "version": "1.0",
        "timestamp": iso(now_s),
        batch_info: {
            "shardId": shard,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": iso(records[0].arrived_s, milliseconds=milliseconds),
            "approximateArrivalOfLastRecord": iso(records[-1].arrived_s, milliseconds=milliseconds),
            "batchSize": len(records),
            "streamArn": mapping.source_arn,
        },
    }


class Destination:
    """One mapping's on-failure destination."""

    def __init__(self, arn: str, link: Link, calls: Calls) -> None:
        self._arn = arn
        self._link = link
        self._calls = calls
        self._queue_url: str | None = None

    async def tell(self, record: dict[str, Any]) -> None:
        """Deliver. Never raises."""
        why: Exception | None = None
        for tried in range(TRIES):
            if tried:
                await asyncio.sleep(_WAIT_S)
            try:
                await self._deliver(encode(record))
                return
            except (CallFailed, ServiceError) as error:
                why = error
        print(f"The on-failure destination {self._arn} doesn't get {record}: {why}", file=sys.stderr, flush=True)

    async def _deliver(self, record: bytes) -> None:
        service = self._arn.split(":", 3)[2]
        if service == "lambda":
            name, qualifier = split_qualifier(self._arn)
            header = {"op": "invoke", "mode": "async", "name": name, "qualifier": qualifier, "trigger": "destination"}
            await self._link.call(header, record)
        elif service == "sqs":
            if self._queue_url is None:
                self._queue_url = await queue_url(self._calls, self._arn)
            await self._calls("sqs", "send_message", QueueUrl=self._queue_url, MessageBody=record.decode())
        else:
            await self._calls("sns", "publish", TopicArn=self._arn, Message=record.decode())


async def queue_url(calls: Calls, arn: str) -> str:
    """Where a queue is. Raises CallFailed."""
    account, name = arn.split(":")[4:6]
    answer = await calls("sqs", "get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account)
    url: str = answer["QueueUrl"]
    return url
