"""Finding the home's executor, and starting it when there is none.

Whoever needs it first starts it; a lock file that the executor holds decides races, so starting one too many is
harmless: it sees the lock and leaves, and its starter connects to the other.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from lambdanb.model.errors import ExecutorLost

START_TIMEOUT_S = 20.0
_ANOTHER_S = 0.02
_WORD_BYTES = 4096
FAILED = b"failed: "
"""Begins what a starting executor says when it can't: the reason follows."""

_KEPT = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
_KEPT_PREFIXES = (
    "LAMBDANB_",
    "PYTHON",
    "LD_LIBRARY_PATH",
    "DYLD_",
    "DBUS_SESSION_BUS_ADDRESS",
    "VIRTUAL_ENV",
    "CONDA_",
)


def connect(home: Path) -> socket.socket:
    """A connection to the home's executor, which is started if need be.

    Raises ExecutorLost when it can't be, with the reason.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        sock = _try_connect(home)
        if sock is not None:
            return sock
        if time.monotonic() > deadline_s:
            raise ExecutorLost(f"No executor could be reached or started for {home}.{_end_of_log(home)}")
        _start(home, deadline_s)


def _try_connect(home: Path) -> socket.socket | None:
    try:
        folder = os.open(home / "run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(home, error) from error
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Through the descriptor: a socket's path may have 107 bytes, a home's path more.
        sock.connect(f"/proc/self/fd/{folder}/executor.sock")
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        raise ExecutorLost(f"The executor's socket in {home / 'run'} can't be opened: {error.strerror}.") from error
    finally:
        os.close(folder)
    return sock


def _start(home: Path, deadline_s: float) -> None:
    """Start an executor and wait until it listens, or says that there is another one.

    The process started here forks the executor and ends, so that the executor is nobody's child and leaves no zombie in
    a notebook that outlives it. Raises ExecutorLost when it fails.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = open(home / "executor.log", "ab")  # noqa: SIM115  (closed right below)
    except OSError as error:
        raise _unusable(home, error) from error
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lambdanb.executor", str(home), str(writer)],
                env=_environment(),
                pass_fds=[writer],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
    finally:
        os.close(writer)
    with open(reader, "rb", buffering=0) as said:
        process.wait()
        ready, _, _ = select.select([said], [], [], max(deadline_s - time.monotonic(), 0.0))
        word = said.read(_WORD_BYTES) if ready else b"late"
    if word == b"busy":
        # Another one is starting, or about to leave: there is nothing of it to wait on.
        time.sleep(_ANOTHER_S)
    elif word.startswith(FAILED):
        reason = word.removeprefix(FAILED).decode(errors="replace")
        raise ExecutorLost(
            f"The executor for {home} failed to start: {reason.rstrip('.')}. {home / 'executor.log'} tells more."
        )
    elif word != b"ready":
        raise ExecutorLost(f"The executor for {home} failed to start.{_end_of_log(home)}")


def _unusable(home: Path, error: OSError) -> ExecutorLost:
    return ExecutorLost(f"{home} can't be lambdanb's home (LAMBDANB_HOME chooses another): {error.strerror}.")


def _environment() -> dict[str, str]:
    """What the executor inherits: nothing of the notebook's secrets, which its own processes could show."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    package = str(Path(__file__).parent.parent.parent)
    # The executor's working folder is another, to which relative entries would not mean the same.
    named = [os.path.abspath(path) for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
    kept["PYTHONPATH"] = os.pathsep.join([package, *named])
    return kept


def _end_of_log(home: Path) -> str:
    try:
        lines = (home / "executor.log").read_text(errors="replace").splitlines()[-15:]
    except OSError:
        return ""
    return f" The end of {home / 'executor.log'}:\n" + "\n".join(lines) if lines else ""
