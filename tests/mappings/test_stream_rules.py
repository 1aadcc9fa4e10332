"""AWS's rules for streams, each on MiniStack's real wire: positions, retries, bisecting, partial failures, filters."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from emulators import client, make_queue, make_stream, make_table, messages_of, needs, put
from rig import Event, Failed, Function, Throttled, data_of, mapping_of, running

from lambdanb.sources.checkpoints import Checkpoint
from lambdanb.sources.streams import KinesisStream

pytestmark = needs("ministack")
Aws = dict[str, str]


def numbered(count: int, key: str = "k", first: int = 0) -> list[tuple[str, bytes]]:
    return [(key, str(number).encode()) for number in range(first, first + count)]


def test_trim_horizon_reads_what_is_there_and_what_comes(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(3))
        async with running(aws, mapping_of(arn), function, tmp_path) as told:
            await function.until_records(3)
            put(aws, name, numbered(2, first=3))
            await function.until_records(5)
        assert function.data == ["0", "1", "2", "3", "4"]
        assert told[-1] == "OK"
        assert all(age is not None and 0 <= age < 60_000 for age in function.ages_ms)

    asyncio.run(main())


def test_latest_reads_what_comes(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(3))
        async with running(aws, mapping_of(arn, starting_position="LATEST"), function, tmp_path):
            put(aws, name, numbered(2, first=3))
            await function.until_records(2)
        assert function.data == ["3", "4"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
def test_latest_is_when_it_began_also_after_a_restart(aws: Aws, name: str, tmp_path: Path, kind: str) -> None:
    """Nothing had been read when it was cut off: what came meanwhile isn't lost."""

    async def main() -> None:
        arn = make_stream(aws, name) if kind == "kinesis" else make_table(aws, name)

        def write(number: int) -> None:
            if kind == "kinesis":
                put(aws, name, [("k", str(number).encode())])
            else:
                client(aws, "dynamodb").put_item(TableName=name, Item={"id": {"S": str(number)}})

        write(0)
        time.sleep(1.1)  # creation times of DynamoDB's records are whole seconds
        mapping, function = mapping_of(arn, starting_position="LATEST"), Function()
        async with running(aws, mapping, function, tmp_path, drain=False):
            pass
        write(1)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(1)
        assert len(function.records) == 1

    asyncio.run(main())


def test_at_timestamp_reads_from_there(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(2))
        time.sleep(0.02)
        moment_s = time.time()
        put(aws, name, numbered(2, first=2))
        mapping = mapping_of(arn, starting_position="AT_TIMESTAMP", starting_timestamp_s=moment_s)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(2)
        assert function.data == ["2", "3"]

    asyncio.run(main())


def test_batches_are_as_large_as_is_asked_and_in_order(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(25))
        async with running(aws, mapping_of(arn, batch_size=10), function, tmp_path):
            await function.until_records(25)
        assert [len(batch) for batch in function.batches] == [10, 10, 5]
        assert function.data == [str(number) for number in range(25)]

    asyncio.run(main())


