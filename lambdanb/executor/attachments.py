"""What is attached to functions beside their versions: tags, policies, URLs, event invoke configurations, ...

An attachment is plain JSON data under (kind, function, key); the key is a qualifier, or "" for the function as such.
Kinds that belong to no function (layers, code signing configurations) have the function "". They go when their
function goes, and those under a version or alias when it does.

The AWS API records here; the executor itself goes by one kind, EVENT_INVOKE.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lambdanb.executor.registry import Registry
from lambdanb.model.configuration import Configuration
from lambdanb.model.names import LATEST

EVENT_INVOKE = "event-invoke"
LAYER = "layer"
_TABLE = """
CREATE TABLE IF NOT EXISTS attachments (
    kind TEXT NOT NULL,
    function TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, function, key)
)
"""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """How the events of a function, version or alias are retried, and who is told of their end."""

    maximum_retry_attempts: int
    maximum_event_age_s: int
    on_success: str | None
    on_failure: str | None


class Attachments:
    """The attachments of a home, on the registry's database."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        with registry.writing():
            registry.connection.execute(_TABLE)
        self._settings: dict[tuple[str, str], dict[str, Any]] = {
            (entry["function"], entry["key"]): entry["value"] for entry in self.find(EVENT_INVOKE)
        }

    def put(self, kind: str, function: str, key: str, value: Any) -> None:
        """Attach, in place of what was there."""
        with self.registry.writing():
            self.registry.connection.execute(
                "INSERT OR REPLACE INTO attachments VALUES (?, ?, ?, ?)", [kind, function, key, json.dumps(value)]
            )
        if kind == EVENT_INVOKE:
            self._settings[function, key] = value

    def find(self, kind: str, function: str | None = None) -> list[dict[str, Any]]:
        """`{"function", "key", "value"}` of a kind, in the order of functions and keys."""
        where, parameters = ("", []) if function is None else (" AND function = ?", [function])
        rows = self.registry.connection.execute(
            f"SELECT function, key, value FROM attachments WHERE kind = ?{where} ORDER BY function, key",
            [kind, *parameters],
        )
        return [{"function": row[0], "key": row[1], "value": json.loads(row[2])} for row in rows]

    def remove(self, kind: str, function: str, key: str) -> None:
        """Nothing happens where there is none."""
        with self.registry.writing():
            self.registry.connection.execute(
                "DELETE FROM attachments WHERE kind = ? AND function = ? AND key = ?", [kind, function, key]
            )
        if kind == EVENT_INVOKE:
            self._settings.pop((function, key), None)

    def forget(self, function: str, qualifier: str | None = None) -> None:
        """The function, or one version or alias of it, is gone."""
        where, parameters = ("", []) if qualifier is None else (" AND key = ?", [qualifier])
        with self.registry.writing():
            self.registry.connection.execute(
                f"DELETE FROM attachments WHERE function = ?{where}", [function, *parameters]
            )
        for own in [own for own in self._settings if own[0] == function and qualifier in (None, own[1])]:
            del self._settings[own]

    def event_settings(self, function: str, qualifier: str | None, configuration: Configuration) -> EventSettings:
        """What holds for events that were sent to this qualifier: its own configuration, or else the version's."""
        own = self._settings.get((function, qualifier or LATEST), {})
        return EventSettings(
            own.get("maximum_retry_attempts", configuration.maximum_retry_attempts),
            own.get("maximum_event_age_s", configuration.maximum_event_age_s),
            own.get("on_success", configuration.on_success),
            own.get("on_failure", configuration.on_failure),
        )

    def code_in_use(self) -> set[str]:
        """The contents of layers, for the code store's `prune`."""
        return {entry["value"]["content"] for entry in self.find(LAYER)}
