"""A lane of a shard: its records in batches, each invoked until it is through or given up, then the next.

Nothing is decided here: `batching` says what a batch is, `attempts` what follows, `answers` what the function said.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from lambdanb.model.mapping_limits import TUMBLING_STATE_BYTES
from lambdanb.model.mappings import CALL_FAILED, OK
from lambdanb.sources import answers, attempts
from lambdanb.sources.attempts import Batch, Next
from lambdanb.sources.batching import cut, window_start
from lambdanb.sources.checkpoints import Window
from lambdanb.sources.destinations import failure_record
from lambdanb.sources.invoking import Outcome
from lambdanb.sources.progress import Record
from lambdanb.sources.records import event, iso

if TYPE_CHECKING:
    from lambdanb.sources.shard_run import ShardRun

_NO_STATE = b"{}"


class Lane:
    """Lane `number` of a shard that is read. `wake` is set when a record comes, or something else has changed."""

    def __init__(self, shard: ShardRun, number: int, window: Window | None) -> None:
        self.wake = asyncio.Event()
        self._shard = shard
        self._number = number
        self._window = window
        self._mapping = shard.run.mapping
        self._policy = attempts.Policy(
            self._mapping.maximum_retry_attempts,
            self._mapping.maximum_record_age_s,
            self._mapping.bisect_batch_on_function_error,
        )
        self._batches: list[Batch[Record]] = []
        self._waits = 0
        self._last: Outcome | None = None

    async def work(self) -> None:
        """Until the mapping stops, or the shard has ended and all of the lane is dealt with."""
        while not self._shard.run.stopping:
            self.wake.clear()
            if self._batches:
                await self._try(self._batches.pop(0))
            elif self._window is not None and self._is_over(self._window):
                await self._close(self._window)
            elif not await self._next():
                return

    async def _next(self) -> bool:
        """Make the next batch, or wait for one; False when there will be none."""
        mapping, waiting = self._mapping, self._shard.progress.lanes[self._number]
        now_s = time.monotonic()
        found = cut(
            waiting,
            now_s=now_s,
            batch_size=mapping.batch_size,
            batching_window_s=0 if self._shard.ended else mapping.batching_window_s,
            tumbling_window_s=mapping.tumbling_window_s,
            taken_bytes=len(self._window.state) if self._window is not None else 0,
        )
        if found.count:
            self._batches.append(Batch(self._shard.progress.take(self._number, found.count)))
            return True
        if self._shard.ended and not waiting and self._window is None:
            return False
        wakes_s = [] if found.wake_s is None else [found.wake_s - now_s]
        if self._window is not None:
            # By the records' clock; the shard is read past the window's end a moment later.
            wakes_s.append(max(self._end_s(self._window) - time.time(), 0.02))
        await wait(self.wake, min(wakes_s, default=None))
        return True

    async def _try(self, batch: Batch[Record]) -> None:
        follows = attempts.before(batch, self._policy, time.time())
        state: bytes | None = None
        if follows is None:
            outcome = await self._invoke(batch)
            if not outcome.ran:
                self._shard.run.not_invoked(outcome)
                self._batches.insert(0, batch)
                await self._wait()
                return
            batch.invocations += 1
            self._last = outcome
            follows, state = self._judged(batch, outcome)
        if follows.given_up:
            await self._tell(follows, batch.invocations)
        if state is not None and len(state) > TUMBLING_STATE_BYTES:
            assert self._window is not None
            await self._until_ok(self._window_event(self._window, state, early=True))
            state = _NO_STATE
        self._batches[:0] = follows.batches
        if follows.done:
            self._checkpoint(follows.done, state)
        if follows.waits:
            await self._wait()
        else:
            self._waits = 0

    async def _invoke(self, batch: Batch[Record]) -> Outcome:
        records = batch.records
        bodies = [record.body for record in records]
        if self._mapping.tumbling_window_s:
            start_s = window_start(records[0].arrived_s, self._mapping.tumbling_window_s)
            if self._window is None:
                self._window = Window(start_s, _NO_STATE)
            payload = self._window_event(self._window, self._window.state, bodies)
        else:
            payload = event(bodies)
        age_ms = max((time.time() - records[-1].arrived_s) * 1000, 0.0)
        return await self._shard.run.invoke(payload, batch_size=len(records), iterator_age_ms=age_ms)

    def _judged(self, batch: Batch[Record], outcome: Outcome) -> tuple[Next[Record], bytes | None]:
        """What follows, and the state that a tumbling window goes on with."""
        state: bytes | None = None
        try:
            if outcome.kind != "ok":
                raise answers.BadAnswer("the function failed")
            lowest: list[int] = []
            if self._mapping.report_batch_item_failures or self._mapping.tumbling_window_s:
                answer = answers.parsed(outcome.payload)
                if self._mapping.tumbling_window_s:
                    state = answers.window_state(answer)
                if self._mapping.report_batch_item_failures:
                    lowest = answers.failed_items(answer, [record.sequence_number for record in batch.records])
        except answers.BadAnswer:
            self._shard.run.tell(CALL_FAILED)
            return attempts.failed(batch, self._policy), None
        if lowest:
            self._shard.run.tell(CALL_FAILED)
            return attempts.reported(batch, lowest[0], self._policy), state if lowest[0] else None
        self._shard.run.tell(OK)
        return attempts.succeeded(batch), state

    async def _tell(self, follows: Next[Record], invocations: int) -> None:
        run = self._shard.run
        if run.destination is not None:
            told = failure_record(
                self._mapping,
                follows.given_up,
                condition=follows.condition,
                invocations=invocations,
                last=self._last if invocations else None,
                shard=self._shard.id,
                batch_info=run.stream.batch_info,
                milliseconds=run.stream.milliseconds,
                now_s=time.time(),
            )
            await run.destination.tell(told)

    def _checkpoint(self, records: Any, state: bytes | None = None) -> None:
        if self._window is not None and state is not None:
            self._window = Window(self._window.start_s, state)
        self._shard.finish(self._number, records, self._window)

    async def _wait(self) -> None:
        self._waits += 1
        await self._shard.run.pause(attempts.wait_s(self._waits, random.random()))

    # Tumbling windows

    def _end_s(self, window: Window) -> int:
        return window.start_s + self._mapping.tumbling_window_s

    def _is_over(self, window: Window) -> bool:
        """By the records' arrival: one of a later window waits, or the shard was read past the window's end."""
        waiting = self._shard.progress.lanes[self._number]
        if waiting:
            return window_start(waiting[0].arrived_s, self._mapping.tumbling_window_s) > window.start_s
        return self._shard.ended or self._shard.read_until_s >= self._end_s(window)

    async def _close(self, window: Window) -> None:
        """The final invocation of a window: nothing goes on before it succeeds."""
        if await self._until_ok(self._window_event(window, window.state, final=True)):
            self._window = None
            self._shard.finish(self._number, (), None)

    async def _until_ok(self, payload: bytes) -> bool:
        """Invoke until the function succeeds; False when the mapping is stopped before."""
        while not self._shard.run.stopping:
            outcome = await self._shard.run.invoke(payload, batch_size=0, iterator_age_ms=None)
            if outcome.kind == "ok":
                self._waits = 0
                return True
            if outcome.ran:
                self._shard.run.tell(CALL_FAILED)
            else:
                self._shard.run.not_invoked(outcome)
            await self._wait()
        return False

    def _window_event(
        self,
        window: Window,
        state: bytes,
        bodies: list[bytes] | None = None,
        *,
        final: bool = False,
        early: bool = False,
    ) -> bytes:
        rest = {
            "window": {
                "start": iso(window.start_s, milliseconds=False),
                "end": iso(self._end_s(window), milliseconds=False),
            },
            "shardId": self._shard.id,
            "eventSourceARN": self._mapping.source_arn,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }
        return event(bodies or (), rest, state)


async def wait(event: asyncio.Event, timeout_s: float | None) -> None:
    """Until the event is set, or so long."""
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        pass
