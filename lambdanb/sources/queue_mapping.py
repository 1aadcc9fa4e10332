"""A mapping of an SQS queue: messages are received, handed over in batches, and deleted when that went well.

A message that failed stays in the queue: it comes again after the visibility timeout, and the queue's redrive policy
decides how often. A FIFO queue gives no further messages of a group of which one is under way, so order is the queue's.

One reader gathers batches for as many invocations as may be under way: a queue with little in it fills batches.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from lambdanb.model.filter_criteria import Criteria
from lambdanb.model.mappings import CALL_FAILED, OK, EventSourceMapping
from lambdanb.sources import answers, attempts, records
from lambdanb.sources.batching import cut
from lambdanb.sources.calls import CallFailed, Calls
from lambdanb.sources.destinations import queue_url
from lambdanb.sources.invoking import Invoke, Outcome, Tell
from lambdanb.sources.pace import Concurrency, pause_s

MOST_A_CALL = 10
LONG_POLL_S = 5
"""How long a call waits for a message: as long as it may take until the mapping is disabled."""
_SHORT_POLLS_S = 0.1
"""A pause under this is made here: a long poll of an emulator looks no oftener."""
_TRIES_TO_DELETE = 3


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way to a function."""

    id: str
    receipt: str
    body: bytes
    arrived_s: float
    read_s: float


