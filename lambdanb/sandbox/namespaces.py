"""An environment's own view of the machine: user, mount, PID and IPC namespaces, entered by one fork, as any user.

The root is a tmpfs onto which only what is on the list is bound, read-only and at its usual place: what isn't named
(the home folder, other functions' files, the notebook's sockets) is not there at all. /tmp is a tmpfs of exactly the
configured size, /proc shows the environment's own processes, /var/task is the function's code. The user namespace is
made for root as well: the kernel then refuses ptrace and the environ of processes outside, though they have the same
uid.

What all environments of a zygote have in common is put together once, by the zygote (`prepare`): it moves into a user
and a mount namespace of its own, where it may mount, and lays out the root in a corner of it. Each fork gets a copy
of that view (`fork`) and makes it its only root (`enter`). That much is done ahead, for an environment that isn't any
function's yet; `furnish` adds what depends on the function. A template (SnapStart) does the same from inside its own
sandbox: it has no privileges there, but a new namespace gives it some, and the mounts it inherits are locked, so it
can add to them and hide more, and uncover nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from lambdanb.sandbox import syscalls as sys_

TASK = "/var/task"
TEMPLATE_PROC = "/run/proc"
"""Where a template of root's finds a writable /proc of processes alone: see `_mount_proc`."""

_OUTER = sys_.CLONE_NEWUSER | sys_.CLONE_NEWNS
_OWN = _OUTER | sys_.CLONE_NEWPID | sys_.CLONE_NEWIPC
_PLAIN = sys_.MS_NOSUID | sys_.MS_NODEV
_BIND = sys_.MS_BIND | sys_.MS_REC
_READ_ONLY = sys_.MOUNT_ATTR_RDONLY | sys_.MOUNT_ATTR_NOSUID
_KEPT = os.ST_NODEV | os.ST_NOEXEC
"""What statvfs tells by the same bits as mount takes. Access times stay as they are when a remount doesn't mention
them.
"""

_prepared: dict[str, Any] | None = None
"""The root that this process has laid out for its children."""
_apart = False
"""Whether this process has moved into namespaces of its own to do so."""
_inside = False
"""Whether this process stands in a sandbox already: then it is a template, and the code is at /var/task."""
_of_template = False
"""Whether this process was forked from a template."""
_ids = (0, 0)
"""User and group as they are in any of these namespaces; not to be asked for before they are mapped."""


def prepare(child: Mapping[str, Any]) -> None:
    """In the zygote: namespaces of its own, once, and in them the root that child["root"] lists. Raises OSError."""
    global _prepared, _ids, _apart
    root = child["root"]
    if root == _prepared:
        return
    if not _apart:
        _ids = os.geteuid(), os.getegid()
        sys_.unshare(_OUTER)
        _map_user(first=True)
        _apart = True
    before, mask = os.getcwd(), os.umask(0o022)
    try:
        if _prepared is not None:
            sys_.umount(_prepared["at"], sys_.MNT_DETACH)
            _prepared = None
        sys_.mount("tmpfs", root["at"], "tmpfs", _PLAIN, "size=1m,mode=755")
        os.chdir(root["at"])
        _lay_out(root, outer_proc=not child["fresh_proc"], recursive=child["recursive_readonly"])
    finally:
        os.chdir(before)
        os.umask(mask)
    _prepared = root


def fork() -> int:
    """Fork into fresh namespaces, after `prepare`; the child must call `enter`. Raises OSError."""
    return sys_.fork_with(_OWN)


def enter(child: Mapping[str, Any]) -> None:
    """In the child: the prepared root becomes the only one, with a /tmp, a /dev/shm and a /proc of its own.

    /var/task shows the folder in which all functions' code lies, until `furnish` covers it. Raises OSError naming the
    mount that failed. Privileges are still held.
    """
    global _inside, _of_template, _apart, _prepared
    root, recursive = child["root"], child["recursive_readonly"]
    _map_user(first=False)
    # What is inherited is locked in its place; a copy can become the root.
    sys_.mount(root["at"], root["at"], None, _BIND)
    os.chdir(root["at"])
    code = TASK if _inside else child["code_dir"]
    sys_.mount(code, TASK[1:], None, _BIND)
    _make_read_only(TASK[1:], [], recursive=recursive)
    sys_.mount("tmpfs", "tmp", "tmpfs", _PLAIN, "size=1m,mode=1777")
    sys_.mount("tmpfs", "dev/shm", "tmpfs", _PLAIN, "size=1m,mode=1777")
    for path in root["below_tmp"]:
        _mount_point(path)
        _bind(path)
        _make_read_only(path[1:], [], recursive=recursive)
    if not child["template"]:
        # No namespaces within. Fails harmlessly in a container that masks /proc, and below a template of root's: a
        # further namespace can't uncover anything either.
        with contextlib.suppress(OSError):
            _write("/proc/sys/user/max_user_namespaces", b"0")
    _mount_proc(fresh=child["fresh_proc"], template=child["template"])
    sys_.pivot_root(".", ".")  # the old root now lies over the new one, and is taken off
    sys_.umount(".", sys_.MNT_DETACH)
    os.chdir("/")
    _inside, _of_template = True, _inside
    _apart, _prepared = False, None


