"""Snapshots of what the emulator holds in memory, so that a kill takes the last moments and not everything.

MiniStack writes its state when it ends in order, and at no other time. Here a fork of it does that every few seconds in
which something changed: the fork has the state of one moment, and writes it while the process itself serves on. Each
file is replaced as a whole. A fork that hangs (a lock may have been held by a thread that it hasn't got) is killed; the
files of the snapshot before stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable

EVERY_S = 2.0
_RESTS = 4.0
"""Between two snapshots, in units of what one took: much state mustn't keep a processor busy with being written."""
_LONGEST_S = 60.0


class Snapshots:
    """`changed` is set by whoever changes something; `lock` is held while one is being written."""

    def __init__(self, save: Callable[[], None], lock: int) -> None:
        self._save = save
        self._lock = lock
        self.changed = False

    async def take_all(self, ended: asyncio.Event) -> None:
        """Again and again, and a last one at the end."""
        took_s = 0.0
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(EVERY_S, _RESTS * took_s)):
                    await ended.wait()
            if self.changed:
                self.changed = False
                begun_s = time.monotonic()
                await self._take_one()
                took_s = time.monotonic() - begun_s

    async def _take_one(self) -> None:
        pid = os.fork()
        if pid == 0:
            self._write()
        ended = asyncio.Event()
        descriptor = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            async with asyncio.timeout(_LONGEST_S):
                await ended.wait()
        except TimeoutError:
            told = f"A snapshot of the emulator took over {_LONGEST_S:g} s and is given up."
            print(told, file=sys.stderr, flush=True)
            self.changed = True
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _write(self) -> None:
        """In the fork: nothing of the process's connections is its own."""
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.alarm(int(_LONGEST_S))
            os.closerange(3, self._lock)
            os.closerange(self._lock + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            os.nice(10)
            self._save()
        finally:
            os._exit(0)
