"""What a function's answer says of its batch, where ReportBatchItemFailures or a tumbling window asks it to.

    {"batchItemFailures": [{"itemIdentifier": "..."}], "state": {...}}

An empty or null answer or list is success. An identifier that is null, empty, missing or of no record in the batch
fails the whole batch.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


class BadAnswer(ValueError):
    """The answer isn't what it has to be: the batch failed."""


def parsed(payload: bytes) -> Any:
    """The answer. Raises BadAnswer for one that isn't JSON."""
    try:
        return json.loads(payload) if payload else None
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON") from None


def failed_items(answer: Any, identifiers: Sequence[str]) -> list[int]:
    """The places in the batch that failed, in order; none is success. Raises BadAnswer."""
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if failures is None:
        return []
    if not isinstance(failures, list):
        raise BadAnswer("batchItemFailures is no list")
    places = {identifier: place for place, identifier in enumerate(identifiers)}
    found = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        place = places.get(identifier) if isinstance(identifier, str) else None
        if place is None:
            raise BadAnswer(f"itemIdentifier {identifier!r:.80} is of no record in the batch")
        found.add(place)
    return sorted(found)


def window_state(answer: Any) -> bytes:
    """The state that a tumbling window goes on with, as JSON. Raises BadAnswer: without a state the batch failed."""
    if not isinstance(answer, dict) or "state" not in answer:
        raise BadAnswer("no state")
    return json.dumps(answer["state"], separators=(",", ":")).encode()
