"""The executor's own log, executor.log in its home: what no caller can be told.

The home's disk may be full: then a line is lost, which must not end the loop that it told of, and how many were lost is
told when the disk takes one again.
"""

from __future__ import annotations

import os
import time
import traceback

_STDERR = 2
_lost = 0


def tell(text: str) -> None:
    """Write a line, or several."""
    global _lost
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lost = f"({_lost} entries before this one are lost: the disk took none.)\n" if _lost else ""
    try:
        os.write(_STDERR, f"{lost}{stamp} {text.rstrip()}\n".encode(errors="backslashreplace"))
        _lost = 0
    except OSError:
        _lost += 1


def report_defect() -> None:
    """Write the exception under way, with its traceback."""
    tell(traceback.format_exc())
