"""Keeps one mapping as the executor wants it: begun, stopped, begun anew with other settings; and tells how it is.

A mapping that can't be begun, or that ends by a defect of ours, is tried again after a while, longer each time. None of
it concerns another mapping.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdanb.client.credentials import variables
from lambdanb.client.link import Link
from lambdanb.model.database import StoreUnusable
from lambdanb.model.errors import ServiceError
from lambdanb.model.event_patterns import InvalidPattern
from lambdanb.model.filter_criteria import criteria
from lambdanb.model.mappings import TO_RUN, EventSourceMapping
from lambdanb.model.names import DEFAULT_ROLE
from lambdanb.sources import attempts
from lambdanb.sources.calls import CallFailed, Calls
from lambdanb.sources.checkpoints import Checkpoints
from lambdanb.sources.destinations import Destination
from lambdanb.sources.invoking import invoker
from lambdanb.sources.queue_mapping import QueueRun
from lambdanb.sources.stream_mapping import StreamRun
from lambdanb.sources.streams import open_stream

_TELL_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mapping as the executor has it. `generation` grows with each change."""

    mapping: EventSourceMapping
    state: str
    generation: int

    @property
    def runs(self) -> bool:
        return self.state in TO_RUN

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Wanted:
        return cls(EventSourceMapping.from_json(data["mapping"]), data["state"], data["generation"])


class Keeper:
    """One mapping's. Set `wanted` by `want`; `work` ends when it is to be stopped, and is."""

    def __init__(self, wanted: Wanted, home: Path, link: Link, checkpoints: Checkpoints) -> None:
        self.wanted = wanted
        self._home = home
        self._link = link
        self._checkpoints = checkpoints
        self._changed = asyncio.Event()
        self._result: str | None = None
        self._told: str | None = None
        self._telling: asyncio.Task[None] | None = None

    def want(self, wanted: Wanted) -> None:
        """What the executor wants now."""
        if (wanted.generation, wanted.runs) != (self.wanted.generation, self.wanted.runs):
            self._changed.set()
        self.wanted = wanted

    async def work(self) -> None:
        """Until it is to be stopped, and is."""
        while True:
            await self._keep_up()
            stopped = self.wanted
            if stopped.state == "Deleting":
                self._checkpoints.forget(stopped.mapping.uuid)
            await self._report(stopped)
            if not self.wanted.runs:
                return

    async def _keep_up(self) -> None:
        failures = 0
        while self.wanted.runs:
            self._changed.clear()
            wanted = self.wanted
            try:
                await self._run(wanted)
                failures = 0
                continue
            except (CallFailed, StoreUnusable, ServiceError, InvalidPattern) as error:
                self.tell(f"PROBLEM: {error}")
            except Exception:
                traceback.print_exc(file=sys.stderr)
                self.tell("PROBLEM: internal Lambda error. Please contact Lambda customer support.")
            failures += 1
            await self._report(wanted)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), attempts.wait_s(failures, random.random()))
        if self._telling is not None:
            await self._telling

    def tell(self, result: str) -> None:
        """What LastProcessingResult is: told when it changes, and not too often."""
        self._result = result
        if self._telling is None and result != self._told:
            self._telling = asyncio.create_task(self._tell())

    async def _run(self, wanted: Wanted) -> None:
        """Run it until something else is wanted."""
        aws = await self._link.ask("aws")
        calls = Calls(variables(self._home, aws["url"]), f"mapping-{wanted.mapping.uuid[:8]}")
        try:
            run = await self._made(wanted.mapping, calls, local=aws["local"])
            await run.begin()
            await self._report(wanted)
            working = asyncio.create_task(run.work())
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait([working, changed], return_when=asyncio.FIRST_COMPLETED)
                run.stop()
                await working
            finally:
                changed.cancel()
                working.cancel()
        finally:
            calls.close()

    async def _made(self, mapping: EventSourceMapping, calls: Calls, *, local: bool) -> StreamRun | QueueRun:
        invoke = invoker(self._link, mapping)
        filters = criteria(mapping.kind, mapping.filters)
        if mapping.kind == "sqs":
            return QueueRun(mapping, filters, invoke, calls, self.tell, local=local)
        version = await self._link.ask("version", name=mapping.function, qualifier=mapping.qualifier)
        role = version["configuration"].get("role") or DEFAULT_ROLE
        destination = Destination(mapping.on_failure, self._link, calls) if mapping.on_failure else None
        stream = open_stream(mapping, role, filters, calls)
        return StreamRun(mapping, stream, invoke, self._checkpoints, destination, self.tell, local=local)

    async def _report(self, wanted: Wanted) -> None:
        uuid, generation = wanted.mapping.uuid, wanted.generation
        await self._link.ask("mapping_is", uuid=uuid, generation=generation, running=wanted.runs)

    async def _tell(self) -> None:
        while self._result is not None and self._result != self._told:
            self._told = self._result
            await self._link.ask("mapping_result", uuid=self.wanted.mapping.uuid, result=self._told)
            await asyncio.sleep(_TELL_EVERY_S)
        self._telling = None
