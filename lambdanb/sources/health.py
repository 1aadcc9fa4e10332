"""Whether the emulator still answers, and if it doesn't, whether it is busy or hangs.

It serves everybody from one thread, so that a big request holds up all others for a while: that is no reason to kill
it. One that answers nothing and does nothing, stopped or in a deadlock, is.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from lambdanb.client.credentials import DOOR_HEADER, Credentials

PATH = "/_ministack/health"
_EVERY_S = 1.0
_ANSWERS_S = 5.0
_BUSY_S = 120.0
"""So long it may be busy without an answer."""
_IDLE_NS = 50_000_000
"""CPU time within the wait for an answer below which it did nothing."""
_ANSWER_BYTES = 65_536


class Health:
    """Of one process. `was_up`: it has answered. `trouble`: why it is thought to hang."""

    def __init__(self, home: Path, known: Credentials, pid: int) -> None:
        self._folder = os.open(home / "run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        head = (f"GET {PATH} HTTP/1.1", "Host: emulator", "Connection: close", f"{DOOR_HEADER}: {known.door_key}")
        self._asked = "\r\n".join((*head, "", "")).encode()
        self._pid = pid
        self.was_up = False
        self.trouble = ""

    async def until_hung(self) -> None:
        """Ask again and again. Cancel it when the process has ended."""
        try:
            answered_s = time.monotonic()
            while True:
                used_ns = self._cpu_ns()
                if await self._answers():
                    self.was_up = True
                    answered_s = time.monotonic()
                    await asyncio.sleep(_EVERY_S)
                    continue
                silent_s = time.monotonic() - answered_s
                if self._cpu_ns() - used_ns < _IDLE_NS and not self._waits_for_disk():
                    self.trouble = f"no answer within {_ANSWERS_S:g} s, and it does nothing"
                    return
                if silent_s > _BUSY_S:
                    self.trouble = f"no answer for {silent_s:.0f} s"
                    return
        finally:
            os.close(self._folder)

    async def _answers(self) -> bool:
        writer = None
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(_ANSWERS_S):
                # Through the descriptor: a socket's path may have 107 bytes, a home's path more.
                path = f"/proc/self/fd/{self._folder}/aws.sock"
                reader, writer = await asyncio.open_unix_connection(path)
                writer.write(self._asked)
                head = await reader.read(_ANSWER_BYTES)
                if head.startswith(b"HTTP/1.1 200"):
                    return True
        except (TimeoutError, OSError):
            pass
        finally:
            if writer is not None:
                writer.transport.abort()
        # A refusal is an answer that is none, and comes at once.
        await asyncio.sleep(max(begun_s + _ANSWERS_S - time.monotonic(), 0.0))
        return False

    def _cpu_ns(self) -> int:
        try:
            return time.clock_gettime_ns((~self._pid << 3) | 2)
        except OSError:
            return 0

    def _waits_for_disk(self) -> bool:
        try:
            state = Path(f"/proc/{self._pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state == b"D"
