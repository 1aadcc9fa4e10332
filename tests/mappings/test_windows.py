"""Tumbling windows: by the records' arrival, with a state that outlives the process."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from emulators import make_stream, needs, put
from rig import Event, Failed, Function, mapping_of, running

pytestmark = needs("ministack")
Aws = dict[str, str]


def adding(event: Event) -> Any:
    """A function that counts its records."""
    count = event["state"].get("count", 0) + len(event["Records"])
    return {"state": {"count": count}}


def start_s(event: Event) -> float:
    return datetime.fromisoformat(event["window"]["start"]).timestamp()


def one(number: int) -> list[tuple[str, bytes]]:
    return [("k", str(number).encode())]


def test_windows_are_by_arrival_and_carry_their_state(aws: Aws, name: str, tmp_path: Path) -> None:
    """Records wait for hours, here for seconds, before they are read: their windows are those of their arrival."""

    async def main() -> None:
        arn = make_stream(aws, name)
        for number in range(6):
            put(aws, name, one(number))
            time.sleep(0.5)
        time.sleep(1.0)
        function = Function(adding)
        mapping = mapping_of(arn, tumbling_window_s=1, batch_size=1)
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: sum_of_final(function) == 6)
        for event in function.events:
            assert event.keys() == {
                *("Records", "window", "state", "shardId", "eventSourceARN"),
                *("isFinalInvokeForWindow", "isWindowTerminatedEarly"),
            }
            assert event["isWindowTerminatedEarly"] is False
            for record in event["Records"]:
                assert 0 <= record["kinesis"]["approximateArrivalTimestamp"] - start_s(event) < 1
        windows = [start_s(event) for event in function.events]
        assert windows == sorted(windows)
        assert len(set(windows)) >= 3
        assert [event for event in function.events if event["isFinalInvokeForWindow"] and event["Records"]] == []

    asyncio.run(main())


def sum_of_final(function: Function) -> int:
    return sum(event["state"].get("count", 0) for event in function.events if event["isFinalInvokeForWindow"])


def test_a_window_closes_though_nothing_comes(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function(adding)
        async with running(aws, mapping_of(arn, tumbling_window_s=1), function, tmp_path):
            put(aws, name, one(1))
            await function.until(lambda: bool(function.events) and function.events[-1]["isFinalInvokeForWindow"])
        assert sum_of_final(function) == 1

    asyncio.run(main())


def test_the_state_is_there_after_a_restart(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn, function = make_stream(aws, name), Function(adding)
        mapping = mapping_of(arn, tumbling_window_s=900, batch_size=2)
        put(aws, name, one(1) + one(2))
        async with running(aws, mapping, function, tmp_path):
            await function.until_records(2)
        put(aws, name, one(3))
        async with running(aws, mapping, function, tmp_path, drain=False):
            await function.until_records(3)
        first, last = function.events[0], function.events[-1]
        # Unless the two are of two windows, which they are once in a while.
        assert last["state"] == ({"count": 2} if first["window"] == last["window"] else {})

    asyncio.run(main())


def test_no_state_in_the_answer_is_a_failure(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        answers = iter([None, {}, {"state": {"count": 1}}])
        function = Function(lambda _: next(answers, {"state": {}}))
        put(aws, name, one(1))
        async with running(aws, mapping_of(arn, tumbling_window_s=900), function, tmp_path):
            await function.until(lambda: len(function.events) >= 3)
        assert function.batches[:3] == [["1"]] * 3

    asyncio.run(main())


def test_a_state_over_1_mb_ends_the_window_early(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)

        def handle(event: Event) -> Any:
            return {"state": {"pad": "x" * 1_100_000 if "0" in function.batches[-1] else ""}}

        function = Function(handle)
        put(aws, name, one(0) + one(1))
        async with running(aws, mapping_of(arn, tumbling_window_s=900, batch_size=1), function, tmp_path):
            await function.until(lambda: ["1"] in function.batches)
        first, early, after = function.events[:3]
        assert first["state"] == {}
        assert early["isWindowTerminatedEarly"] is True
        assert early["isFinalInvokeForWindow"] is False
        assert early["Records"] == []
        assert len(early["state"]["pad"]) == 1_100_000
        assert after["state"] == {}
        assert (after["isWindowTerminatedEarly"], after["window"]) == (False, first["window"])

    asyncio.run(main())


def test_nothing_goes_on_before_the_final_invocation_succeeds(aws: Aws, name: str, tmp_path: Path) -> None:
    async def main() -> None:
        arn = make_stream(aws, name)
        failures = iter(range(3))

        def handle(event: Event) -> Any:
            if event["isFinalInvokeForWindow"] and next(failures, None) is not None:
                raise Failed
            return adding(event)

        function = Function(handle)
        mapping = mapping_of(arn, tumbling_window_s=1, maximum_retry_attempts=0)
        put(aws, name, one(0))
        time.sleep(1.1)
        put(aws, name, one(1))
        async with running(aws, mapping, function, tmp_path):
            await function.until(lambda: ["1"] in function.batches)
        assert function.batches[:6] == [["0"], [], [], [], [], ["1"]]

    asyncio.run(main())
