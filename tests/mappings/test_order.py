"""Order per key: over shards, lanes and restarts; over shards that are split and merged."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulators import client, make_stream, moto, needs, put
from rig import Event, Failed, Function, data_of, mapping_of, running

Aws = dict[str, str]


def in_order(function: Function) -> dict[str, list[int]]:
    """The numbers of each key, in the order in which they were handed over."""
    found: dict[str, list[int]] = defaultdict(list)
    for record in function.records:
        found[record["kinesis"]["partitionKey"]].append(int(data_of(record)))
    return found


@needs("ministack")
def test_10_000_records_over_4_shards_at_factor_10(aws: Aws, name: str, tmp_path: Path) -> None:
    """Invocations end at random; none is lost, none comes twice, and each key is in order."""

    async def main() -> None:
        arn = make_stream(aws, name, 4)
        chance = random.Random(7)
        records = [(f"key-{chance.randrange(200)}", str(number).encode()) for number in range(10_000)]
        await asyncio.to_thread(put, aws, name, records)

        async def handle(_: Event) -> None:
            await asyncio.sleep(chance.random() / 200)

        function = Function(handle)
        mapping = mapping_of(arn, parallelization_factor=10)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(10_000)
        came = in_order(function)
        assert sorted(number for numbers in came.values() for number in numbers) == list(range(10_000))
        assert all(numbers == sorted(numbers) for numbers in came.values())
        assert max(len(event["Records"]) for event in function.events) <= 100

    asyncio.run(main())


@needs("ministack")
def test_failures_change_no_order(aws: Aws, name: str, tmp_path: Path) -> None:
    """A batch that fails now and then holds up its own lane; with halves, too."""

    async def main() -> None:
        arn = make_stream(aws, name, 2)
        chance = random.Random(3)
        records = [(f"key-{chance.randrange(20)}", str(number).encode()) for number in range(600)]
        await asyncio.to_thread(put, aws, name, records)
        went_well: list[Event] = []

        def handle(event: Event) -> None:
            if chance.random() < 0.2:
                raise Failed
            went_well.append(event)

        function = Function(handle)
        mapping = mapping_of(arn, batch_size=20, parallelization_factor=4, bisect_batch_on_function_error=True)
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: sum(len(event["Records"]) for event in went_well) >= 600)
        came: dict[str, list[int]] = defaultdict(list)
        for event in went_well:
            for record in event["Records"]:
                came[record["kinesis"]["partitionKey"]].append(int(data_of(record)))
        assert sorted(number for numbers in came.values() for number in numbers) == list(range(600))
        assert all(numbers == sorted(numbers) for numbers in came.values())

    asyncio.run(main())


@pytest.fixture(scope="module")
def moto_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with moto(tmp_path_factory.mktemp("moto")) as variables:
        yield variables


@needs("moto")
def test_parents_before_children(moto_aws: Aws, name: str, tmp_path: Path) -> None:
    """A shard is split while it has records, and its children are merged: moto keeps closed shards, as Kinesis does."""

    async def main() -> None:
        arn = make_stream(moto_aws, name, 1)
        kinesis = client(moto_aws, "kinesis")

        def some(first: int) -> list[tuple[str, bytes]]:
            return [(f"key-{number % 7}", str(number).encode()) for number in range(first, first + 50)]

        put(moto_aws, name, some(0))
        (shard,) = kinesis.list_shards(StreamName=name)["Shards"]
        kinesis.split_shard(StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(2**127))
        put(moto_aws, name, some(50))
        children = [
            each["ShardId"] for each in kinesis.list_shards(StreamName=name)["Shards"] if each.get("ParentShardId")
        ]
        kinesis.merge_shards(StreamName=name, ShardToMerge=children[0], AdjacentShardToMerge=children[1])
        put(moto_aws, name, some(100))
        slow = random.Random(1)

        async def handle(_: Event) -> None:
            await asyncio.sleep(slow.random() / 50)

        function = Function(handle)
        mapping = mapping_of(arn, batch_size=5, parallelization_factor=2)
        async with running(moto_aws, mapping, function, tmp_path):
            await function.until_records(150)
        came = in_order(function)
        assert sorted(number for numbers in came.values() for number in numbers) == list(range(150))
        assert all(numbers == sorted(numbers) for numbers in came.values())
        async with running(moto_aws, mapping, function, tmp_path):
            put(moto_aws, name, some(150))
            await function.until_records(200)
        assert len(function.records) == 200

    asyncio.run(main())
