"""Run pytest as an ordinary user (uid 65534), for root:  python tests/as_nobody.py -m limits tests/sandbox

The interpreter, its packages or the repository may lie below folders that only root may enter (/root, as a rule). In
a mount namespace of this process's own, each such folder is covered by a tmpfs that anybody may enter, and what is
needed of it is bound back; nothing outside of this process changes. Then the user is changed and pytest takes this
process's place.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from lambdanb.sandbox import syscalls

NOBODY = 65534
REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> NoReturn:
    if os.geteuid() != 0:
        sys.exit("tests/as_nobody.py changes the user, which only root may do; as an ordinary user run pytest itself")
    needed = {Path(sys.prefix), Path(sys.base_prefix).resolve(), Path(sys.executable).resolve().parents[1], REPOSITORY}
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    for path in sorted(needed):
        open_the_way(path, needed)
    home = tempfile.mkdtemp(prefix="lambdanb-nobody-")
    os.chown(home, NOBODY, NOBODY)
    pid = os.fork()
    if pid == 0:
        become_pytest(home, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest gets it as well, and ends in its own way
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(home, ignore_errors=True)
    sys.exit(status if status >= 0 else 128 - status)


def become_pytest(home: str, arguments: list[str]) -> NoReturn:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.chdir(REPOSITORY)
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={home}/tests", *arguments]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LAMBDANB_WITHOUT") if name in os.environ}
    os.execve(sys.executable, command, kept | {"HOME": home, "USER": "nobody", "PYTHONDONTWRITEBYTECODE": "1"})


def open_the_way(path: Path, needed: set[Path]) -> None:
    """Cover the first folder on the way to `path` that others may not enter, and bind back all that is needed below
    it.
    """
    for folder in reversed(path.parents):
        if folder.stat().st_mode & stat.S_IXOTH:
            continue
        below = sorted(each for each in needed if folder in each.parents)
        handles = [os.open(each, os.O_PATH) for each in below]
        syscalls.mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
        for each, handle in zip(below, handles, strict=True):
            if not each.exists():  # it may lie in one that is back already
                each.mkdir(parents=True, mode=0o755)
                syscalls.mount(f"/proc/self/fd/{handle}", str(each), None, syscalls.MS_BIND | syscalls.MS_REC)
            os.close(handle)
        return


if __name__ == "__main__":
    main(sys.argv[1:])
