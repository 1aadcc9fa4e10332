"""At most so many outbound TCP connections at a time, for an environment's whole tree of processes.

In the child, a seccomp filter puts each connect() of the runtime and of whatever it starts, Node.js included, to the
executor, which holds the filter's listener in its loop and answers for all of them: go on, or EADDRNOTAVAIL. That is
what the kernel itself answers when a machine has no more outbound connections to give ("Cannot assign requested
address"), so clients treat it as a connection that could not be made. What counts is a TCP socket that has connected,
or is doing so, and is still open somewhere in the tree: a closed one makes room, a refused attempt takes none, and
UDP (a look-up of a name) is free.

It is a limit, not a wall: the address is read before the kernel reads it again, and data sent along with the handshake
(TCP fast open) connects without connect(). io_uring, which would go around the filter, is refused.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lambdanb.sandbox import syscalls

REFUSED = errno.EADDRNOTAVAIL

_NEW_LISTENER = 8
_ALLOW, _NOTIFY, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x00050000
_LOAD_WORD, _RETURN, _IF_EQUAL, _IF_AT_LEAST = 0x20, 0x06, 0x15, 0x35
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

_RECEIVE, _SEND, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION_BYTES, _ARGUMENTS_AT = 80, 32
_CONTINUE = 1

_PIDFD_THREAD = os.O_EXCL
_TCP = {socket.IPPROTO_TCP, 262}
"""Protocols that count: TCP, and multipath TCP."""
_TCP_CLOSED, _TCP_LISTEN = 7, 10


def install() -> int:
    """In the child: filter this process and all that it starts. Answers the listener, to be sent to the executor.

    Needs no_new_privs. From here to the executor's first answer, connect() waits. Raises OSError.
    """
    architecture = _ARCHITECTURES.get(syscalls.MACHINE)
    if architecture is None:
        raise OSError(errno.ENOSYS, f"the connection filter isn't known for {syscalls.MACHINE}")
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    program = [
        _instruction(_LOAD_WORD, _AT_ARCHITECTURE),
        _instruction(_IF_EQUAL, architecture, 1, 0),
        refuse,  # 32-bit programs, whose system calls have other numbers
        _instruction(_LOAD_WORD, _AT_NUMBER),
        _instruction(_IF_AT_LEAST, _X32, 4, 0),
        _instruction(_IF_EQUAL, syscalls.NUMBERS["connect"], 2, 0),
        _instruction(_IF_EQUAL, syscalls.NUMBERS["io_uring_setup"], 2, 0),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _NOTIFY),
        refuse,
    ]
    return syscalls.seccomp_filter(b"".join(program), _NEW_LISTENER)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)


@dataclass
class _Place:
    """Where a counted socket was when it connected: the thread, or process, and its descriptor."""

    pid: int
    fd: int


class ConnectionLimit:
    """The executor's side: answers for one environment, and never waits.

    listener: the descriptor from `install`, owned from here on; put it into the loop for reading. limit: connections
    at a time. processes: gives the process numbers of the environment's tree, as the executor sees them; asked only
    when a counted socket has left the process that connected it. count_loopback: whether connections to the machine
    itself count.
    """

    def __init__(
        self,
        listener: int,
        limit: int,
        processes: Callable[[], Iterable[int]],
        *,
        count_loopback: bool = False,
    ) -> None:
        self.listener = listener
        self.limit = limit
        self.refused = 0
        self._processes = processes
        self._count_loopback = count_loopback
        self._open: dict[int, _Place] = {}
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)

    def fileno(self) -> int:
        return self.listener

    def on_readable(self) -> bool:
        """Answer every connect() that waits. False when the last filtered process has gone: then `close`."""
        while True:
            events = self._poll.poll(0)
            if not events:
                return True
            if not events[0][1] & select.POLLIN:  # POLLHUP
                return False
            self._answer()

    def wait(self, timeout_s: float | None = None) -> None:
        """For a caller without a loop of its own: wait until `on_readable` has something to do."""
        self._poll.poll(None if timeout_s is None else timeout_s * 1e3)

    def close(self) -> None:
        """Close the listener. A filtered process that still lives finds its connect() failing with ENOSYS."""
        if self.listener >= 0:
            os.close(self.listener)
            self.listener = -1

    def _answer(self) -> None:
        asked = bytearray(_NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, asked, True)
        except OSError:
            return  # whoever asked has been killed meanwhile (ENOENT)
        identity, pid = struct.unpack_from("QI", asked)
        fd, address, length = struct.unpack_from("3Q", asked, _ARGUMENTS_AT)
        try:
            allowed = self._decide(identity, pid, fd & 0xFFFFFFFF, address, length & 0xFFFFFFFF)
            number = 0 if allowed else REFUSED
        except OSError:
            # Not to be looked at: it has ended, or passed a bad descriptor or address, which the kernel would refuse
            # as well.
            number = errno.EPERM
        if number:
            self.refused += 1
        answer = struct.pack("QqiI", identity, 0, -number, 0 if number else _CONTINUE)
        try:
            fcntl.ioctl(self.listener, _SEND, answer)
        except OSError:
            return

    def _decide(self, identity: int, pid: int, fd: int, address: int, length: int) -> bool:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Only now is it certain that the number still means the process that asked.
            fcntl.ioctl(self.listener, _IS_VALID, struct.pack("Q", identity))
            target = os.pread(memory, min(length, 28), address)
        finally:
            os.close(memory)
        if not _is_outbound(target, self._count_loopback):
            return True
        with _borrowed(pid, fd) as borrowed:
            if borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) not in _TCP:
                return True
            inode = os.fstat(borrowed.fileno()).st_ino
        if inode not in self._open and len(self._open) >= self.limit:
            self._forget_closed()
            if len(self._open) >= self.limit:
                return False
        self._open[inode] = _Place(pid, fd)
        return True

    def _forget_closed(self) -> None:
        """Take off the count what has been closed, or never came about."""
        moved = {}
        for inode, place in list(self._open.items()):
            state = _state(place, inode)
            if state is None:
                moved[inode] = place
            elif state in (_TCP_CLOSED, _TCP_LISTEN) and not _is_running(place.pid):
                del self._open[inode]
        if not moved:
            return
        found = _find(self._processes(), set(moved))
        for inode in moved:
            if inode in found and _state(found[inode], inode) not in (None, _TCP_CLOSED, _TCP_LISTEN):
                self._open[inode] = found[inode]
            else:
                del self._open[inode]


def _is_outbound(target: bytes, count_loopback: bool) -> bool:
    """Whether a sockaddr is an internet address that counts."""
    if len(target) < 8:
        return False
    (family,) = struct.unpack_from("H", target)
    if family == socket.AF_INET:
        local = target[4] == 127
    elif family == socket.AF_INET6:
        host = target[8:24]
        local = host == bytes(15) + b"\1" or (host[:12] == bytes(10) + b"\xff\xff" and host[12:13] == b"\x7f")
    else:
        return False
    return count_loopback or not local


def _borrowed(pid: int, fd: int) -> socket.socket:
    """A copy of another process's socket, to be asked and closed. Raises OSError, also when it is no socket."""
    process = _pidfd(pid)
    try:
        copy = syscalls.pidfd_getfd(process, fd)
    finally:
        os.close(process)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _pidfd(pid: int) -> int:
    """A pidfd of a process, or of the process that a thread belongs to."""
    try:
        return syscalls.pidfd_open(pid)
    except OSError:
        pass
    try:
        return syscalls.pidfd_open(pid, _PIDFD_THREAD)  # Linux 6.9
    except OSError:
        with open(f"/proc/{pid}/status", "rb") as status:
            found = re.search(rb"^Tgid:\t(\d+)", status.read(), re.MULTILINE)
        if found is None:
            raise
        return syscalls.pidfd_open(int(found[1]))


def _state(place: _Place, inode: int) -> int | None:
    """The TCP state of a socket, None if it isn't there any more."""
    try:
        with _borrowed(place.pid, place.fd) as borrowed:
            if os.fstat(borrowed.fileno()).st_ino != inode:
                return None
            return borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return None


def _is_running(thread: int) -> bool:
    """Whether a thread waits for nothing: one that was told to go on may not have got to its connect() yet."""
    try:
        with open(f"/proc/{thread}/syscall", "rb") as now:
            return now.read(7) == b"running"
    except OSError:
        return False


def _find(processes: Iterable[int], inodes: set[int]) -> dict[int, _Place]:
    """Where in a tree sockets are open."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, _Place] = {}
    for pid in processes:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                inode = links.get(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue
            if inode is not None:
                found.setdefault(inode, _Place(pid, int(name)))
        if len(found) == len(inodes):
            break
    return found
