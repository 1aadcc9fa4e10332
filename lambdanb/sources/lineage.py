"""Which shards of a stream may be read: parents before their children, so that the records of a key stay in order.

A shard that is split or merged is closed, and its keys go on in its children. DynamoDB's shards do so by themselves.

https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard; its parents as far as the stream still lists them."""

    id: str
    parents: tuple[str, ...] = ()


def readable(shards: Iterable[Shard], ended: Collection[str]) -> list[Shard]:
    """Those that haven't been read to their end, and whose parents have been or are there no more."""
    listed = {shard.id: shard for shard in shards}
    return [
        shard
        for shard in listed.values()
        if shard.id not in ended and all(parent in ended or parent not in listed for parent in shard.parents)
    ]


def newest(shards: Iterable[Shard]) -> list[Shard]:
    """Those that have no children: where reading from LATEST begins."""
    listed = list(shards)
    parents = {parent for shard in listed for parent in shard.parents}
    return [shard for shard in listed if shard.id not in parents]