class QueueRun:
    """Reads a queue and invokes. `begin`, then `work`; `stop` ends it when the invocations under way are over."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        criteria: Criteria,
        invoke: Invoke,
        calls: Calls,
        tell: Tell,
        *,
        local: bool,
    ) -> None:
        self.mapping = mapping
        self.stopping = False
        self._criteria = criteria
        self._invoke = invoke
        self._calls = calls
        self._tell = tell
        self._local = local
        self._url = ""
        self._visibility_s = 30.0
        self._concurrency = Concurrency(mapping.maximum_concurrency)
        self._under_way: set[asyncio.Task[None]] = set()
        self._waiting: deque[Message] = deque()
        self._heard_s = time.monotonic()
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()

    async def begin(self) -> None:
        """Find the queue. Raises CallFailed."""
        self._url = await queue_url(self._calls, self.mapping.source_arn)
        name = "VisibilityTimeout"
        told = await self._calls("sqs", "get_queue_attributes", QueueUrl=self._url, AttributeNames=[name])
        self._visibility_s = float(told["Attributes"][name])

    async def work(self) -> None:
        """Until it is stopped."""
        failures = 0
        try:
            while not self.stopping:
                if not await self._has_room():
                    continue
                try:
                    if not self._url:
                        await self.begin()
                    batch = await self._gather()
                    failures = 0
                except CallFailed as error:
                    failures += 1
                    self._tell(f"PROBLEM: Cannot access queue {self.mapping.source_arn}. {error}")
                    await self._pause(attempts.wait_s(failures, random.random()))
                    continue
                if batch:
                    self._start(batch)
                if self.mapping.fifo and self._waiting and self._under_way:
                    # The rest of a group waits for what was cut off before it.
                    await asyncio.wait(self._under_way)
            await self._give_back()
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            for task in self._under_way:
                task.cancel()

    def stop(self) -> None:
        """Receive no more, and end when what is under way is over."""
        self.stopping = True
        self._stopped.set()
        self._changed.set()

    async def _has_room(self) -> bool:
        self._changed.clear()
        under_way = len(self._under_way)
        if under_way < self._concurrency.allowed(under_way, time.monotonic()):
            return True
        with contextlib.suppress(TimeoutError):  # or as many more are allowed by then
            await asyncio.wait_for(self._changed.wait(), 0.2)
        return False

    async def _gather(self) -> list[Message]:
        """The next batch; none where nothing came for a while."""
        mapping = self.mapping
        while True:
            found = cut(
                self._waiting,
                now_s=time.monotonic(),
                batch_size=mapping.batch_size,
                batching_window_s=0 if self.stopping else mapping.batching_window_s,
            )
            if found.count:
                return [self._waiting.popleft() for _ in range(found.count)]
            if self.stopping:
                return []
            left_s = None if found.wake_s is None else max(found.wake_s - time.monotonic(), 0.0)
            if not await self._receive(left_s) and left_s is None:
                return []

    async def _receive(self, left_s: float | None) -> bool:
        """Receive once; what passes waits from now on. Waits no longer than so, and returns whether anything came."""
        pause = pause_s(time.monotonic() - self._heard_s, local=self._local)
        is_short = (self._local and pause < _SHORT_POLLS_S) or (left_s is not None and left_s < 1)
        longest_s = LONG_POLL_S if left_s is None else min(LONG_POLL_S, int(left_s))
        answer = await self._calls(
            "sqs",
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=min(MOST_A_CALL, max(self.mapping.batch_size - len(self._waiting), 1)),
            WaitTimeSeconds=0 if is_short else longest_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        raw = answer.get("Messages", [])
        if not raw:
            if is_short:
                await self._pause(min(pause, _SHORT_POLLS_S) if left_s is None else min(pause, left_s))
            return False
        self._heard_s = time.monotonic()
        filtered: list[str] = []
        for each in raw:
            shown = records.sqs(each, self.mapping.source_arn)
            if self._criteria.lets_through(shown):
                sent_s = float(shown["attributes"].get("SentTimestamp", 0)) / 1000
                body = records.encode(shown)
                self._waiting.append(
                    Message(shown["messageId"], shown["receiptHandle"], body, sent_s, time.monotonic())
                )
            else:
                filtered.append(shown["receiptHandle"])
        await self._delete(filtered)
        return True

    def _start(self, batch: list[Message]) -> None:
        task = asyncio.create_task(self._hand_over(batch))
        self._under_way.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._under_way.discard(task)
            self._changed.set()

        task.add_done_callback(done)

    async def _hand_over(self, batch: list[Message]) -> None:
        outcome = await self._invoked(batch)
        if outcome is None:
            return
        try:
            if outcome.kind != "ok":
                raise answers.BadAnswer("the function failed")
            failed: list[int] = []
            if self.mapping.report_batch_item_failures:
                failed = answers.failed_items(answers.parsed(outcome.payload), [message.id for message in batch])
        except answers.BadAnswer:
            self._tell(CALL_FAILED)
            self._concurrency.failed()
            return
        self._tell(OK)
        self._concurrency.succeeded()
        await self._delete([message.receipt for place, message in enumerate(batch) if place not in failed])

    async def _invoked(self, batch: list[Message]) -> Outcome | None:
        """Invoke; a throttled batch waits, as long as its messages are nobody else's. None: it never ran."""
        payload = records.event(message.body for message in batch)
        until_s = batch[0].read_s + self._visibility_s
        tries = 0
        while True:
            outcome = await self._invoke(payload, batch_size=len(batch), iterator_age_ms=None)
            if outcome.ran:
                return outcome
            if outcome.kind == "unavailable":
                self._tell(f"PROBLEM: {outcome.message}")
            tries += 1
            self._concurrency.failed()
            wait_s = attempts.wait_s(tries, random.random())
            if self.stopping or time.monotonic() + wait_s >= until_s:
                return None
            await self._pause(wait_s)

    async def _delete(self, receipts: list[str]) -> None:
        """What can't be deleted comes again, as on AWS."""
        for start in range(0, len(receipts), MOST_A_CALL):
            some = receipts[start : start + MOST_A_CALL]
            entries: list[dict[str, Any]] = [{"Id": str(n), "ReceiptHandle": each} for n, each in enumerate(some)]
            for tried in range(_TRIES_TO_DELETE):
                if tried:
                    await asyncio.sleep(attempts.wait_s(tried, 1.0))
                try:
                    answer = await self._calls("sqs", "delete_message_batch", QueueUrl=self._url, Entries=entries)
                except CallFailed:
                    continue
                again = {each["Id"] for each in answer.get("Failed", []) if not each.get("SenderFault")}
                entries = [entry for entry in entries if entry["Id"] in again]
                if not entries:
                    break

    async def _give_back(self) -> None:
        """Messages that were received and handed over to nobody are there again at once, as far as that can be said."""
        while self._waiting:
            message = self._waiting.popleft()
            with contextlib.suppress(CallFailed):
                await self._calls(
                    "sqs",
                    "change_message_visibility",
                    QueueUrl=self._url,
                    ReceiptHandle=message.receipt,
                    VisibilityTimeout=0,
                )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