def test_a_batching_window_gathers(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        async with running(aws, mapping_of(arn, batch_size=3, batching_window_s=300), function, tmp_path):
            for number in range(3):
                put(aws, name, numbered(1, first=number))
                await asyncio.sleep(0.05)
            await function.until_records(3)
        async with running(aws, mapping_of(arn, batching_window_s=1), function, tmp_path):
            await function.until_records(6)
        assert function.batches == [["0", "1", "2"], ["0", "1", "2"]]

    asyncio.run(main())


def test_6_mb_cut_a_batch(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        for number in range(8):
            put(aws, name, [("k", str(number).encode().ljust(1_000_000))])
        async with running(aws, mapping_of(arn, batch_size=100, batching_window_s=1), function, tmp_path):
            await function.until_records(8)
        assert [len(batch) for batch in function.batches] == [4, 4]  # 1.33 MB each, as base64

    asyncio.run(main())


def test_retries_then_the_destination_is_told(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, (url, queue) = make_stream(aws, name), make_queue(aws, name)

        def handle(event: Event) -> None:
            if "0" in [data_of(record) for record in event["Records"]]:
                raise Failed

        put(aws, name, numbered(4))
        function = Function(handle)
        mapping = mapping_of(arn, batch_size=2, maximum_retry_attempts=1, on_failure=queue)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(6)
        assert function.batches == [["0", "1"], ["0", "1"], ["2", "3"]]
        (message,) = messages_of(aws, url, 1)
        told = json.loads(message["Body"])
        # As AWS was recorded to tell it.
        assert told["requestContext"].keys() == {"requestId", "functionArn", "condition", "approximateInvokeCount"}
        assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert told["requestContext"]["approximateInvokeCount"] == 2
        assert told["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        info = told["KinesisBatchInfo"]
        assert told.keys() == {"requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo"}
        assert info.keys() == {
            *("shardId", "startSequenceNumber", "endSequenceNumber", "approximateArrivalOfFirstRecord"),
            *("approximateArrivalOfLastRecord", "batchSize", "streamArn"),
        }
        first, last = function.events[0]["Records"]
        assert info["startSequenceNumber"] == first["kinesis"]["sequenceNumber"]
        assert info["endSequenceNumber"] == last["kinesis"]["sequenceNumber"]
        assert (info["batchSize"], info["streamArn"]) == (2, arn)

    asyncio.run(main())


def test_minus_one_goes_on_until_it_works(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        failures = iter(range(5))

        def handle(_: Event) -> None:
            if next(failures, None) is not None:
                raise Failed

        put(aws, name, numbered(2))
        function = Function(handle)
        async with running(aws, mapping_of(arn), function, tmp_path) as told:
            await function.until(lambda: len(function.events) == 6)
        assert function.batches == [["0", "1"]] * 6
        assert told[0] == "PROBLEM: Function call failed"
        assert told[-1] == "OK"

    asyncio.run(main())


def test_a_poison_record_among_64_is_isolated(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, (url, queue) = make_stream(aws, name), make_queue(aws, name)
        good: list[str] = []

        def handle(event: Event) -> None:
            numbers = [data_of(record) for record in event["Records"]]
            if "37" in numbers:
                raise Failed
            good.extend(numbers)

        put(aws, name, numbered(64))
        function = Function(handle)
        mapping = mapping_of(
            arn, maximum_retry_attempts=2, bisect_batch_on_function_error=True, on_failure=queue, batching_window_s=1
        )
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: len(good) == 63)
        assert good == [str(number) for number in range(64) if number != 37]
        assert len(function.events) <= 15
        info = json.loads(messages_of(aws, url, 1)[0]["Body"])["KinesisBatchInfo"]
        assert info["batchSize"] == 1

    asyncio.run(main())


def test_records_that_are_too_old_never_reach_the_function(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, (url, queue) = make_stream(aws, name), make_queue(aws, name)
        put(aws, name, numbered(3))
        time.sleep(1.1)
        function = Function()
        async with running(aws, mapping_of(arn, maximum_record_age_s=1, on_failure=queue), function, tmp_path):
            put(aws, name, numbered(1, first=3))
            await function.until_records(1)
        assert function.data == ["3"]
        told = json.loads(messages_of(aws, url, 1)[0]["Body"])
        assert told["requestContext"]["condition"] == "RecordAgeExceeded"
        assert told["requestContext"]["approximateInvokeCount"] == 0
        assert "responseContext" not in told
        assert told["KinesisBatchInfo"]["batchSize"] == 3

    asyncio.run(main())


@pytest.mark.parametrize("bisect", [False, True])
def test_the_lowest_reported_failure_is_the_checkpoint(aws: Aws, name: str, tmp_path: Path, bisect: bool) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)

        def handle(event: Event) -> Any:
            bad = [record for record in event["Records"] if data_of(record) in ("2", "4")]
            if len(function.events) > 1:
                return {"batchItemFailures": []}
            failures = [{"itemIdentifier": record["kinesis"]["sequenceNumber"]} for record in reversed(bad)]
            return {"batchItemFailures": failures}

        put(aws, name, numbered(6))
        function = Function(handle)
        mapping = mapping_of(arn, report_batch_item_failures=True, bisect_batch_on_function_error=bisect)
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: len(function.events) == 2)
        assert function.batches == [["0", "1", "2", "3", "4", "5"], ["2", "3", "4", "5"]]

    asyncio.run(main())


def test_a_bad_identifier_fails_the_whole_batch(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, (url, queue) = make_stream(aws, name), make_queue(aws, name)
        put(aws, name, numbered(2))
        function = Function(lambda _: {"batchItemFailures": [{"itemIdentifier": "nobody"}]})
        mapping = mapping_of(arn, report_batch_item_failures=True, maximum_retry_attempts=1, on_failure=queue)
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: len(function.events) == 2)
            (message,) = await asyncio.to_thread(messages_of, aws, url, 1)
        assert function.batches == [["0", "1"]] * 2
        assert json.loads(message["Body"])["responseContext"]["functionError"] is None

    asyncio.run(main())


def test_an_answer_means_nothing_where_it_is_not_asked_for(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        put(aws, name, numbered(2))
        function = Function(lambda _: {"batchItemFailures": [{"itemIdentifier": "nobody"}]})
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until_records(2)
            put(aws, name, numbered(1, first=2))
            await function.until_records(3)
        assert function.data == ["0", "1", "2"]

    asyncio.run(main())


def test_throttles_use_up_no_retries(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        throttles = iter(range(3))

        def handle(_: Event) -> None:
            if next(throttles, None) is not None:
                raise Throttled

        put(aws, name, numbered(2))
        function = Function(handle)
        async with running(aws, mapping_of(arn, maximum_retry_attempts=0), function, tmp_path):
            await function.until(lambda: len(function.events) == 4)
        assert function.batches == [["0", "1"]] * 4

    asyncio.run(main())


def test_filtered_records_are_gone(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        records = [{"n": 1}, {"n": 2, "kind": "order"}, "no json", {"n": 3, "kind": "order"}, {"n": 4}]
        texts = [each if isinstance(each, str) else json.dumps(each) for each in records]
        put(aws, name, [("k", text.encode()) for text in texts])
        mapping = mapping_of(arn, filters=('{"data": {"kind": ["order"]}}', '{"data": {"n": [4]}}'))
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(3)
        assert function.data == [texts[1], texts[3], texts[4]]
        async with running(aws, mapping, function, tmp_path):
            put(aws, name, [("k", texts[1].encode())])
            await function.until_records(4)
        assert function.data[3] == texts[1]

    asyncio.run(main())


def test_a_stopped_mapping_goes_on_from_its_checkpoint(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name, 2), Function()
        mapping = mapping_of(arn, batch_size=7, parallelization_factor=3)
        put(aws, name, [(f"k{number}", str(number).encode()) for number in range(100)])
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(20)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(100)
        assert sorted(function.data, key=int) == [str(number) for number in range(100)]

    asyncio.run(main())


def test_a_mapping_that_was_cut_off_hands_over_again_what_was_under_way(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        never = asyncio.Event()

        async def handle(event: Event) -> None:
            if data_of(event["Records"][0]) == "10" and len(function.events) == 2:
                await never.wait()

        put(aws, name, numbered(30))
        function = Function(handle)
        mapping = mapping_of(arn, batch_size=10)
        async with running(aws, mapping, function, tmp_path, drain=False):
            async with asyncio.timeout(60):
                while len(function.events) < 2:
                    await asyncio.sleep(0.01)
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(40)
        tens = [[str(n) for n in range(start, start + 10)] for start in (0, 10, 10, 20)]
        assert function.batches == tens

    asyncio.run(main())


def test_an_iterator_that_expired_is_renewed(
    aws: Aws, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MiniStack says the same of one that it doesn't know."""
    given = KinesisStream.iterator
    asked: list[Checkpoint] = []

    async def first_a_stale_one(self: KinesisStream, at: Checkpoint) -> str:
        asked.append(at)
        return "stale" if len(asked) == 1 else await given(self, at)

    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(3))
        monkeypatch.setattr(KinesisStream, "iterator", first_a_stale_one)
        async with running(aws, mapping_of(arn), function, tmp_path) as told:
            await function.until_records(3)
        assert function.data == ["0", "1", "2"]
        assert len(asked) == 2
        assert told == ["OK"]

    asyncio.run(main())


def test_a_table_s_changes_come_in_order_per_item(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_table(aws, name), Function()
        dynamodb = client(aws, "dynamodb")
        for number in range(20):
            for item in ("a", "b", "c"):
                dynamodb.put_item(TableName=name, Item={"id": {"S": item}, "n": {"N": str(number)}})
        mapping = mapping_of(arn, batch_size=5, parallelization_factor=3, filters=('{"eventName": ["MODIFY"]}',))
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(57)
        for item in ("a", "b", "c"):
            images = [
                int(record["dynamodb"]["NewImage"]["n"]["N"])
                for record in function.records
                if record["dynamodb"]["Keys"]["id"]["S"] == item
            ]
            assert images == list(range(1, 20))

    asyncio.run(main())


def test_shards_that_are_split_and_vanish(aws: Aws, name: str, tmp_path: Path) -> None:
    """MiniStack drops a shard that is split: what is left of the stream is read on."""

    async def main() -> None:
        arn, function = make_stream(aws, name), Function()
        put(aws, name, numbered(5))
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until_records(5)
            kinesis = client(aws, "kinesis")
            shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
            kinesis.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(2**127))
            put(aws, name, [(f"k{number}", str(number).encode()) for number in range(5, 25)])
            await function.until_records(25)
        assert sorted(function.data, key=int) == [str(number) for number in range(25)]

    asyncio.run(main())
