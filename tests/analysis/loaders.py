"""The loaders that run on this machine, as the operating system tells of them."""

from __future__ import annotations

import os
from pathlib import Path


def loaders_of(parent_pid: int) -> list[int]:
    """The loaders that a process has started."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            is_child = int(stat.rpartition(")")[2].split()[1]) == parent_pid
            if is_child and b"lambdanb.analysis.loader" in command:
                found.append(int(entry))
    return found
