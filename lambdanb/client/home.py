"""The home: the folder in which functions, queued events, logs and records live, shared by all notebooks of a user."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """`LAMBDANB_HOME`, else the user's state folder (on Linux ~/.local/state/lambdanb)."""
    chosen = os.environ.get("LAMBDANB_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("lambdanb", appauthor=False))
