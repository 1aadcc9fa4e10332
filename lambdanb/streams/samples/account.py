"""Whose events these are, and how AWS writes times and texts in them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1000)


def iso(time_ms: int, *, milliseconds: bool = True) -> str:
    """`2026-01-31T12:00:00.000Z`, or without the milliseconds."""
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")


def common_log_time(time_ms: int) -> str:
    """`31/Jan/2026:12:00:00 +0000`, as API Gateway writes times. The month's name is English wherever this runs."""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{time.day:02}/{_MONTHS[time.month - 1]}/{time:%Y:%H:%M:%S} +0000"


def digits(count: int) -> str:
    """A random number of `count` digits, as sequence numbers are."""
    return str(10 ** (count - 1) + secrets.randbelow(9 * 10 ** (count - 1)))


def text(body: Any) -> str:
    """A text as it is, anything else as JSON: what a message's body is made of."""
    return body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))


def batch(name: str, values: Iterable[Any]) -> list[Any]:
    """The contents of the records of one event. A text, bytes or a dict alone is taken for a mistake."""
    if isinstance(values, str | bytes | dict):
        raise ValueError(f"{name} must be a list with one value for each record, not {values!r}")
    listed = list(values)
    if not listed:
        raise ValueError(f"{name} must have at least one value: an event without records is never sent")
    return listed