def furnish(child: Mapping[str, Any]) -> None:
    """After `enter`: the function's own code and the sizes of its tmpfs; the working folder is /var/task.

    Raises OSError naming the mount that failed. Privileges are still held: see `drop_privileges`.
    """
    if not _of_template:  # whose /var/task is the function's already
        # Read-only as the mount it comes from, and over it for good: nobody in here can take a mount off.
        sys_.mount(f"{TASK}/{os.path.basename(child['task_dir'])}", TASK, None, _BIND)
    for path, size_mb in (("/tmp", child["tmp_mb"]), ("/dev/shm", child["shm_mb"])):
        sys_.mount(None, path, None, sys_.MS_REMOUNT | _PLAIN, f"size={size_mb}m")
    os.chdir(TASK)


def drop_privileges(*, keep_mapping: bool) -> None:
    """Give up every capability for good, also what a set-uid program would give.

    keep_mapping: for a template of root's. The kernel lets a namespace map uid 0 onward only if its maker holds
    SETFCAP, in the maker's own namespace, where it is good for nothing else.
    """
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    # In place of emptying the bounding set (41 calls, 0.4 ms): being root gives nothing, an exec gives nothing, locked.
    with contextlib.suppress(PermissionError):  # an ordinary user outside of namespaces, who has nothing to give up
        sys_.prctl(sys_.PR_SET_SECUREBITS, sys_.SECUREBITS_ALL_LOCKED)
    if keep_mapping:
        sys_.set_capabilities(sys_.CAP_SETFCAP)
    else:
        sys_.set_capabilities()


def _lay_out(root: Mapping[str, Any], *, outer_proc: bool, recursive: bool) -> None:
    """Fill the working folder, an empty tmpfs, with what all environments see."""
    for path in root["folders"]:
        os.mkdir(path[1:], 0o755)
    for path in root["files"]:
        os.close(os.open(path[1:], os.O_CREAT | os.O_WRONLY, 0o644))
    for target, path in root["links"]:
        os.symlink(target, path[1:])
    proc = ["/proc"] if outer_proc else []
    read_only = [*root["binds"], *(proc if _ids[0] == 0 else [])]  # why root's: see `_mount_proc`
    for path in read_only:
        _bind(path)
    # The rest of the zygote's view follows the machine's: a disk that is unmounted there is not held here.
    sys_.mount(None, ".", None, sys_.MS_REC | sys_.MS_PRIVATE)
    _make_read_only(".", read_only, recursive=recursive)
    for path in proc:
        if path not in read_only:
            _bind(path)


def _map_user(*, first: bool) -> None:
    """Be in the new user namespace who one was outside, and nobody else. `first`: it is not within one of ours."""
    uid, gid = _ids
    own = f"{TEMPLATE_PROC}/self" if _inside and uid == 0 else "/proc/self"
    if first:
        _write(f"{own}/setgroups", b"deny")
    _write(f"{own}/uid_map", b"%d %d 1" % (uid, uid))
    _write(f"{own}/gid_map", b"%d %d 1" % (gid, gid))


def _mount_point(path: str) -> None:
    """Make what `path` is to be mounted on, in a /tmp that has nothing yet."""
    if os.path.isdir(path):
        os.makedirs(path[1:], exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path)[1:], exist_ok=True)
        os.close(os.open(path[1:], os.O_CREAT | os.O_WRONLY, 0o644))


def _bind(path: str) -> None:
    # Gone since the list was made, or not for this user to see: then it is empty inside as well.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        sys_.mount(path, path[1:], None, _BIND)


def _make_read_only(top: str, binds: list[str], *, recursive: bool) -> None:
    """The mount at `top` and all below. Before Linux 5.12 only `top` and `binds`, one by one: what is mounted deeper
    stays as it is."""
    if recursive:
        sys_.set_mount_attributes(top, _READ_ONLY, recursive=True)
        return
    for path in [top, *(path[1:] for path in binds if os.path.ismount(path[1:]))]:
        flags = os.statvfs(path).f_flag & _KEPT  # the kernel refuses to clear what an outer namespace has set
        sys_.mount(None, path, None, sys_.MS_REMOUNT | sys_.MS_BIND | sys_.MS_RDONLY | sys_.MS_NOSUID | flags)


def _mount_proc(*, fresh: bool, template: bool) -> None:
    """The environment's own /proc, where there can be one; the prepared root holds the outer one else.

    Root's is read-only: uid 0 may write most of /proc/sys without any capability, and a core_pattern runs outside. To
    map the users of the environments that it forks, root's template gets a second one, which has the processes and no
    settings; without fresh ones it is the outer one, whose settings the container has masked.
    """
    flags = _PLAIN | sys_.MS_NOEXEC
    is_root = _ids[0] == 0
    if fresh:
        sys_.mount("proc", "proc", "proc", flags | (sys_.MS_RDONLY if is_root else 0))
    if template and is_root and fresh:
        sys_.mount("proc", TEMPLATE_PROC[1:], "proc", flags, "subset=pid")
    elif template and is_root:
        sys_.mount("/proc", TEMPLATE_PROC[1:], None, _BIND)


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
