"""Streams as they are read: the shards of Kinesis and of a DynamoDB table's stream behind one face."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from lambdanb.model.filter_criteria import Criteria
from lambdanb.model.mappings import EventSourceMapping
from lambdanb.sources import records
from lambdanb.sources.calls import Calls
from lambdanb.sources.checkpoints import Checkpoint
from lambdanb.sources.lineage import Shard
from lambdanb.sources.progress import Record

LARGEST_READ = 10_000


@dataclass(frozen=True, slots=True)
class Read:
    """What one call gave. `next` is None at the shard's end; `more`: there is more to read at once."""

    records: list[Record]
    next: str | None
    more: bool


class Stream(Protocol):
    """What a mapping reads."""

    batch_info: str
    """The member of an on-failure record that tells which batch it was."""
    milliseconds: bool
    """Whether the times in it have them."""

    async def shards(self) -> list[Shard]:
        """All that are listed, closed ones too."""

    async def iterator(self, at: Checkpoint) -> str:
        """For reading on from a checkpoint."""

    async def read(self, shard: str, iterator: str, limit: int) -> Read:
        """The next records."""


def open_stream(mapping: EventSourceMapping, role: str, criteria: Criteria, calls: Calls) -> Stream:
    """The stream of a mapping. role: of the function, which events of Kinesis name."""
    if mapping.kind == "kinesis":
        return KinesisStream(mapping.source_arn, role, criteria, calls)
    return DynamoDBStream(mapping.source_arn, criteria, calls)


class KinesisStream:
    """A stream of Kinesis Data Streams."""

    batch_info = "KinesisBatchInfo"
    milliseconds = True

    def __init__(self, arn: str, role: str, criteria: Criteria, calls: Calls) -> None:
        self._arn = arn
        self._role = role
        self._criteria = criteria
        self._calls = calls

    async def shards(self) -> list[Shard]:
        listed: list[dict[str, Any]] = []
        which: dict[str, Any] = {"StreamARN": self._arn}
        while True:
            answer = await self._calls("kinesis", "list_shards", **which)
            listed += answer["Shards"]
            if not answer.get("NextToken"):
                break
            which = {"NextToken": answer["NextToken"]}
        parents = ("ParentShardId", "AdjacentParentShardId")
        return [Shard(each["ShardId"], tuple(each[name] for name in parents if each.get(name))) for each in listed]

    async def iterator(self, at: Checkpoint) -> str:
        which: dict[str, Any] = {"ShardIteratorType": at.start}
        if at.position is not None:
            which = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": at.position}
        elif at.start == "AT_TIMESTAMP":
            which["Timestamp"] = datetime.fromtimestamp(at.start_s, UTC)
        answer = await self._calls("kinesis", "get_shard_iterator", StreamARN=self._arn, ShardId=at.shard, **which)
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, shard: str, iterator: str, limit: int) -> Read:
        limit = min(limit, LARGEST_READ)
        answer = await self._calls("kinesis", "get_records", StreamARN=self._arn, ShardIterator=iterator, Limit=limit)
        found = [self._record(shard, raw) for raw in answer["Records"]]
        more = bool(answer.get("MillisBehindLatest")) or len(found) >= limit
        return Read(found, answer.get("NextShardIterator") or None, more)

    def _record(self, shard: str, raw: dict[str, Any]) -> Record:
        shown = records.kinesis(raw, shard, self._arn, self._role)
        own = shown["kinesis"]
        passes = self._criteria.lets_through(shown)
        return Record(
            own["sequenceNumber"],
            own["partitionKey"],
            own["approximateArrivalTimestamp"],
            time.monotonic(),
            records.encode(shown) if passes else b"",
            passes,
        )


class DynamoDBStream:
    """The stream of a DynamoDB table. It has no AT_TIMESTAMP: LATEST is the end of the shards that are open then."""

    batch_info = "DDBStreamBatchInfo"
    milliseconds = False

    def __init__(self, arn: str, criteria: Criteria, calls: Calls) -> None:
        self._arn = arn
        self._criteria = criteria
        self._calls = calls
        self._not_before_s: dict[str, float] = {}

    async def shards(self) -> list[Shard]:
        listed: list[dict[str, Any]] = []
        which: dict[str, Any] = {"StreamArn": self._arn}
        while True:
            description = (await self._calls("dynamodbstreams", "describe_stream", **which))["StreamDescription"]
            listed += description["Shards"]
            if not description.get("LastEvaluatedShardId"):
                break
            which["ExclusiveStartShardId"] = description["LastEvaluatedShardId"]
        return [
            Shard(each["ShardId"], (each["ParentShardId"],) if each.get("ParentShardId") else ()) for each in listed
        ]

    async def iterator(self, at: Checkpoint) -> str:
        which: dict[str, Any] = {"ShardIteratorType": at.start}
        if at.position is not None:
            which = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": at.position}
        elif at.start == "AT_TIMESTAMP":
            # What LATEST becomes when reading begins again and nothing was read yet. Creation times are whole seconds.
            which["ShardIteratorType"] = "TRIM_HORIZON"
            self._not_before_s[at.shard] = float(int(at.start_s))
        answer = await self._calls(
            "dynamodbstreams", "get_shard_iterator", StreamArn=self._arn, ShardId=at.shard, **which
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, shard: str, iterator: str, limit: int) -> Read:
        limit = min(limit, 1000)
        answer = await self._calls("dynamodbstreams", "get_records", ShardIterator=iterator, Limit=limit)
        not_before_s = self._not_before_s.get(shard, 0.0)
        found = [self._record(raw, not_before_s) for raw in answer["Records"]]
        return Read(found, answer.get("NextShardIterator") or None, len(found) >= limit)

    def _record(self, raw: dict[str, Any], not_before_s: float) -> Record:
        shown = records.dynamodb(raw, self._arn)
        change = shown["dynamodb"]
        arrived_s = change.get("ApproximateCreationDateTime", 0.0)
        passes = arrived_s >= not_before_s and self._criteria.lets_through(shown)
        key = records.encode(change["Keys"]).decode()
        body = records.encode(shown) if passes else b""
        return Record(change["SequenceNumber"], key, arrived_s, time.monotonic(), body, passes)
