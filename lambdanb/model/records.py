"""What is kept of an invocation: the record, one row of plain numbers, and the report, AWS's REPORT line of the log."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any


@dataclass(slots=True, eq=False)
class Record:
    """One invocation. Made once per invocation, on the executor's hot path.

    arrived_ms            when the request came, milliseconds since 1970
    queued_ms             from arrival until the event was given to an environment, without init
    init_ms               the cold start's init phase; None for a warm invocation
    duration_ms           the handler's time, as REPORT's Duration
    billed_ms             REPORT's Billed Duration
    memory_mb, max_memory_mb  the setting; the most that the environment's processes held together
    cpu_ms                processor time of the environment's processes
    cold                  whether this invocation waited for a new environment
    status                "ok", "error" (the function failed), "timeout", "crashed" (its process ended), "throttled",
                          "failed" (the service's fault)
    error_type            such as "KeyError" or "Runtime.ExitError"; None when status is "ok"
    trigger               what invoked it: "invoke", "event", "s3", "kinesis", "dynamodb", "sqs", ...
    cost                  dollars at the list price, without free tier
    provisioned           whether a provisioned environment ran it, which has a price of its own
    batch_size            records that an event source mapping handed over; None for any other invocation
    iterator_age_ms       from the arrival of the last of them in its stream until then; None where there is no stream
    """

    request_id: str
    function: str
    version: str
    environment_id: str
    arrived_ms: float
    queued_ms: float
    init_ms: float | None
    duration_ms: float
    billed_ms: int
    memory_mb: int
    max_memory_mb: int
    cpu_ms: float
    cold: bool
    status: str
    error_type: str | None = None
    trigger: str = "invoke"
    cost: float = 0.0
    provisioned: bool = False
    batch_size: int | None = None
    iterator_age_ms: float | None = None

    def values(self) -> tuple[Any, ...]:
        """The values in the order of `COLUMNS`."""
        row: tuple[Any, ...] = _values(self)
        return row

    def to_json(self) -> dict[str, Any]:
        """The record as a dict of plain JSON data."""
        return dict(zip(COLUMNS, _values(self), strict=True))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Record:
        """The record that `to_json` gave."""
        return cls(**data)


COLUMNS: tuple[str, ...] = tuple(Record.__dataclass_fields__)
_values = attrgetter(*COLUMNS)


def start_line(request_id: str, version: str = "$LATEST") -> str:
    """AWS's first line of an invocation's log."""
    return f"START RequestId: {request_id} Version: {version}"


def end_line(request_id: str) -> str:
    """AWS's last line but one of an invocation's log."""
    return f"END RequestId: {request_id}"


@dataclass(slots=True)
class Report:
    """AWS's REPORT line: `line()` writes it, `Report.parse(line)` reads it.

    `billed_restore_ms` is the part of a SnapStart restore that counts into `billed_ms`.
    `status` ("timeout", "error") and `error_type` stand at the end of the line where the invocation failed.
    """

    request_id: str
    duration_ms: float
    billed_ms: int
    memory_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    restore_ms: float | None = None
    billed_restore_ms: int | None = None
    status: str | None = None
    error_type: str | None = None

    def line(self) -> str:
        """The REPORT line, without a line end. Fields are separated by tabs, as AWS's are."""
        text = (
            f"REPORT RequestId: {self.request_id}\tDuration: {self.duration_ms:.2f} ms\t"
            f"Billed Duration: {self.billed_ms} ms\tMemory Size: {self.memory_mb} MB\t"
            f"Max Memory Used: {self.max_memory_mb} MB"
        )
        if self.init_ms is not None:
            text += f"\tInit Duration: {self.init_ms:.2f} ms"
        if self.restore_ms is not None:
            text += f"\tRestore Duration: {self.restore_ms:.2f} ms"
        if self.billed_restore_ms is not None:
            text += f"\tBilled Restore Duration: {self.billed_restore_ms} ms"
        if self.status is not None:
            text += f"\tStatus: {self.status}"
        if self.error_type is not None:
            text += f"\tError Type: {self.error_type}"
        return text

    @classmethod
    def parse(cls, line: str) -> Report:
        """The report in a REPORT line, ours or AWS's (which ends in a tab and may have more fields).

        Raises ValueError for any other line.
        """
        fields = dict(part.split(": ", 1) for part in line.strip().split("\t") if ": " in part)
        try:
            return cls(
                fields["REPORT RequestId"],
                _number(fields["Duration"]),
                int(_number(fields["Billed Duration"])),
                int(_number(fields["Memory Size"])),
                int(_number(fields["Max Memory Used"])),
                _number(fields["Init Duration"]) if "Init Duration" in fields else None,
                _number(fields["Restore Duration"]) if "Restore Duration" in fields else None,
                int(_number(fields["Billed Restore Duration"])) if "Billed Restore Duration" in fields else None,
                fields.get("Status"),
                fields.get("Error Type"),
            )
        except (KeyError, ValueError) as error:
            raise ValueError(f"not a REPORT line: {line[:200]!r}") from error


def _number(field: str) -> float:
    """The number in "12.5 ms"."""
    return float(field.split(" ", 1)[0])
