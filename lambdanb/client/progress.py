"""How far something is that takes a while: a bar in a notebook, a line on a terminal, nothing elsewhere.

It appears after two seconds: what is over by then needs none.
"""

from __future__ import annotations

import sys
import time
from typing import Any

_APPEARS_S = 2.0
_EVERY_S = 0.2
_WIDTH = 30


class Progress:
    """Call `show` as often as you like (it is drawn five times a second), and `close` at the end, which takes the bar
    away."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next_s = time.monotonic() + _APPEARS_S
        self._bar: Any = None
        self._shown: Any = None
        self._line = False

    def show(self, share: float, text: str) -> None:
        """Where it stands: a share from 0 to 1, and the same in words."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        share = min(max(share, 0.0), 1.0)
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
            # Else a saved notebook would have a bar that no kernel knows.
            if self._shown is not None:
                self._shown.update({"text/plain": ""}, raw=True)
        if self._line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._line = False

    def _show_bar(self, share: float, text: str) -> None:
        from IPython.display import display
        from ipywidgets import HTML, HBox, IntProgress

        if self._bar is None:
            self._bar = HBox([IntProgress(0, 0, 1000, description=self._name), HTML()])
            self._shown = display(self._bar, display_id=True)  # type: ignore[no-untyped-call]
        bar, told = self._bar.children
        bar.value, told.value = round(share * 1000), text


def in_notebook() -> bool:
    """Whether this is a kernel, whose outputs a notebook shows."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
