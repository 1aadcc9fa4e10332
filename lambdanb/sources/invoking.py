"""Invoking a mapping's function with a batch, and how that ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from lambdanb.client.link import Link
from lambdanb.model.errors import RequestTooLargeException, ServiceError, TooManyRequestsException
from lambdanb.model.mappings import EventSourceMapping


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended.

    ok           payload is the function's answer
    error        the function failed, or the event is too large for it
    throttled    there was no room for it: no failure of the function's
    unavailable  it couldn't be run, for another reason that isn't the function's: `message`
    """

    kind: Literal["ok", "error", "throttled", "unavailable"]
    payload: bytes = b""
    request_id: str = ""
    version: str = ""
    message: str = ""

    @property
    def ran(self) -> bool:
        """Whether it counts as an attempt."""
        return self.kind in ("ok", "error")


class Invoke(Protocol):
    """Invokes with an event, and waits. The number of its records and their age are recorded."""

    def __call__(self, event: bytes, *, batch_size: int, iterator_age_ms: float | None) -> Awaitable[Outcome]: ...


def invoker(link: Link, mapping: EventSourceMapping) -> Invoke:
    """Invokes the function of a mapping by the executor."""

    async def invoke(event: bytes, *, batch_size: int, iterator_age_ms: float | None) -> Outcome:
        header = {
            "op": "invoke",
            "mode": "sync",
            "name": mapping.function,
            "qualifier": mapping.qualifier,
            "trigger": mapping.kind,
            "batch_size": batch_size,
            "iterator_age_ms": iterator_age_ms,
        }
        try:
            told, payload = await link.call(header, event)
        except TooManyRequestsException:
            return Outcome("throttled")
        except RequestTooLargeException:
            return Outcome("error")
        except ServiceError as error:
            return Outcome("unavailable", message=error.message)
        kind: Literal["ok", "error"] = "ok" if told.get("error") is None else "error"
        return Outcome(kind, payload, told["request_id"], told["version"])

    return invoke


Tell = Callable[[str], None]
"""Takes what LastProcessingResult is from now on."""
