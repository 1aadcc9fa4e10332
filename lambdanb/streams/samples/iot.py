"""AWS IoT Core: a thing was made, changed or deleted.

A rule gives a function whatever its SQL selects: with `SELECT *`, the message as the device sent it, which has no shape
of AWS's. The events that AWS itself publishes, on `$aws/events/thing/...`, have one: "Registry events" in the AWS IoT
Core Developer Guide.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from lambdanb.streams.samples.account import ACCOUNT, now_ms


def iot(
    *,
    thing: str = "MyThing",
    operation: Literal["CREATED", "UPDATED", "DELETED"] = "CREATED",
    attributes: Mapping[str, str] | None = None,
    version: int = 1,
) -> dict[str, Any]:
    """What a rule `SELECT * FROM '$aws/events/thing/#'` sends for one thing of the registry."""
    return {
        "eventType": "THING_EVENT",
        "eventId": secrets.token_hex(16),
        "timestamp": now_ms(),
        "operation": operation,
        "accountId": ACCOUNT,
        "thingId": str(uuid.uuid4()),
        "thingName": thing,
        "versionNumber": version,
        "thingTypeName": None,
        "attributes": dict(attributes or {}),
    }
