"""Init: the first process of an execution environment. It holds the environment's namespaces and its /tmp, starts the
runtime process, and outlives it: after a crash or a timeout it ends everything else in the environment and starts a
fresh runtime, so that the next invocation finds a new module and the old /tmp, as on AWS.

It is a fork of the zygote and stays outside of the environment's memory and CPU limits, so that it can always act. It
begins as nobody's: it builds what is the same for all functions, forks a runtime process that waits, and waits itself
to be assigned to an environment. Over its control socket it says {"event": "init"} when it is that far, the runtime
says {"event": "runtime", "rss_kb"} for itself (the kernel tells the executor who spoke, in the executor's own process
numbers), and when the runtime has ended and all that it left is gone, init says {"event": "ended", "status": wait
status}. The executor says

    {"op": "assign", "child", "start"}  with [data socket, log pipe] and the sandbox's descriptors, once
    {"op": "start"}                     with the same                         start a fresh runtime
    {"op": "end"}                                                             end everything but init

and when it closes the socket, or dies, init ends everything, itself too.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from lambdanb.model import control
from lambdanb.runtime import bootstrap, rehearsal, snapshot
from lambdanb.runtime.measure import resident_kb
from lambdanb.runtime.snapshot import Snapshot
from lambdanb.sandbox import child as sandbox
from lambdanb.sandbox import syscalls, tree


def run(parent: socket.socket, message: dict[str, Any], descriptor: int, initialised: Snapshot | None) -> NoReturn:
    """Become an init, of the control socket `descriptor`. `parent` is the zygote's own, which has no place here."""
    parent.close()
    child, rehearse = message["child"], message["rehearse"]
    sock = socket.socket(fileno=descriptor)
    try:
        sandbox.enter_ahead(child)
        # Without a PID namespace this keeps what the function daemonises below init, where `_end_all` finds it.
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        init = _Init(sock, child, initialised)
        init.fork_runtime(rehearse=rehearse)
    except OSError as error:
        _fail(sock, f"could not build the sandbox: {error}")
    try:
        control.send(sock, {"event": "init"})
        if rehearse:
            rehearsal.rehearse_init()
        init.run()
    except OSError:
        os._exit(0)


