"""A bare zygote for the tests of the sandbox: real inits and runtimes (lambdanb.sandbox.child), and a runtime that
executes whatever source it is sent. Started by sandbox_rig.py with its control socket's descriptor as the
argument."""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback

from lambdanb.model import control
from lambdanb.sandbox import child as sandbox_child
from lambdanb.sandbox import tree


def zygote(ctl):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while (asked := control.receive(ctl)) is not None:
        child, fds = asked.message["child"], asked.descriptors
        if sandbox_child.fork_init(child) == 0:
            ctl.close()
            try:
                init(child, fds)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        for fd in fds:
            os.close(fd)


def init(child, fds):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # subreaper, for where there is no PID namespace
    ctl = socket.socket(fileno=fds[0])
    sandbox_child.enter_ahead(child)
    sandbox_child.enter_init(child)
    control.send(ctl, {"event": "init"})
    data, *limits = fds[1:]
    while True:
        pid = os.fork()
        if pid == 0:
            try:
                runtime(child, ctl, data, limits)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        for fd in (data, *limits):
            os.close(fd)
        status = None
        while status is None:
            done, how = os.waitpid(-1, 0)
            status = how if done == pid else None
        if os.getpid() == 1:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
        else:
            tree.end_descendants(os.getpid())
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass
        for name in os.listdir("/dev/shm") if os.getpid() == 1 else ():  # memory of the dead runtime, as its heap was
            os.unlink(f"/dev/shm/{name}")
        control.send(ctl, {"event": "ended", "status": status})
        asked = control.receive(ctl)
        if asked is None:
            os._exit(0)
        data, *limits = asked.descriptors


def runtime(child, ctl, data, limits):
    listener = sandbox_child.enter_runtime(child, limits)
    for fd in limits:
        os.close(fd)
    with open("/proc/self/statm") as statm:
        rss_kb = int(statm.read().split()[1]) * 4
    control.send(ctl, {"event": "runtime", "rss_kb": rss_kb}, [] if listener is None else [listener])
    ctl.close()
    sock = socket.socket(fileno=data)
    stream = sock.makefile("rw")
    tmp = sandbox_child.tmp_root(child)
    for line in stream:
        names = {"tmp": tmp, "result": None}
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            exec(json.loads(line), names)
            answer = {"result": names["result"]}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answer["wall_s"], answer["cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
        answer["max_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


if __name__ == "__main__":
    zygote(socket.socket(fileno=int(sys.argv[1])))
