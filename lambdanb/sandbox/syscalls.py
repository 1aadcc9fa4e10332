"""The system calls that Python has no function for, by ctypes: no compiler, no binary, any user.

Each is a plain function that raises OSError with what was asked for. The libraries are opened as PyDLL, so that the
interpreter's lock is held throughout: these calls don't block, and `clone` must not let anything run between the fork
and the child's first bytecode. Numbers are known for x86-64 and 64-bit Arm; elsewhere every call raises ENOSYS and
the probe reports that.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint, c_ulong, c_void_p
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x8000000, 0x10000000, 0x20000000
CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x200000, 0x1000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2

PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 1, 4, 28, 38, 40
SECUREBITS_ALL_LOCKED = 0xEF
"""uid 0 has no capabilities for being that, set-uid changes none, none is kept nor raised to ambient; and all of it
for good.
"""
CAP_SETFCAP = 31

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SIGCHLD = 17
_CAPABILITY_VERSION_3 = 0x20080522

MACHINE = platform.machine()
NUMBERS: dict[str, int] = {
    "x86_64": {"clone": 56, "connect": 42, "pivot_root": 155, "capset": 126, "seccomp": 317},
    "aarch64": {"clone": 220, "connect": 203, "pivot_root": 41, "capset": 91, "seccomp": 277},
}.get(MACHINE, {})
if NUMBERS:
    NUMBERS |= {"io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438, "mount_setattr": 442}
    NUMBERS |= {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}

_libc = ctypes.PyDLL(None, use_errno=True)


def _absent(*_: Any) -> int:
    ctypes.set_errno(errno.ENOSYS)
    return -1


def _function(name: str, *arguments: Any) -> Callable[..., int]:
    """A function of the C library, as one that answers ENOSYS where it is not there."""
    try:
        function = _libc[name]
    except AttributeError:
        return _absent
    function.argtypes, function.restype = arguments, c_long if name == "syscall" else c_int
    return function


def _syscall(name: str, *arguments: Any) -> Callable[..., int]:
    number = NUMBERS.get(name)
    if number is None:
        return _absent
    function = _function("syscall", c_long, *arguments)
    return lambda *values: function(number, *values)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


_prctl = _function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_mount = _function("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_unshare = _function("unshare", c_int)
_umount2 = _function("umount2", c_char_p, c_int)
_clone = _syscall("clone", c_ulong, c_void_p, c_void_p, c_void_p, c_void_p)
_pivot_root = _syscall("pivot_root", c_char_p, c_char_p)
_capset = _syscall("capset", c_char_p, c_char_p)
_mount_setattr = _syscall("mount_setattr", c_int, c_char_p, c_uint, c_char_p, c_size_t)
_pidfd_open = _syscall("pidfd_open", c_int, c_uint)
_pidfd_getfd = _syscall("pidfd_getfd", c_int, c_int, c_uint)
_landlock_create = _syscall("landlock_create_ruleset", c_char_p, c_size_t, c_uint)
_landlock_add = _syscall("landlock_add_rule", c_int, c_int, c_char_p, c_uint)
_landlock_restrict = _syscall("landlock_restrict_self", c_int, c_uint)
_seccomp = _syscall("seccomp", c_uint, c_uint, c_char_p)


def _python_hook(name: str) -> Callable[[], None]:
    hook = ctypes.pythonapi[name]
    hook.argtypes, hook.restype = (), None
    return hook


_before_fork = _python_hook("PyOS_BeforeFork")
_after_fork_parent = _python_hook("PyOS_AfterFork_Parent")
_after_fork_child = _python_hook("PyOS_AfterFork_Child")


def fork_with(flags: int) -> int:
    """os.fork() into new namespaces (CLONE_NEW...): one fork where unshare(2) would need two. 0 in the child.

    What os.fork does beyond the system call is done here as well: Python's own hooks (import lock, thread states,
    os.register_at_fork, so that random generators start anew), and the C library's note of its thread's number, whose
    address the kernel knows. The C library's pthread_atfork handlers are left out, so this is for a child that forks
    again by os.fork before it runs anybody's code. The caller must have one thread.
    """
    address = ctypes.c_ulong(0)
    if _prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address), 0, 0, 0) == 0 and address.value:
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    # The last two arguments, the child's thread number and its TLS, stand in each other's place on Arm.
    last = (address.value, None) if MACHINE == "x86_64" else (None, address.value)
    _before_fork()
    pid = _clone(flags | _SIGCHLD, None, None, *last)
    if pid == 0:
        _after_fork_child()
        return 0
    number = ctypes.get_errno()
    _after_fork_parent()
    if pid < 0:
        raise OSError(number, f"clone into new namespaces: {os.strerror(number)}")
    return pid


def prctl(option: int, value: int = 0, extra: int = 0) -> int:
    return _check(_prctl(option, value, extra, 0, 0), f"prctl {option}")


def unshare(flags: int) -> None:
    _check(_unshare(flags), "unshare into new namespaces")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    if _mount(_bytes(source), _bytes(target), _bytes(kind), flags, _bytes(data)) < 0:
        _check(-1, f"mount {source or kind} at {target}")


def umount(target: str, flags: int = 0) -> None:
    _check(_umount2(_bytes(target), flags), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    _check(_pivot_root(_bytes(new_root), _bytes(put_old)), "pivot_root")


def set_mount_attributes(path: str, attributes: int, *, recursive: bool) -> None:
    """mount_setattr(2), Linux 5.12: add MOUNT_ATTR_... to the mount at `path`, and to all below it."""
    packed = struct.pack("4Q", attributes, 0, 0, 0)
    what = f"mount_setattr {path}"
    _check(_mount_setattr(_AT_FDCWD, _bytes(path), _AT_RECURSIVE if recursive else 0, packed, len(packed)), what)


def set_capabilities(*numbers: int) -> None:
    """Keep these capabilities, permitted and effective, and no other."""
    bits = sum(1 << number for number in numbers)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_capset(header, struct.pack("6I", low, low, 0, high, high, 0)), "capset")


def pidfd_open(pid: int, flags: int = 0) -> int:
    return _check(_pidfd_open(pid, flags), f"pidfd_open {pid}")


def pidfd_getfd(pidfd: int, fd: int) -> int:
    return _check(_pidfd_getfd(pidfd, fd, 0), f"pidfd_getfd {fd}")


def landlock_abi() -> int:
    """The version of Landlock's interface, 0 where there is none."""
    return max(0, _landlock_create(None, 0, 1))


def landlock_create_ruleset(attributes: bytes) -> int:
    return _check(_landlock_create(attributes, len(attributes), 0), "landlock_create_ruleset")


def landlock_add_path(ruleset: int, access: int, path_fd: int) -> None:
    _check(_landlock_add(ruleset, 1, struct.pack("=Qi", access, path_fd), 0), "landlock_add_rule")


def landlock_restrict_self(ruleset: int) -> None:
    _check(_landlock_restrict(ruleset, 0), "landlock_restrict_self")


def seccomp_filter(program: bytes, flags: int) -> int:
    """Install a BPF program of 8-byte instructions in this process; with NEW_LISTENER (8) the answer is its
    descriptor.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    return _check(_seccomp(1, flags, struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))), "seccomp")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)