class _Init:
    def __init__(self, sock: socket.socket, child: dict[str, Any], initialised: Snapshot | None) -> None:
        self.control = sock
        self.child = child
        self.own: dict[str, Any] = {}
        self.start: dict[str, Any] = {}
        self.initialised = initialised
        self.runtime: int | None = None
        self.waiting: socket.socket | None = None
        self.children, wakeup = socket.socketpair()
        for end in (self.children, wakeup):
            end.setblocking(False)
        self.wakeup = wakeup
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)

    def run(self) -> NoReturn:
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.children, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self.children.fileno() in ready:
                self.reap()
            if self.control.fileno() in ready:
                asked = control.receive(self.control)
                if asked is None:
                    _end_all()
                    os._exit(0)
                op = asked.message["op"]
                if op == "assign":
                    self.assign(asked.message)
                    self.hand_over(asked.descriptors)
                elif op == "start":
                    self.empty_shared_memory()
                    self.fork_runtime(rehearse=False)
                    self.hand_over(asked.descriptors)
                else:
                    self.end()

    def fork_runtime(self, *, rehearse: bool) -> None:
        """Fork a runtime process, which waits until it is handed what to run."""
        ours, theirs = control.pair()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self.children, self.wakeup, ours):
                end.close()
            if self.initialised is None:
                # A template's fork has the streams and the logging that the function's init left.
                _open_streams()
                bootstrap.set_up_logging()
            if rehearse:
                rehearsal.rehearse(self.initialised)
            _runtime(self.control, theirs, self.child, self.initialised)
        theirs.close()
        self.runtime, self.waiting = pid, ours

    def assign(self, message: dict[str, Any]) -> None:
        """Become the init of one environment."""
        self.own, self.start = message["child"], message["start"]
        try:
            sandbox.enter_init(self.child | self.own)
        except OSError as error:
            _fail(self.control, f"could not build the sandbox: {error}")

    def hand_over(self, descriptors: list[int]) -> None:
        """Let the waiting runtime run."""
        assert self.waiting is not None
        control.send(self.waiting, {"child": self.own, "start": self.start}, descriptors)
        self.waiting.close()
        self.waiting = None
        if self.initialised is not None:
            self.initialised.close()
        for descriptor in descriptors:
            os.close(descriptor)

    def empty_shared_memory(self) -> None:
        """What the runtime before left in /dev/shm would count against the memory of the next; it isn't /tmp."""
        if not self.child["namespaces"]:
            return  # then /dev/shm is the machine's
        for entry in os.scandir("/dev/shm"):
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)

    def reap(self) -> None:
        """Collect the dead. What is orphaned in here becomes init's child, so that nothing is missed."""
        with contextlib.suppress(BlockingIOError):
            self.children.recv(4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.runtime:
                if not self.start:
                    os._exit(1)  # it never ran anything: another spare takes this one's place
                self.runtime = None
                _end_all()
                with contextlib.suppress(ChildProcessError):
                    while True:
                        os.waitpid(-1, 0)
                control.send(self.control, {"event": "ended", "status": status})

    def end(self) -> None:
        """End everything else; with the runtime's death collected, the executor is told by `reap`."""
        if self.runtime is not None:
            _end_all()


def _runtime(sock: socket.socket, init: socket.socket, child: dict[str, Any], initialised: Snapshot | None) -> NoReturn:
    """The runtime process: once it is told what for, standard streams, limits, then the function."""
    asked = control.receive(init)
    if asked is None:
        os._exit(0)
    init.close()
    child, start = child | asked.message["child"], asked.message["start"]
    data_fd, log_fd, *limits = asked.descriptors
    try:
        listener = sandbox.enter_runtime(child, limits, None if initialised is None else initialised.tmp_fd)
        if initialised is not None:
            initialised.close()
        for descriptor in limits:
            os.close(descriptor)
        _standard_streams(log_fd)
        announce = {"event": "runtime", "rss_kb": resident_kb()}
        control.send(sock, announce, [] if listener is None else [listener])
        if listener is not None:
            os.close(listener)
    except OSError as error:
        _fail(sock, f"could not enter the sandbox: {error}")
    sock.close()
    _environment(child, start, initialised)
    data = socket.socket(fileno=data_fd)
    if start["template"]:
        _template(data, start, sandbox.tmp_root(child))
    if initialised is None:
        sys.path.insert(0, os.getcwd())
        bootstrap.run(data, start)
    bootstrap.say(data, b'{"init":true}', b"")
    bootstrap.serve(data, start, initialised.handler)


def _fail(sock: socket.socket, why: str) -> NoReturn:
    """Tell the executor, and end."""
    with contextlib.suppress(OSError):
        control.send(sock, {"event": "failed", "error": why})
    os._exit(1)


def _standard_streams(log_fd: int) -> None:
    """Output of the function and of all its children goes into the environment's log pipe; input is empty."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(null)
    os.close(log_fd)


def _open_streams() -> None:
    """Python's own streams over what will be them: whole lines at once, and no text that can't be written."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = open(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _environment(child: dict[str, Any], start: dict[str, Any], initialised: Snapshot | None) -> None:
    """Lambda's variables and the code's folder, and what init did to them if that has run; the random generators of
    preloaded modules start anew.
    """
    root = sandbox.task_root(child)
    os.environ.clear()
    os.environ.update(start["environ"])
    os.environ["LAMBDA_TASK_ROOT"] = root
    tmp = sandbox.tmp_root(child)
    if tmp != "/tmp":
        os.environ["TMPDIR"] = tmp
    if initialised is not None:
        initialised.change_environ()
    time.tzset()
    os.chdir(root)
    if initialised is not None and (cwd := initialised.cwd_in(tmp)) is not None:
        with contextlib.suppress(OSError):  # the runtime before may have removed it
            os.chdir(cwd)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    import tempfile

    tempfile.tempdir = None


def _template(data: socket.socket, start: dict[str, Any], tmp_root: str) -> NoReturn:
    """SnapStart: initialise once, then fork environments from here, like a zygote that already ran init.

    A snapshot can't carry threads, connections or other processes, so an init that leaves some behind is refused.
    """
    from lambdanb.runtime import zygote

    sys.path.insert(0, os.getcwd())
    environ = dict(os.environ)
    handler, failure = bootstrap.initialise(start)
    initialised = None if handler is None else snapshot.take(handler, environ, tmp_root)
    threads = len(os.listdir("/proc/self/task"))
    # Those that daemonised are init's.
    children = len({*tree.children(os.getpid()), *tree.children(os.getppid())} - {os.getpid()})
    answer = {"ready": handler is not None, "threads": threads, "children": children, "rss_kb": resident_kb()}
    control.send(data, answer | {"failure": failure.decode(), "sockets": _open_sockets() - 1})
    if initialised is None:
        os._exit(1)
    zygote.serve(data, initialised)


def _open_sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return count


def _end_all() -> None:
    """Kill everything in the environment but init: exact and at once as PID 1 of a namespace, else by the tree."""
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    else:
        tree.end_descendants(os.getpid())
