"""The function that a waiting runtime process rehearses with: see rehearsal.py."""

from __future__ import annotations

import json
import os
from typing import Any


class Answer:
    """Something that a module may define."""

    def __init__(self, event: Any) -> None:
        self.text = json.dumps({"event": event, "at": os.getpid()})


def lambda_handler(event: Any, context: Any) -> Any:
    """The event, as any handler might look at it."""
    return {"text": Answer(event).text, "left": context.get_remaining_time_in_millis()}
