"""A zygote for the sandbox's tests: forks one environment and runs code in its runtime process, which prints what it
saw.

Run as a process of its own, because a zygote moves into namespaces for good:

    python zygote_of_tests.py '{"child": {...}, "code": "..."}'  [descriptor to send the filter's listener over]

The exit status is the runtime's.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from lambdanb.sandbox import child as sandbox
from lambdanb.sandbox import syscalls


def runtime(child: dict[str, Any], code: str, channel: socket.socket | None) -> NoReturn:
    listener = sandbox.enter_runtime(child, [])
    if listener is not None:
        assert channel is not None
        socket.send_fds(channel, [b"."], [listener])
        os.close(listener)
    if channel is not None:
        channel.close()
    os.environ["TMPDIR"] = sandbox.tmp_root(child)
    status = 0
    try:
        exec(code, {"child": child, "sandbox": sandbox, "environment": environment})
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def environment(child: dict[str, Any], code: str, channel: socket.socket | None = None) -> int:
    """Fork an environment that runs `code`, and answer its exit status when it has ended. Templates call it as well."""
    sys.stdout.flush()
    pid = sandbox.fork_init(child)
    if pid == 0:
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # a test that ends early leaves nothing behind
            sandbox.enter_ahead(child)
            sandbox.enter_init(child)
            pid = os.fork()
            if pid == 0:
                runtime(child, code, channel)
            if channel is not None:
                channel.close()
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except BaseException:
            traceback.print_exc()
            status = 99
        os._exit(status if status >= 0 else 128 - status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    over = socket.socket(fileno=int(sys.argv[2])) if len(sys.argv) > 2 else None
    os._exit(environment(asked["child"], asked["code"], over))
