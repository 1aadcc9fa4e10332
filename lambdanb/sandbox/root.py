"""What an environment may see of the file system: an allow-list, and the plan by which a new root is put together
from it.

Visible are the system's programs and libraries, the interpreter and its packages, what the caller names, and of /etc
only what programs need to resolve names, check certificates and tell the time. Never the home folder as a whole, nor
a folder above or inside of one that holds credentials: naming such a folder is answered with a reason, not obeyed.
"""

from __future__ import annotations

import functools
import os
import pwd
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/sys/devices/system",
)
_ETC = (
    "alternatives", "ca-certificates*", "crypto-policies", "fonts", "gai.conf", "group", "host.conf", "hosts",
    "ld.so.*", "localtime", "magic", "matplotlibrc", "mime.types", "nsswitch.conf", "os-release", "passwd", "pki",
    "protocols", "python3*", "resolv.conf", "services", "ssl", "timezone",
)  # fmt: skip
_EMPTY = (
    "/dev",
    "/dev/shm",
    "/etc",
    "/mnt",
    "/opt",
    "/proc",
    "/run",
    "/run/proc",
    "/tmp",
    "/var",
    "/var/runtime",
    "/var/task",
)
_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
_ASSEMBLY = ("/mnt", "/media", "/srv", "/run", "/opt", "/var")
_SECRETS = (".aws", ".ssh", ".gnupg", ".jupyter", ".ipython", ".docker", ".kube", ".config/gcloud", ".netrc")


def visible_paths(readable: Iterable[str]) -> tuple[list[str], list[list[str]]]:
    """The allow-list: existing absolute paths, none inside of another; and [path, reason] for each that was refused.

    A path that leads over symbolic links is there by its own name and by its real one. Some 2 ms; kept for as long as
    the same is asked for and neither those paths nor /etc have come or gone.
    """
    asked = tuple(path for path in readable if path.startswith("/") and os.path.exists(path))
    paths, skipped = _visible_paths(asked, _private(), os.stat("/etc").st_mtime_ns)
    return list(paths), [list(pair) for pair in skipped]


@functools.lru_cache(maxsize=64)
def _visible_paths(
    readable: tuple[str, ...], private: tuple[str, ...], etc_changed_ns: int
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    skipped: list[tuple[str, str]] = []
    wanted: set[str] = set()
    for path in [*readable, *_interpreter(private)]:
        for name in {os.path.normpath(path), os.path.realpath(path)}:
            reason = _refusal(name, private)
            if reason is not None:
                skipped.append((name, reason))
            elif os.path.exists(name):
                wanted.add(name)
    wanted.update(name for name in _SYSTEM if os.path.exists(name))
    wanted.update(f"/etc/{name}" for name in os.listdir("/etc") if any(fnmatchcase(name, known) for known in _ETC))
    return tuple(_outermost(wanted)), tuple(skipped)


def plan_root(paths: Sequence[str]) -> dict[str, Any]:
    """How to put together a root that shows `paths` (as `visible_paths` gives them), for `namespaces.enter`.

    at: where it is put together, an existing folder under which none of the sources lies. folders, files: mount
    points, parents first. links: [target, path]. binds: what is mounted at its own path. below_tmp: the same, but
    only after the private /tmp has covered the old.
    """
    return _plan(tuple(paths))


@functools.lru_cache(maxsize=64)
def _plan(paths: tuple[str, ...]) -> dict[str, Any]:
    plan = _Plan()
    for path in (*_EMPTY, *DEVICES, *paths):
        plan.add(path)
    for target, path in _LINKS:
        plan.links.append([target, path])
    sources = [*plan.binds, *plan.below_tmp]
    for at in _ASSEMBLY:
        if os.path.isdir(at) and not os.path.islink(at) and not any(_within(source, at) for source in sources):
            plan.folder(at)
            break
    else:
        raise OSError(f"none of {', '.join(_ASSEMBLY)} is free to put a new root together under")
    return {
        "at": at,
        "folders": list(plan.folders),
        "files": plan.files,
        "links": plan.links,
        "binds": plan.binds,
        "below_tmp": plan.below_tmp,
    }


class _Plan:
    def __init__(self) -> None:
        self.folders: dict[str, None] = {}
        self.files: list[str] = []
        self.links: list[list[str]] = []
        self.binds: list[str] = []
        self.below_tmp: list[str] = []

    def add(self, path: str) -> None:
        if _within(path, "/tmp") and path != "/tmp":
            self.below_tmp.append(path)
            return
        target = os.readlink(path) if os.path.islink(path) else None
        if path in _EMPTY:
            self.folder(path)
        elif target is not None and _within(os.path.normpath(os.path.join(os.path.dirname(path), target)), "/usr"):
            self.folder(os.path.dirname(path))
            self.links.append([target, path])
        elif os.path.isdir(path):
            self.folder(path)
            self.binds.append(path)
        elif os.path.exists(path):
            self.folder(os.path.dirname(path))
            self.files.append(path)
            self.binds.append(path)

    def folder(self, path: str) -> None:
        if path != "/" and path not in self.folders:
            self.folder(os.path.dirname(path))
            self.folders[path] = None


def _interpreter(private: Sequence[str]) -> Iterable[str]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
    real = os.path.realpath(sys.executable)
    if os.path.basename(os.path.dirname(real)) == "bin":
        prefixes.add(os.path.dirname(os.path.dirname(real)))
    for prefix in sorted(prefixes):
        if _refusal(os.path.realpath(prefix), private) is None:
            yield prefix
        else:  # an interpreter installed right into the home folder, say
            yield from (
                os.path.join(prefix, part) for part in ("bin", "include", "lib", "lib64", "share", "pyvenv.cfg")
            )


def _private() -> tuple[str, ...]:
    """The home folders, the credentials below them and where the environment's variables say that credentials are."""
    variables = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    return _private_paths(os.path.expanduser("~"), tuple(os.environ.get(name, "") for name in variables))


@functools.lru_cache(maxsize=4)
def _private_paths(home: str, named: tuple[str, ...]) -> tuple[str, ...]:
    homes = {home}
    try:
        homes.add(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        pass  # a container's user without an entry
    secrets = [os.path.join(home, name) for home in homes for name in _SECRETS]
    paths = [path for path in (*homes, *secrets, *named) if path.startswith("/")]
    return tuple(sorted({name for path in paths for name in (os.path.normpath(path), os.path.realpath(path))} - {"/"}))


def _refusal(path: str, private: Sequence[str]) -> str | None:
    """Why a function must not see this path, None if it may."""
    if path == "/":
        return "it is the root of the file system"
    for secret in private:
        if path == secret:
            return "it is private: a home folder, or where credentials are kept"
        if _within(secret, path):
            return f"{secret} lies in it"
        if _within(path, secret) and os.path.basename(secret) in {os.path.basename(name) for name in _SECRETS}:
            return f"it lies in {secret}"
    return None


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(paths):
        # A link among the kept shows its target by another name only, and becomes a link inside if it is the system's.
        if not any(_within(path, above) and (above in _SYSTEM or not os.path.islink(above)) for above in kept):
            kept.append(path)
    return kept


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
