"""One shard that is read: a reader, and the lanes that deal with what it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lambdanb.model.mapping_limits import BATCH_BYTES
from lambdanb.sources import attempts
from lambdanb.sources.calls import Busy, CallFailed, Expired, Gone, Trimmed
from lambdanb.sources.checkpoints import Checkpoint, Window
from lambdanb.sources.lanes import Lane, wait
from lambdanb.sources.pace import pause_s
from lambdanb.sources.progress import Progress, Record

if TYPE_CHECKING:
    from lambdanb.sources.stream_mapping import StreamRun

MOST_BEHIND = 50_000
"""Records that are read beyond the checkpoint: those of other lanes than the one that is stuck."""
_SLOW_S = 0.1
"""An answer of this machine's that takes longer may be another process's: the emulator, started again."""


class ShardRun:
    """Reads one shard from its checkpoint on.

    progress       what was read, and isn't dealt with
    read_until_s   everything that had arrived by then was read
    ended          the shard is closed and was read to its end
    """

    def __init__(self, run: StreamRun, checkpoint: Checkpoint, iterator: str | None = None) -> None:
        self.run = run
        self.id = checkpoint.shard
        mapping = run.mapping
        factor = mapping.parallelization_factor
        same_lanes = len(checkpoint.lane_ends) == factor
        self.progress = Progress(factor, checkpoint.position, checkpoint.lane_ends if same_lanes else ())
        windows = checkpoint.windows if same_lanes and mapping.tumbling_window_s else {}
        self.lanes = [Lane(self, number, windows.get(number)) for number in range(factor)]
        self.read_until_s = 0.0
        self.ended = False
        self._checkpoint = checkpoint
        self._iterator = iterator
        self._room = asyncio.Event()
        self._most_waiting = max(2 * mapping.batch_size * factor, 1000)
        self._most_bytes = (factor + 1) * BATCH_BYTES
        self._last_read = checkpoint.position

    async def work(self) -> None:
        """Until the mapping stops, or the shard's end is reached and dealt with."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                for lane in self.lanes:
                    tasks.create_task(lane.work())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        if self.ended and not self.progress.behind:
            self.run.checkpoints.end(self.run.mapping.uuid, self.id)

    def wake(self) -> None:
        """Something has changed."""
        self._room.set()
        for lane in self.lanes:
            lane.wake.set()

    def finish(self, lane: int, records: Sequence[Record], window: Window | None) -> None:
        """Records of a lane are dealt with: on disk before anything else happens."""
        self.progress.finish(lane, records)
        windows = {lane: window} if self.run.mapping.tumbling_window_s else None
        self._save(windows)
        self._room.set()

    def _save(self, windows: dict[int, Window | None] | None = None) -> None:
        self.run.checkpoints.move(
            self.run.mapping.uuid, self.id, self.progress.position, self.progress.lane_ends(), windows
        )

    async def _read(self) -> None:
        iterator, failures = self._iterator, 0
        heard_s = time.monotonic()
        stream, limit = self.run.stream, max(self.run.mapping.batch_size * len(self.lanes), 100)
        while not self.run.stopping:
            self._room.clear()
            if self._is_full():
                await wait(self._room, None)
                continue
            asked_s = time.time()
            try:
                if iterator is None:
                    at = (
                        self._checkpoint
                        if self._last_read is None
                        else replace(self._checkpoint, position=self._last_read)
                    )
                    iterator = await stream.iterator(at)
                read = await stream.read(self.id, iterator, limit)
            except Expired:
                iterator = None
                await self.run.pause(attempts.wait_s(1, 0.0))
                continue
            except Trimmed:
                iterator = None
                self._checkpoint = replace(self._checkpoint, start="TRIM_HORIZON", position=None)
                self._last_read = None
                continue
            except Gone:
                if await self.run.is_listed(self.id):
                    failures += 1
                    await self.run.pause(attempts.wait_s(failures, 1.0))
                    continue
                break
            except CallFailed as error:
                failures += 1
                if not isinstance(error, Busy):
                    iterator = None
                    self.run.cannot_read(error)
                await self.run.pause(attempts.wait_s(failures, 1.0))
                continue
            failures = 0
            if read.records:
                heard_s = time.monotonic()
                self._last_read = read.records[-1].sequence_number
                if self.progress.add(read.records):
                    self._save()
            if not read.more:
                self.read_until_s = asked_s
            if read.records or self.run.mapping.tumbling_window_s:
                self.wake()
            if read.next is None:
                break
            # An emulator that has begun anew may have forgotten records, and count an iterator of before by what it has
            # now. A sequence number says the same to both.
            slow = self.run.local and time.time() - asked_s > _SLOW_S
            iterator = None if slow else read.next
            if not read.more:
                await self.run.pause(pause_s(time.monotonic() - heard_s, local=self.run.local))
        self.ended = not self.run.stopping
        self.wake()

    def _is_full(self) -> bool:
        progress = self.progress
        return (
            progress.waiting >= self._most_waiting
            or progress.waiting_bytes >= self._most_bytes
            or progress.behind >= MOST_BEHIND
        )
