"""An environment's own view of the machine: user, mount, PID and IPC namespaces, entered by one fork, as any user.

The new root is a tmpfs onto which only what is on the list is bound, read-only and at its usual place: what isn't named
(the home folder, other functions' files, the notebook's sockets) is not there at all. /tmp is a tmpfs of exactly the configured
size, /proc shows the environment's own processes, /var/task is the function's code. A user namespace is made for root
as well: the kernel then refuses ptrace and the environ of processes outside, though they have the same uid.

A template (SnapStart) does all of this again from inside its own sandbox. It has no privileges there, but a new user
namespace gives the child its own; the mounts it inherits are locked, so it can add to them and hide more, but uncover nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lambdanb.sandbox import syscalls as sys_

TASK = "/var/task"
NAMESPACES = sys_.CLONE_NEWUSER | sys_.CLONE_NEWNS | sys_.CLONE_NEWPID | sys_.CLONE_NEWIPC
TEMPLATE_PROC = "/run/proc"
"""Where a template of root's finds a writable /proc of processes alone: see `_mount_proc`."""

_PLAIN = sys_.MS_NOSUID | sys_.MS_NODEV
_BIND = sys_.MS_BIND | sys_.MS_REC
_READ_ONLY = sys_.MOUNT_ATTR_RDONLY | sys_.MOUNT_ATTR_NOSUID
_KEPT = os.ST_NODEV | os.ST_NOEXEC
"""What statvfs tells by the same bits as mount takes. Access times stay as they are when a remount doesn't mention them."""
_LAST_CAPABILITY = 63

_entered = False
"""Whether this process already stands in a sandbox of ours, as a template's environments do."""

_ids = (0, 0)
"""User and group as they were before the fork: until they are mapped, the child can't ask."""


def fork() -> int:
    """Fork into fresh namespaces; the child must call `enter`. Raises OSError where the kernel refuses."""
    global _ids
    _ids = os.geteuid(), os.getegid()
    return sys_.fork_with(NAMESPACES)


def entered() -> bool:
    """Whether this process stands in a sandbox of ours: then it is a template, or an environment."""
    return _entered


def enter(child: Mapping[str, Any]) -> None:
    """Build the root that child["root"] lists, and make it the only one. The working folder becomes /var/task.

    Raises OSError naming the mount that failed. Privileges are still held: see `drop_privileges`.
    """
    global _entered
    root = child["root"]
    _map_user()
    sys_.mount(None, "/", None, sys_.MS_REC | sys_.MS_PRIVATE)
    sys_.mount("tmpfs", root["at"], "tmpfs", _PLAIN, "size=1m,mode=755")
    os.chdir(root["at"])
    os.umask(0o022)
    _mount_points(root)
    for path in root["binds"]:
        _bind(path)
    sys_.mount(TASK if _entered else child["task_dir"], TASK[1:], None, _BIND)
    if not child["fresh_proc"]:
        sys_.mount("/proc", "proc", None, _BIND)
    _make_read_only(".", root["binds"], recursive=child["recursive_readonly"])

    sys_.mount("tmpfs", "tmp", "tmpfs", _PLAIN, f"size={child['tmp_mb']}m,mode=1777")
    sys_.mount("tmpfs", "dev/shm", "tmpfs", _PLAIN, f"size={child['shm_mb']}m,mode=1777")
    for path in root["below_tmp"]:
        _mount_point(path)
        _bind(path)
        _make_read_only(path[1:], [], recursive=child["recursive_readonly"])
    if not child["template"]:
        _forbid_namespaces()
    if child["fresh_proc"]:
        _mount_proc(template=child["template"])

    sys_.pivot_root(".", ".")  # the old root now lies over the new one, and is taken off
    sys_.umount(".", sys_.MNT_DETACH)
    os.chdir(TASK)
    _entered = True


def drop_privileges(*, template: bool) -> None:
    """Give up every capability for good, also what a set-uid program would give."""
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    for number in range(_LAST_CAPABILITY):
        try:
            sys_.prctl(sys_.PR_CAPBSET_DROP, number)
        except OSError:
            break  # past the last that this kernel knows, or not ours to drop
    sys_.prctl(sys_.PR_CAP_AMBIENT, sys_.PR_CAP_AMBIENT_CLEAR_ALL)
    # The kernel lets a namespace map uid 0 onward only if its maker holds SETFCAP, in the maker's own namespace.
    if template and os.geteuid() == 0 and _entered:
        sys_.set_capabilities(sys_.CAP_SETFCAP)
    else:
        sys_.set_capabilities()


def _map_user() -> None:
    """Be in the new user namespace who one was outside, and nobody else."""
    uid, gid = _ids
    own = TEMPLATE_PROC if _entered and uid == 0 else "/proc"
    _write(f"{own}/self/setgroups", b"deny")
    _write(f"{own}/self/uid_map", b"%d %d 1" % (uid, uid))
    _write(f"{own}/self/gid_map", b"%d %d 1" % (gid, gid))


def _mount_points(root: Mapping[str, Any]) -> None:
    for path in root["folders"]:
        os.mkdir(path[1:], 0o755)
    for path in root["files"]:
        os.mknod(path[1:], 0o644)
    for target, path in root["links"]:
        os.symlink(target, path[1:])


def _mount_point(path: str) -> None:
    """Make what `path` is to be mounted on, in a /tmp that has nothing yet."""
    if os.path.isdir(path):
        os.makedirs(path[1:], exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path)[1:], exist_ok=True)
        os.close(os.open(path[1:], os.O_CREAT | os.O_WRONLY, 0o644))


def _bind(path: str) -> None:
    try:
        sys_.mount(path, path[1:], None, _BIND)
    except (FileNotFoundError, PermissionError):
        # Gone since the list was made, or not for this user to see: then it is empty inside as well.
        if not os.path.lexists(path[1:]):
            raise


def _make_read_only(top: str, binds: list[str], *, recursive: bool) -> None:
    """Everything mounted so far. Before Linux 5.12 one mount after the other, and mounts below a bound folder stay as they are."""
    if recursive:
        sys_.set_mount_attributes(top, _READ_ONLY, recursive=True)
        return
    for path in [top, TASK[1:], *(path[1:] for path in binds)]:
        if os.path.ismount(path) or path == top:
            flags = os.statvfs(path).f_flag & _KEPT  # the kernel refuses to clear what an outer namespace has set
            sys_.mount(None, path, None, sys_.MS_REMOUNT | sys_.MS_BIND | sys_.MS_RDONLY | sys_.MS_NOSUID | flags)


def _forbid_namespaces() -> None:
    """No namespaces within: nothing that needs a capability is for the function's code."""
    try:
        _write("/proc/sys/user/max_user_namespaces", b"0")
    except OSError:
        pass  # a masked /proc (container), or root's template: a further namespace can't uncover anything either


def _mount_proc(*, template: bool) -> None:
    """The environment's own /proc.

    Root's is read-only: uid 0 may write most of /proc/sys without any capability, and a core_pattern runs outside. To map the
    users of the environments that it forks, root's template gets a second one that has the processes and no settings.
    """
    flags = _PLAIN | sys_.MS_NOEXEC
    if _ids[0] != 0:
        sys_.mount("proc", "proc", "proc", flags)
        return
    sys_.mount("proc", "proc", "proc", flags | sys_.MS_RDONLY)
    if template:
        sys_.mount("proc", TEMPLATE_PROC[1:], "proc", flags, "subset=pid")


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
