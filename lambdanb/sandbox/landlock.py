"""Files by allow-list without namespaces: Landlock, the kernel's sandbox that any process may put itself into.

It serves where containers or AppArmor refuse mounts. What is not on the list can't be opened; processes outside can't
be traced and their environ not read; from ABI 6 (Linux 6.12) signals to processes outside and abstract sockets are
refused as well. There is no private /tmp in it: the environment gets a folder of its own, named by TMPDIR.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from lambdanb.sandbox import syscalls

SCOPING_ABI = 6

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READ = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2


def restrict(abi: int, readable: Iterable[str], writable: Iterable[str]) -> None:
    """Allow this process and all of its children these paths and what is below them, and nothing else, for good.

    Paths that don't exist are passed over. Needs no_new_privs. Raises OSError.
    """
    handled = (1 << 13) - 1  # ABI 1: everything from EXECUTE to MAKE_SYM
    if abi >= 2:
        handled |= _REFER
    if abi >= 3:
        handled |= _TRUNCATE
    scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if abi >= SCOPING_ABI else 0
    ruleset = _ruleset(abi, handled, scoped)
    try:
        for paths, access in ((readable, _READ), (writable, handled)):
            for path in paths:
                _allow(ruleset, path, access)
        syscalls.landlock_restrict_self(ruleset)
    finally:
        os.close(ruleset)


def scope_abstract_sockets(abi: int) -> None:
    """Refuse abstract unix sockets of processes outside, which mount namespaces don't hide. Nothing before ABI 6."""
    if abi < SCOPING_ABI:
        return
    ruleset = _ruleset(abi, 0, _SCOPE_ABSTRACT_SOCKETS)
    try:
        syscalls.landlock_restrict_self(ruleset)
    finally:
        os.close(ruleset)


def _ruleset(abi: int, files: int, scoped: int) -> int:
    # struct landlock_ruleset_attr has grown: file access, then network (ABI 4), then scopes (ABI 6).
    attributes = struct.pack("3Q", files, 0, scoped) if abi >= SCOPING_ABI else struct.pack("Q", files)
    return syscalls.landlock_create_ruleset(attributes)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            access &= _OF_FILES
        syscalls.landlock_add_path(ruleset, access, descriptor)
    finally:
        os.close(descriptor)
