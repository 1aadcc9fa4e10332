"""A function's log as it is written: the last lines, then those that come, until the reader has had enough."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lambdanb.client.connection import Executor

_PAUSE_S = 0.2


def follow(name: str, n: int = 100, request_id: str | None = None) -> Iterator[str]:
    """The last `n` lines of the log, or of one invocation's, and then each new line. Never ends by itself.

    Whoever waits for the next line may be interrupted (Ctrl-C).
    """
    executor = Executor.of()
    page = executor.ask("logs", name=name, limit=n, request_id=request_id)
    while True:
        for line in page["lines"]:
            yield line["text"]
        if not page["lines"]:
            time.sleep(_PAUSE_S)
        page = executor.ask("logs", name=name, request_id=request_id, after=page["newer"])
