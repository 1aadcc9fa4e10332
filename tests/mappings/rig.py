"""A mapping that runs in the test's own loop, on a real service: what it invokes is a function of the test's."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambdanb.client.link import Link
from lambdanb.model.filter_criteria import criteria
from lambdanb.model.mappings import EventSourceMapping
from lambdanb.model.names import DEFAULT_ROLE
from lambdanb.sources.calls import Calls
from lambdanb.sources.checkpoints import Checkpoints
from lambdanb.sources.destinations import Destination
from lambdanb.sources.invoking import Outcome
from lambdanb.sources.queue_mapping import QueueRun
from lambdanb.sources.stream_mapping import StreamRun
from lambdanb.sources.streams import open_stream

DEADLINE_S = 60.0

Event = dict[str, Any]
Handle = Callable[[Event], Any]


class Failed(Exception):
    """Raised by a handler: the function failed."""


class Throttled(Exception):
    """Raised by a handler: there was no room for it."""


class Function:
    """Takes events and remembers them; `handle` gives what is answered, and may be a coroutine function."""

    def __init__(self, handle: Handle = lambda _: None) -> None:
        self.events: list[Event] = []
        self.ages_ms: list[float | None] = []
        self.handle = handle
        self._changed = asyncio.Condition()

    async def __call__(self, event: bytes, *, batch_size: int, iterator_age_ms: float | None) -> Outcome:
        parsed = json.loads(event)
        assert len(parsed["Records"]) == batch_size
        self.events.append(parsed)
        self.ages_ms.append(iterator_age_ms)
        request_id = str(uuid.uuid4())
        try:
            answer = self.handle(parsed)
            if isinstance(answer, Awaitable):
                answer = await answer
            outcome = Outcome("ok", json.dumps(answer).encode(), request_id, "$LATEST")
        except Failed:
            outcome = Outcome("error", b"{}", request_id, "$LATEST")
        except Throttled:
            outcome = Outcome("throttled")
        async with self._changed:
            self._changed.notify_all()
        return outcome

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until that is so, after some invocation."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(happened)

    async def until_records(self, count: int) -> None:
        """Wait for so many records in all."""
        await self.until(lambda: len(self.records) >= count)

    @property
    def records(self) -> list[Event]:
        return [record for event in self.events for record in event["Records"]]

    @property
    def data(self) -> list[str]:
        """What the records of a Kinesis stream hold, in the order in which they were handed over."""
        return [data_of(record) for record in self.records]

    @property
    def batches(self) -> list[list[str]]:
        """The same by invocation."""
        return [[data_of(record) for record in event["Records"]] for event in self.events]


def data_of(record: Event) -> str:
    """What a record of Kinesis holds, or a message's body."""
    return base64.b64decode(record["kinesis"]["data"]).decode() if "kinesis" in record else record["body"]


def mapping_of(arn: str, **settings: Any) -> EventSourceMapping:
    """A mapping of a source; a stream's from its begin on."""
    default = {"batch_size": 10} if ":sqs:" in arn else {"starting_position": "TRIM_HORIZON"}
    return EventSourceMapping(uuid=str(uuid.uuid4()), source_arn=arn, function="f", **{**default, **settings})


class NoLink(Link):
    """For destinations that aren't functions."""

    def __init__(self) -> None:
        super().__init__(lambda: None)


@asynccontextmanager
async def running(
    aws: dict[str, str], mapping: EventSourceMapping, function: Function, folder: Path, *, drain: bool = True
) -> AsyncIterator[list[str]]:
    """The mapping runs. At the end it is stopped, and what is under way finishes; or, without `drain`, it is cut off as
    by a kill. Gives what was told as LastProcessingResult."""
    told: list[str] = []
    calls = Calls(aws, "test")
    filters = criteria(mapping.kind, mapping.filters)
    checkpoints = Checkpoints(folder / "checkpoints.db")
    run: StreamRun | QueueRun
    if mapping.kind == "sqs":
        run = QueueRun(mapping, filters, function, calls, told.append, local=True)
    else:
        destination = Destination(mapping.on_failure, NoLink(), calls) if mapping.on_failure else None
        stream = open_stream(mapping, DEFAULT_ROLE, filters, calls)
        run = StreamRun(mapping, stream, function, checkpoints, destination, told.append, local=True)
    await run.begin()
    working = asyncio.create_task(run.work())
    try:
        yield told
        if drain:
            run.stop()
            async with asyncio.timeout(DEADLINE_S):
                await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        calls.close()
        checkpoints.close()
