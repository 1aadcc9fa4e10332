"""What came of one invocation."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from lambdanb.model.errors import FunctionError
from lambdanb.model.records import Record, Report


class Invocation:
    """The outcome of `Function.invoke`. The function's own error is in `error`; nothing is raised for it.

    status_code     200 (it ran), 202 (an event was accepted), 204 (a dry run: it could have run)
    request_id      AWS's request id
    function        the function's name; `version` is the version that ran
    payload         what the handler returned; None for an event, a dry run, or an error
    error           a FunctionError, or None
    record          the invocation's Record: times in ms, memory in MB, cost in dollars; None unless it ran
    logs            all that it wrote to its log, with START, END and REPORT
    """

    def __init__(self, function: str, header: dict[str, Any], payload: bytes) -> None:
        self.function = function
        self.status_code: int = header["status"]
        self.request_id: str = header["request_id"]
        self.version: str = header["version"]
        self.logs: str = header.get("log", "")
        self.raw_payload = payload
        self._failed: str | None = header.get("error")
        self._record: list[Any] | None = header.get("record")

    @cached_property
    def payload(self) -> Any:
        """What the handler returned, decoded from JSON."""
        if self._failed is not None or not self.raw_payload:
            return None
        return json.loads(self.raw_payload)

    @cached_property
    def error(self) -> FunctionError | None:
        """How the function failed, or None."""
        if self._failed is None:
            return None
        return FunctionError.from_payload(
            self.raw_payload, request_id=self.request_id, log=self.logs, function=self.function
        )

    @cached_property
    def record(self) -> Record | None:
        """The row that is kept of this invocation."""
        return None if self._record is None else Record(*self._record)

    @cached_property
    def report(self) -> Report | None:
        """AWS's REPORT, as data: duration_ms, billed_ms, memory_mb, max_memory_mb, init_ms."""
        record = self.record
        if record is None:
            return None
        return Report(
            record.request_id,
            record.duration_ms,
            record.billed_ms,
            record.memory_mb,
            record.max_memory_mb,
            record.init_ms,
        )

    def __repr__(self) -> str:
        if self.status_code == 202:
            return f"<Invocation of {self.function}: event accepted, request {self.request_id}>"
        if self.status_code == 204:
            return f"<Invocation of {self.function}: dry run, it could have run>"
        outcome = f"failed, {self.error.error_type}" if self.error is not None else "ok"
        report = self.report
        assert report is not None
        init = f", init {report.init_ms:.1f} ms" if report.init_ms is not None else ""
        return (
            f"<Invocation of {self.function}: {outcome}, {report.duration_ms:.2f} ms, "
            f"billed {report.billed_ms} ms{init}, max memory {report.max_memory_mb} of {report.memory_mb} MB>"
        )
