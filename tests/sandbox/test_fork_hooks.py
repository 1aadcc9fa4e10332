"""The fork into namespaces is a whole fork for Python: threads, random generators, collector and at-fork functions
work.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.limits

# Run in a zygote of its own: `environment` is zygote_of_tests's, which forks twice, by fork_with and by os.fork.
CODE = """
import gc, json, os, queue, random, sys, threading
from lambdanb.sandbox import namespaces, syscalls

def state():
    answers = queue.Queue()
    threads = [threading.Thread(target=lambda: answers.put(threading.get_native_id())) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
    gc.collect()
    import colorsys
    own = threading.main_thread()
    return {"threads": answers.qsize(), "main": own is threading.current_thread(), "random": random.random(),
            "active": threading.active_count(),
            "hooks": list(hooks)}
"""
MAIN = """
hooks = []
os.register_at_fork(before=lambda: hooks.append("before"), after_in_parent=lambda: hooks.append("parent"),
                    after_in_child=lambda: hooks.append("child"))
random.seed(1)
reading, writing = os.pipe()
namespaces.prepare(child)
answers = []
for _ in range(3):
    hooks.clear()
    pid = namespaces.fork()
    if pid == 0:
        os.write(writing, json.dumps(state()).encode())
        os._exit(0)
    answers.append([json.loads(os.read(reading, 4096)), list(hooks)])
    assert os.waitpid(pid, 0)[1] == 0
print(json.dumps(answers + [state()["threads"]]))
"""


def test_python_is_whole_after_the_fork(capable, sandboxed) -> None:
    child = sandboxed.instructions(capable(needs="namespaces"), template=True)
    # A template may fork into namespaces; its own runtime process is the zygote of this test.
    *answers, threads = sandboxed.run(child, CODE + MAIN)
    assert threads == 4
    for inside, hooks in answers:
        assert inside["threads"] == 4
        assert inside["main"]
        assert inside["active"] == 1
        assert inside["hooks"] == ["before", "child"]
        assert hooks == ["before", "parent"]
    assert len({inside["random"] for inside, _ in answers}) == 3
