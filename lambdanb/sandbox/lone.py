"""A process that has neither children nor a second thread, as most handlers have none: asked in 10 us whether it is so.

To scan a tree (tree.py) takes 100 us and more, most of it for opening files of /proc. Here they stay open. Orphans,
which the kernel passes on to init, are seen as children of init's.
"""

from __future__ import annotations

import os
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
# In /proc/<pid>/stat after the name: CPU time of children that were waited for, and the number of threads.
_CHILDREN_TIMES: Final = slice(13, 15)
_THREADS: Final = 17


class Lone:
    """Open files of one process. They go on meaning that process when its number is given to another."""

    def __init__(self, pid: int, init_pid: int) -> None:
        """Raises OSError when there is no such process, or the kernel doesn't tell of children."""
        self._only_child = str(pid).encode()
        self._fds: list[int] = []
        self._waited: list[bytes] | None = None
        try:
            own = [f"{pid}/{name}" for name in (f"task/{pid}/children", "stat", "statm")]
            for name in (f"{init_pid}/task/{init_pid}/children", *own):
                self._fds.append(os.open(f"/proc/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            self.close()
            raise

    def resident_bytes(self) -> int | None:
        """Its resident size; None when it has children or threads, had some since the last call, or has ended."""
        siblings, children, stat, statm = self._fds
        try:
            if os.pread(children, 8, 0) or os.pread(siblings, 64, 0).strip() != self._only_child:
                return None
            text = os.pread(stat, 1024, 0)
            fields = text[text.rfind(b")") + 2 :].split()
            waited, before = fields[_CHILDREN_TIMES], self._waited
            self._waited = waited
            if fields[_THREADS] != b"1" or (before is not None and waited != before):
                return None
            return int(os.pread(statm, 128, 0).split(None, 2)[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return None

    def close(self) -> None:
        """Close the files."""
        while self._fds:
            os.close(self._fds.pop())
