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
def deployed(in_flight: int = 1) -> Iterator[Contender]:
    """The shared handler as a function, with logs, records, a deadline and every limit on, and warm environments."""
    function = lambdanb.deploy(NAME, SOURCE, handler="lambda_function.lambda_handler", memory=MEMORY_MB, timeout=10)
    try:
        function(EVENT)
        for future in [function.submit(EVENT) for _ in range(in_flight)]:
            future.result()
        yield Contender(OURS, call=function, submit=lambda event: function.submit(event).result)
    finally:
        function.delete()
