"""`python -m lambdanb.sources.emulator HOME DESCRIPTOR`: keeps the emulator of a home up, on that listening socket.

Started by the home's executor when somebody connects to the socket. The services themselves run in one process below
this one, `lambdanb.sources.emulated`; what goes wrong with it is handled so:

- it ends: the next one is started at once, and finds the socket and what waits on it. One that doesn't come up, several
  times in a row, ends this process too, with a status that tells the executor to close the socket.
- it hangs: it doesn't answer a health check, and uses no CPU either. It is killed. One that is busy for long isn't.
- the executor ends, in order or killed: SIGTERM comes to this process, and goes on to that one, which writes its state.
- this process is killed: SIGTERM comes to that one from the kernel. The executor starts this one again, which waits
  until that one has written its state and let go of the lock; in the end it kills it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from lambdanb.client.credentials import credentials
from lambdanb.sources.emulated_environment import FOLDER, environment
from lambdanb.sources.health import Health
from lambdanb.sources.lifeline import end_with

CANT_BE_KEPT_UP = 69
_MOST_FAILURES = 4
_AGAIN_S = 0.2
_ENDS_S = 5.0
"""How long the emulator may take to write its state, before it is killed."""


class Emulator:
    """The process with the services, and what is known of it."""

    def __init__(self, home: Path, descriptor: int) -> None:
        self._home = home
        self._descriptor = descriptor
        self._known = credentials(home)
        self._process: asyncio.subprocess.Process | None = None
        self._failures = 0

    async def keep_up(self) -> None:
        """Until it can't be: returns when it fails again and again to come up."""
        while self._failures < _MOST_FAILURES:
            process = self._process = await self._start()
            health = Health(self._home, self._known, process.pid)
            watching = asyncio.create_task(health.until_hung())
            ended = asyncio.create_task(process.wait())
            await asyncio.wait((watching, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                _tell(f"The emulator, process {process.pid}, hangs: {health.trouble}. It is killed and started again.")
                process.kill()
            status = await ended
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            self._failures = 0 if health.was_up else self._failures + 1
            _tell(f"The emulator, process {process.pid}, has ended with status {status}.")
            if self._failures:
                await asyncio.sleep(_AGAIN_S * 2**self._failures)

    async def end(self) -> None:
        """Have it write its state and end."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_ENDS_S):
                await process.wait()
        except TimeoutError:
            _tell(f"The emulator, process {process.pid}, didn't write its state within {_ENDS_S:g} s and is killed.")
            process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        await wait_for_the_last(self._home / FOLDER / "lock")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "lambdanb.sources.emulated",
            str(self._descriptor),
            str(os.getpid()),
            stdin=asyncio.subprocess.DEVNULL,
            env=environment(self._home, self._known),
            pass_fds=[self._descriptor],
            start_new_session=True,
        )


async def wait_for_the_last(path: Path) -> None:
    """Until no emulator of the home's runs, nor a snapshot of one: it had no supervisor, and so is about to end.

    It is killed if it doesn't.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        taken = asyncio.create_task(asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX))
        done, _ = await asyncio.wait((taken,), timeout=_ENDS_S)
        if not done:
            with contextlib.suppress(ValueError, OSError):
                pid = int(os.pread(lock, 20, 0))
                if b"lambdanb.sources.emulated" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    _tell(f"The emulator before, process {pid}, doesn't end and is killed.")
                    os.kill(pid, signal.SIGKILL)
        await taken
    finally:
        os.close(lock)


async def main() -> int:
    """Until SIGTERM."""
    home, descriptor = Path(sys.argv[1]), int(sys.argv[2])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    end_with(int((home / "executor.lock").read_text()))
    (home / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    emulator = Emulator(home, descriptor)
    keeping = asyncio.create_task(emulator.keep_up())
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait((keeping, ending), return_when=asyncio.FIRST_COMPLETED)
    if keeping.done() and not ended.is_set():
        keeping.result()
        return CANT_BE_KEPT_UP
    keeping.cancel()
    await emulator.end()
    return 0


def _tell(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(asyncio.run(main()))
