"""The id of an executor: `<pid>-<start time>-<PID namespace>`, which tells for good whether it lives."""

from __future__ import annotations

import os

from lambdanb.sandbox import tree


def own_id() -> str:
    """This process's id, such as `4711-123456-4026531836`."""
    return f"{os.getpid()}-{tree.start_time(os.getpid()) or 0}-{_namespace()}"


def is_dead(executor_id: str) -> bool:
    """Whether this is an executor's id, of our PID namespace, and its process has ended. False when in doubt."""
    words = executor_id.split("-")
    if len(words) != 3 or not all(word.isdigit() for word in words) or int(words[2]) != _namespace():
        return False
    return not tree.is_alive(int(words[0]), int(words[1]))


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
