"""The executor's own records of a load test's requests, joined to what the loader saw of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdanb.analysis.load_table import ERROR_BYTES, LOST, REQUEST_ID_BYTES, START_WALL_S, STATUSES, LoadTable
from lambdanb.client.connection import Executor
from lambdanb.model.errors import ExecutorLost

if TYPE_CHECKING:
    from pandas import DataFrame

_PAGE = 10_000
JOINED = (
    "version",
    "environment_id",
    "arrived_ms",
    "queued_ms",
    "init_ms",
    "duration_ms",
    "billed_ms",
    "memory_mb",
    "max_memory_mb",
    "cpu_ms",
    "cold",
    "cost",
    "provisioned",
)
"""Columns of `lambdanb.model.records.Record` that a load test's records have."""


def newest_id(executor: Executor) -> int:
    """What is written from now on has a higher id than this."""
    rows = _ask(executor, "records", limit=1)["records"]
    return int(rows[-1]["id"]) if rows else 0


def requests_frame(table: LoadTable, sent: int, why_lost: str) -> DataFrame:
    """What the loader saw: one row per request that it took up, in their order. `why_lost` is the error of the lost."""
    import numpy as np
    from pandas import DataFrame

    due_s, sent_s, answered_s = (np.array(each[:sent]) for each in (table.due_s, table.sent_s, table.answered_s))
    status = np.array(table.status[:sent], dtype=np.uint8)
    request_id = _texts(table.request_id[: sent * REQUEST_ID_BYTES], REQUEST_ID_BYTES)
    error_type = _texts(table.error[: sent * ERROR_BYTES], ERROR_BYTES)
    error_type[status == LOST] = why_lost
    frame = DataFrame(
        {
            "due_s": due_s,
            "sent_s": sent_s,
            "late_ms": (sent_s - due_s) * 1e3,
            "answered_s": answered_s,
            "latency_ms": (answered_s - due_s) * 1e3,
            "status": np.array(STATUSES, dtype=object)[status],
            "error_type": error_type,
            "request_id": request_id,
        }
    )
    return frame


def _texts(column: memoryview, width: int) -> Any:
    """Texts of a fixed width, None for an empty one."""
    import numpy as np

    raw = np.frombuffer(bytes(column), dtype=f"S{width}") if len(column) else np.empty(0, dtype=f"S{width}")
    texts = np.array([text.decode(errors="replace") or None for text in raw], dtype=object)
    return texts


def join_records(requests: DataFrame, table: LoadTable, executor: Executor, name: str, after_id: int) -> DataFrame:
    """The requests with the executor's columns; where it has no record (throttled, lost), they are missing.

    `arrived_s`, when the request came to the executor, replaces `arrived_ms`: seconds from the stream's start.
    """
    from pandas import DataFrame

    rows: list[dict[str, Any]] = []
    ours = set(requests["request_id"].dropna())
    while ours and (page := _ask(executor, "records", name=name, after_id=after_id, limit=_PAGE)["records"]):
        rows += [row for row in page if row["request_id"] in ours]
        after_id = page[-1]["id"]
    numbers = [column for column in JOINED if column not in ("version", "environment_id", "cold", "provisioned")]
    recorded = DataFrame(rows, columns=["request_id", *JOINED]).astype(dict.fromkeys(numbers, float))
    joined = requests.merge(recorded, on="request_id", how="left")
    for flag in ("cold", "provisioned"):
        joined[flag] = joined[flag].eq(True)
    joined.insert(
        list(joined.columns).index("arrived_ms"),
        "arrived_s",
        joined.pop("arrived_ms") / 1e3 - table.head[START_WALL_S],
    )
    return joined


def alive(executor: Executor, name: str) -> set[str]:
    """The ids of the function's execution environments that exist now."""
    environments = _ask(executor, "environments")["environments"]
    return {each["id"] for each in environments if each["function"] == name}


def _ask(executor: Executor, op: str, **arguments: Any) -> Any:
    try:
        return executor.ask(op, **arguments)
    except ExecutorLost:
        # It was on its way out: the next one has its records.
        return executor.ask(op, **arguments)
