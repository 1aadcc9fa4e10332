"""EventBridge: a rule that runs on a schedule."""

from __future__ import annotations

import uuid
from typing import Any

from lambdanb.streams.samples.account import ACCOUNT, REGION, iso, now_ms


def schedule(*, rule: str = "every-minute") -> dict[str, Any]:
    """The `Scheduled Event` of a rule."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": iso(now_ms(), milliseconds=False),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        "detail": {},
    }
