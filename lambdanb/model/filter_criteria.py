"""Filter criteria of event source mappings: which records a function gets. One pattern that matches is enough.

Kinesis data and SQS bodies are matched as the JSON objects that they are. Where a pattern asks for the fields of data
that isn't JSON, or for a text where it is, the record is dropped.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdanb.model.event_patterns import InvalidPattern, Pattern, parse
from lambdanb.model.mappings import Kind

MOST_FILTERS = 5
"""AWS's quota without asking for more."""

_CONTENT: dict[Kind, str] = {"kinesis": "data", "sqs": "body"}


@dataclass(frozen=True, slots=True)
class Criteria:
    """The filters of a mapping. Without any, every record passes."""

    kind: Kind
    patterns: tuple[tuple[Pattern, Any], ...]

    def lets_through(self, record: dict[str, Any]) -> bool:
        """Whether a record, as it is in the event, passes."""
        if not self.patterns:
            return True
        content_name = _CONTENT.get(self.kind)
        if content_name is None:
            return any(pattern.matches(record) for pattern, _ in self.patterns)
        shown = _shown(self.kind, record)
        is_json = isinstance(shown.get(content_name), dict | list)
        return any(
            (asked is None or isinstance(asked, dict) is is_json) and pattern.matches(shown)
            for pattern, asked in self.patterns
        )


def criteria(kind: Kind, texts: Sequence[str]) -> Criteria:
    """Raises InvalidPattern for patterns that AWS refuses."""
    content_name = _CONTENT.get(kind, "")
    patterns = []
    for text in texts:
        pattern = parse(text)
        asked = json.loads(text).get(content_name)
        if kind == "kinesis" and isinstance(asked, list):
            raise InvalidPattern("The filter pattern for data properties must be in a valid JSON format.")
        patterns.append((pattern, asked))
    return Criteria(kind, tuple(patterns))


def _shown(kind: Kind, record: dict[str, Any]) -> dict[str, Any]:
    """A record as patterns see it."""
    if kind == "sqs":
        return {**record, "body": _as_json(record["body"])}
    own = record["kinesis"]
    return {**own, "data": _as_json(base64.b64decode(own["data"]))}


def _as_json(content: str | bytes) -> Any:
    """The object or array that some content is, or else its text; None for bytes that are no text."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict | list):
        return parsed
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        return None
