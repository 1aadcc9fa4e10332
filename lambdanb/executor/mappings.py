"""Event source mappings of a home, and the states that they go through; AWS's, on the registry's database.

    Creating, Enabling, Updating ──▶ Enabled      once the sources process reads it (with these settings)
    Disabling ──▶ Disabled, Deleting ──▶ gone     once it doesn't any more

The sources process is told of each change (`wait`), and tells when it has followed (`is_running`). The states hold
across the ends of both processes.

https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from lambdanb.executor.registry import Registry
from lambdanb.model.errors import ResourceConflictException, ResourceInUseException, ResourceNotFoundException
from lambdanb.model.mappings import NOTHING_YET, TO_RUN, TO_STOP, EventSourceMapping

_TABLE = "CREATE TABLE IF NOT EXISTS mappings (uuid TEXT PRIMARY KEY, value TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Kept:
    """A mapping as it is kept. `generation` grows with each change of its settings or of whether it is enabled."""

    mapping: EventSourceMapping
    state: str
    generation: int
    last_modified_s: float
    last_result: str = NOTHING_YET

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "mapping": self.mapping.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Kept:
        return cls(**{**data, "mapping": EventSourceMapping.from_json(data["mapping"])})


class Mappings:
    """All of a home. `on_change` is called after each change that the sources process has to follow."""

    def __init__(self, registry: Registry) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._registry = registry
        with registry.writing():
            registry.connection.execute(_TABLE)
        rows = registry.connection.execute("SELECT value FROM mappings ORDER BY rowid").fetchall()
        kept = [Kept.from_json(json.loads(value)) for (value,) in rows]
        self._kept = {each.mapping.uuid: each for each in kept}
        self._revision = 0
        self._waiting: list[Callable[[dict[str, Any]], None]] = []

    @property
    def active(self) -> bool:
        """Whether there is something for a sources process to do."""
        return any(each.state != "Disabled" for each in self._kept.values())

    def all(self) -> list[Kept]:
        """In the order in which they were made."""
        return list(self._kept.values())

    def get(self, uuid: str) -> Kept:
        """Raises ResourceNotFoundException."""
        kept = self._kept.get(uuid)
        if kept is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return kept

    def create(self, mapping: EventSourceMapping, *, enabled: bool) -> Kept:
        """A new one. Raises ResourceConflictException: a function reads a source by one mapping."""
        self._check_single(mapping)
        return self._put(Kept(mapping, "Creating" if enabled else "Disabled", 1, time.time()))

    def update(self, mapping: EventSourceMapping, *, enabled: bool | None, generation: int) -> Kept:
        """Other settings instead of those of a generation. enabled: None leaves that.

        Raises ResourceInUseException while a change is under way, or when there was another one.
        """
        kept = self.get(mapping.uuid)
        if kept.state not in ("Enabled", "Disabled") or kept.generation != generation:
            raise ResourceInUseException("Cannot update the event source mapping because it is in use.")
        self._check_single(mapping)
        was = kept.state == "Enabled"
        runs = was if enabled is None else enabled
        state = {
            (True, True): "Updating",
            (True, False): "Disabling",
            (False, True): "Enabling",
            (False, False): "Disabled",
        }[was, runs]
        return self._put(
            replace(kept, mapping=mapping, state=state, generation=kept.generation + 1, last_modified_s=time.time())
        )

    def delete(self, uuid: str) -> Kept:
        """Deleting, and gone when it is read no more. Raises ResourceInUseException while a change is under way."""
        kept = self.get(uuid)
        if kept.state not in ("Enabled", "Disabled"):
            raise ResourceInUseException("Cannot delete the event source mapping because it is in use.")
        gone = replace(kept, state="Deleting", generation=kept.generation + 1, last_modified_s=time.time())
        if kept.state == "Enabled":
            return self._put(gone)
        self._remove(uuid)
        return gone

    # The sources process

    def wait(self, known: int, answer: Callable[[dict[str, Any]], None]) -> None:
        """Answer with all mappings, once they are others than those of the revision that is known."""
        self._waiting.append(answer)
        if known != self._revision:
            self._tell()

    def is_running(self, uuid: str, generation: int, running: bool) -> None:
        """The sources process follows this generation of a mapping."""
        kept = self._kept.get(uuid)
        if kept is None or kept.generation != generation:
            return
        if running and kept.state in TO_RUN - {"Enabled"}:
            self._put(replace(kept, state="Enabled"))
        elif not running and kept.state == "Disabling":
            self._put(replace(kept, state="Disabled"))
        elif not running and kept.state == "Deleting":
            self._remove(uuid)

    def is_result(self, uuid: str, result: str) -> None:
        """What came of the last batch."""
        kept = self._kept.get(uuid)
        if kept is not None and kept.last_result != result:
            self._put(replace(kept, last_result=result), quietly=True)

    def settle(self) -> None:
        """There will be no sources process: nothing is read, so nothing has to be waited for."""
        for kept in self.all():
            self.is_running(kept.mapping.uuid, kept.generation, kept.state not in TO_STOP)

    def _check_single(self, mapping: EventSourceMapping) -> None:
        for each in self._kept.values():
            other = each.mapping
            if other.uuid != mapping.uuid and (other.source_arn, other.function, other.qualifier) == (
                mapping.source_arn,
                mapping.function,
                mapping.qualifier,
            ):
                source, function, end = f'" {mapping.source_arn} "', f'" {mapping.function} "', other.uuid
                told = (
                    f"An event source mapping with SQS arn ({source}) and function ({function}) already exists."
                    if mapping.kind == "sqs"
                    else f"The event source arn ({source}) and function ({function}) provided mapping already exists."
                )
                raise ResourceConflictException(f"{told} Please update or delete the existing mapping with UUID {end}")

    def _put(self, kept: Kept, *, quietly: bool = False) -> Kept:
        with self._registry.writing():
            self._registry.connection.execute(
                "INSERT INTO mappings VALUES (?, ?) ON CONFLICT (uuid) DO UPDATE SET value = excluded.value",
                [kept.mapping.uuid, json.dumps(kept.to_json())],
            )
        self._kept[kept.mapping.uuid] = kept
        if not quietly:
            self._changed()
        return kept

    def _remove(self, uuid: str) -> None:
        with self._registry.writing():
            self._registry.connection.execute("DELETE FROM mappings WHERE uuid = ?", [uuid])
        del self._kept[uuid]
        self._changed()

    def _changed(self) -> None:
        self._revision += 1
        self._tell()
        self.on_change()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        told = {"revision": self._revision, "mappings": [each.to_json() for each in self._kept.values()]}
        for answer in waiting:
            answer(told)
