"""AWS's rules for queues, each on MiniStack's real wire: batches, deletion, visibility, partial failures, FIFO."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from emulators import client, left_in, make_queue, messages_of, needs
from rig import Event, Failed, Function, Throttled, data_of, mapping_of, running

pytestmark = needs("ministack")
Aws = dict[str, str]


def send(aws: Aws, url: str, bodies: list[str], **more: Any) -> None:
    sqs = client(aws, "sqs")
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(place), "MessageBody": body, **more} for place, body in enumerate(bodies[start : start + 10])
        ]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


async def until_empty(aws: Aws, url: str) -> None:
    """Deleting follows the invocation: look until nothing is left."""
    async with asyncio.timeout(30):
        while await asyncio.to_thread(left_in, aws, url) != (0, 0):
            await asyncio.sleep(0.02)


def test_messages_are_handed_over_and_deleted(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        (url, arn), function = make_queue(aws, name), Function()
        send(aws, url, [str(number) for number in range(25)])
        async with running(aws, mapping_of(arn), function, tmp_path) as told:
            await function.until_records(25)
            await until_empty(aws, url)
        assert sorted(function.data, key=int) == [str(number) for number in range(25)]
        assert max(len(batch) for batch in function.batches) == 10
        assert set(told) == {"OK"}
        assert set(function.ages_ms) == {None}

    asyncio.run(main())


def test_a_batching_window_gathers_more_than_10(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        (url, arn), function = make_queue(aws, name), Function()
        async with running(aws, mapping_of(arn, batch_size=25, batching_window_s=300), function, tmp_path):
            for _ in range(5):
                send(aws, url, ["x"] * 5)
            await function.until_records(25)
        assert [len(batch) for batch in function.batches] == [25]

    asyncio.run(main())


def test_a_window_that_is_over_hands_over_what_there_is(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        (url, arn), function = make_queue(aws, name), Function()
        async with running(aws, mapping_of(arn, batch_size=100, batching_window_s=1), function, tmp_path):
            send(aws, url, ["a"])
            send(aws, url, ["b"])
            await function.until_records(2)
        assert [sorted(batch) for batch in function.batches] == [["a", "b"]]

    asyncio.run(main())


def test_what_failed_comes_again_after_the_visibility_timeout_and_the_queue_redrives_it(
    aws: Aws, name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        dead_url, dead_arn = make_queue(aws, f"{name}-dead")
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
        url, arn = make_queue(aws, name, VisibilityTimeout="1", RedrivePolicy=redrive)

        def handle(_: Event) -> None:
            raise Failed

        function = Function(handle)
        send(aws, url, ["poison"])
        async with running(aws, mapping_of(arn), function, tmp_path) as told:
            await function.until(lambda: len(function.events) == 2)
            (message,) = await asyncio.to_thread(messages_of, aws, dead_url, 1)
        assert message["Body"] == "poison"
        counts = [record["attributes"]["ApproximateReceiveCount"] for record in function.records]
        assert counts == ["1", "2"]
        assert told[-1] == "PROBLEM: Function call failed"

    asyncio.run(main())


def test_failed_messages_alone_stay(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        url, arn = make_queue(aws, name, VisibilityTimeout="1")

        def handle(event: Event) -> Any:
            bad = [
                record
                for record in event["Records"]
                if data_of(record) in ("b", "d") and record["attributes"]["ApproximateReceiveCount"] == "1"
            ]
            return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in bad]}

        function = Function(handle)
        send(aws, url, ["a", "b", "c", "d"])
        async with running(aws, mapping_of(arn, report_batch_item_failures=True), function, tmp_path):
            await function.until_records(6)
            await until_empty(aws, url)
        assert sorted(function.data[:4]) == ["a", "b", "c", "d"]
        assert sorted(function.data[4:]) == ["b", "d"]

    asyncio.run(main())


def test_a_bad_identifier_keeps_the_whole_batch(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        url, arn = make_queue(aws, name, VisibilityTimeout="1")

        def handle(_: Event) -> Any:
            return {"batchItemFailures": [{"itemIdentifier": "nobody"}]} if len(function.events) == 1 else {}

        function = Function(handle)
        send(aws, url, ["a", "b"])
        async with running(aws, mapping_of(arn, report_batch_item_failures=True), function, tmp_path):
            await function.until_records(4)
            await until_empty(aws, url)
        assert sorted(function.data[:2]) == sorted(function.data[2:]) == ["a", "b"]

    asyncio.run(main())


def test_filtered_messages_are_deleted(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        (url, arn), function = make_queue(aws, name), Function()
        send(aws, url, ['{"n": 1}', '{"n": 200}', "text", '{"n": 300}'])
        mapping = mapping_of(arn, filters=('{"body": {"n": [{"numeric": [">", 100]}]}}',))
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(2)
            await until_empty(aws, url)
        assert sorted(function.data) == ['{"n": 200}', '{"n": 300}']

    asyncio.run(main())


def test_a_throttled_batch_waits_and_isn_t_lost(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        url, arn = make_queue(aws, name)

        def handle(_: Event) -> None:
            if len(function.events) < 3:
                raise Throttled

        function = Function(handle)
        send(aws, url, ["a"])
        async with running(aws, mapping_of(arn), function, tmp_path):
            await function.until(lambda: len(function.events) == 3)
            await until_empty(aws, url)
        counts = [record["attributes"]["ApproximateReceiveCount"] for record in function.records]
        assert counts == ["1", "1", "1"]

    asyncio.run(main())


def test_at_most_the_maximum_concurrency(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        url, arn = make_queue(aws, name)
        under_way, most = 0, 0

        async def handle(_: Event) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.05)
            under_way -= 1

        function = Function(handle)
        send(aws, url, ["x"] * 20)
        async with running(aws, mapping_of(arn, batch_size=1, maximum_concurrency=2), function, tmp_path):
            await function.until_records(20)
        assert most == 2

    asyncio.run(main())


def test_a_fifo_queue_keeps_the_order_of_each_group(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        url, arn = make_queue(aws, f"{name}.fifo", FifoQueue="true", VisibilityTimeout="1")
        sqs = client(aws, "sqs")
        for number in range(30):
            sqs.send_message(
                QueueUrl=url,
                MessageBody=str(number),
                MessageGroupId=f"g{number % 3}",
                MessageDeduplicationId=str(number),
            )
        went_well: dict[str, list[int]] = defaultdict(list)

        async def handle(event: Event) -> None:
            await asyncio.sleep(0.01)
            if len(function.events) == 2:
                raise Failed
            for record in event["Records"]:
                went_well[record["attributes"]["MessageGroupId"]].append(int(record["body"]))

        function = Function(handle)
        async with running(aws, mapping_of(arn, batch_size=4), function, tmp_path):
            await function.until(lambda: sum(map(len, went_well.values())) >= 30)
            await until_empty(aws, url)
        assert went_well == {f"g{group}": list(range(group, 30, 3)) for group in range(3)}

    asyncio.run(main())
