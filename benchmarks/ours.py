"""Ours, by its public API, in a home of its own that is gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lambdanb
from measure import EVENT, OURS, Contender

NAME = "bench"
MEMORY_MB = 1769
"""A whole vCPU, as the others have: less would be throttled."""
MANY_MEMORY_MB = 256
"""With many in flight: each takes a small share of a vCPU, and all of them together must fit the machine's memory."""
SOURCE = (Path(__file__).parent / "peers" / "handler.py").read_text()


@contextmanager
def own_home() -> Iterator[Path]:
    """A fresh LAMBDANB_HOME for this process and its children."""
    before = os.environ.get("LAMBDANB_HOME")
    with tempfile.TemporaryDirectory(prefix="lambdanb-bench-", ignore_cleanup_errors=True) as home:
        os.environ["LAMBDANB_HOME"] = home
        try:
            yield Path(home)
        finally:
            if before is None:
                del os.environ["LAMBDANB_HOME"]
            else:
                os.environ["LAMBDANB_HOME"] = before


@contextmanager
def deployed(name: str, memory_mb: int, in_flight: int = 1) -> Iterator[Contender]:
    """The shared handler as a function, with logs, records, a deadline and every limit on, and warm environments."""
    function = lambdanb.deploy(name, SOURCE, memory=memory_mb, timeout=10)
    try:
        function(EVENT)
        for future in [function.submit(EVENT) for _ in range(in_flight)]:
            future.result()
        yield Contender(OURS, call=function, submit=lambda event: function.submit(event).result)
    finally:
        function.delete()
