"""A mapping of a stream: its shards, each read beside the others, parents before their children."""

from __future__ import annotations

import asyncio
import contextlib
import time

from lambdanb.model.mappings import EventSourceMapping
from lambdanb.sources.calls import CallFailed
from lambdanb.sources.checkpoints import Checkpoint, Checkpoints
from lambdanb.sources.destinations import Destination
from lambdanb.sources.invoking import Invoke, Outcome, Tell
from lambdanb.sources.lineage import Shard, newest, readable
from lambdanb.sources.shard_run import ShardRun
from lambdanb.sources.streams import Stream

LOOK_AGAIN_S = 10.0
"""For new shards, beside each time that one ends."""
_AFTER_FAILURE_S = 1.0


class StreamRun:
    """Reads a stream and invokes. `begin`, then `work`; `stop` ends it when the invocations under way are over."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        stream: Stream,
        invoke: Invoke,
        checkpoints: Checkpoints,
        destination: Destination | None,
        tell: Tell,
        *,
        local: bool,
    ) -> None:
        self.mapping = mapping
        self.stream = stream
        self.invoke = invoke
        self.checkpoints = checkpoints
        self.destination = destination
        self.tell = tell
        self.local = local
        self.stopping = False
        self._stopped = asyncio.Event()
        self._runs: dict[str, ShardRun] = {}
        self._iterators: dict[str, str] = {}

    async def begin(self) -> None:
        """Settle where each shard is read from. Raises CallFailed, and has settled nothing."""
        known = self.checkpoints.of(self.mapping.uuid)
        if known:
            return
        shards = await self.stream.shards()
        start = self.mapping.starting_position
        if start != "LATEST":
            begun = [Checkpoint(each.id, start, self.mapping.starting_timestamp_s or 0.0) for each in shards]
        else:
            # What is there now isn't read; what comes from now on is, also if nothing has been read by a restart.
            begun = []
            latest = {shard.id for shard in newest(shards)}
            for shard in shards:
                checkpoint = Checkpoint(shard.id, "AT_TIMESTAMP", time.time(), ended=shard.id not in latest)
                if shard.id in latest:
                    self._iterators[shard.id] = await self.stream.iterator(Checkpoint(shard.id, "LATEST"))
                begun.append(checkpoint)
        self.checkpoints.begin(self.mapping.uuid, begun)

    async def work(self) -> None:
        """Until it is stopped."""
        tasks: dict[asyncio.Task[None], str] = {}
        stop = asyncio.create_task(self._stopped.wait())
        try:
            while not self.stopping:
                await self._start(tasks)
                await asyncio.wait([stop, *tasks], timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in tasks if task.done()]:
                    del self._runs[tasks.pop(task)]
                    task.result()
            if tasks:
                await asyncio.gather(*tasks)
        finally:
            stop.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Read no more, try nothing again, and end when what is under way is over."""
        self.stopping = True
        self._stopped.set()
        for run in self._runs.values():
            run.wake()

    async def pause(self, seconds: float) -> None:
        """So long, or until it is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def is_listed(self, shard: str) -> bool:
        """Whether the stream still has a shard that couldn't be read; True as well where it can't be asked."""
        try:
            return any(each.id == shard for each in await self.stream.shards())
        except CallFailed as error:
            self.cannot_read(error)
            return True

    def cannot_read(self, error: CallFailed) -> None:
        """The source doesn't answer."""
        self.tell(f"PROBLEM: Cannot access stream {self.mapping.source_arn}. {error}")

    def not_invoked(self, outcome: Outcome) -> None:
        """The function couldn't be run; a throttle is nothing to tell."""
        if outcome.kind == "unavailable":
            self.tell(f"PROBLEM: {outcome.message}")

    async def _start(self, tasks: dict[asyncio.Task[None], str]) -> None:
        """Read the shards that may be read by now."""
        try:
            shards = await self.stream.shards()
        except CallFailed as error:
            self.cannot_read(error)
            await self.pause(_AFTER_FAILURE_S)
            return
        known = self.checkpoints.of(self.mapping.uuid)
        self._learn(shards, known)
        ended = {checkpoint.shard for checkpoint in known.values() if checkpoint.ended}
        for shard in readable(shards, ended):
            if shard.id not in self._runs:
                run = ShardRun(self, known[shard.id], self._iterators.pop(shard.id, None))
                self._runs[shard.id] = run
                tasks[asyncio.create_task(run.work())] = shard.id

    def _learn(self, shards: list[Shard], known: dict[str, Checkpoint]) -> None:
        """New shards are read from their begin; those that ended and are listed no more are forgotten."""
        new = [Checkpoint(shard.id, "TRIM_HORIZON") for shard in shards if shard.id not in known]
        if new:
            self.checkpoints.begin(self.mapping.uuid, new)
            known.update({checkpoint.shard: checkpoint for checkpoint in new})
        listed = {shard.id for shard in shards}
        gone = [shard for shard, checkpoint in known.items() if checkpoint.ended and shard not in listed]
        if gone:
            self.checkpoints.forget(self.mapping.uuid, gone)
