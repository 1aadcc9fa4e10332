"""How far a load test is: a bar in a notebook, a line on a terminal's standard error, nothing elsewhere.

It appears after two seconds: what is over by then needs none.
"""

from __future__ import annotations

import sys
import time
from typing import Any

_APPEARS_S = 2.0
_WIDTH = 30


class Progress:
    """Call `show` again and again, and `close` at the end, which takes the bar away."""

    def __init__(self, name: str, requests: int, seconds: float) -> None:
        self._name = name
        self._requests = requests
        self._seconds = seconds
        self._since_s = time.monotonic()
        self._bar: Any = None
        self._line = False

    def show(self, sent: int, answered: int, now_s: float) -> None:
        """Where it stands, `now_s` seconds into the stream."""
        if time.monotonic() - self._since_s < _APPEARS_S:
            return
        share = min(max(now_s / self._seconds, 0.0), 1.0)
        text = f"{sent:,} of {self._requests:,} requests sent, {answered:,} answered"
        if in_notebook():
            self._show_bar(share, text)
        elif sys.stderr.isatty():
            filled = round(share * _WIDTH)
            print(f"\r{self._name} [{'#' * filled:<{_WIDTH}}] {text}\x1b[K", end="", file=sys.stderr, flush=True)
            self._line = True

    def close(self) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._line = False

    def _show_bar(self, share: float, text: str) -> None:
        try:
            from IPython.display import display
            from ipywidgets import HTML, HBox, IntProgress
        except ImportError:
            return
        if self._bar is None:
            self._bar = HBox([IntProgress(0, 0, 1000, description=self._name), HTML()])
            display(self._bar)  # type: ignore[no-untyped-call]
        bar, told = self._bar.children
        bar.value, told.value = round(share * 1000), text


def in_notebook() -> bool:
    """Whether this is a kernel, whose outputs a notebook shows."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
