"""The memory limit, by the cgroup or by the watchdog's polling, whichever this machine (or LAMBDANB_WITHOUT) leaves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from sandbox_rig import CAPABILITIES, Ended, Rig, running_rig

pytestmark = pytest.mark.limits
MIB = 1 << 20

TOO_MUCH = {
    "the handler's heap": "block = b'x' * (400 << 20)",
    "page by page": "import mmap\nm = mmap.mmap(-1, 400 << 20)\nfor i in range(0, 400 << 20, 4096): m[i] = 1",
    "two children of 90 MB": """
import os, signal
for _ in range(2):
    if os.fork() == 0:
        block = b'x' * (90 << 20)
        signal.pause()
signal.pause()
""",
    "shared anonymous memory of a child": """
import mmap, os
shared = mmap.mmap(-1, 400 << 20, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
if os.fork() == 0:
    for i in range(0, 400 << 20, 4096): shared[i] = 1
    os._exit(0)
os.wait()
while True: pass
""",
}
FILE_IN_SHM = """
import os, signal
with open('/dev/shm/lambdanb-test', 'wb') as file:
    for _ in range(400): file.write(b'x' * (1 << 20))
signal.pause()
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running_rig() as one:
        yield one


def test_too_much_ends_the_tree_and_the_next_runtime_is_well(rig: Rig) -> None:
    environment = rig.environment(memory_mb=128)
    cases = dict(TOO_MUCH)
    if CAPABILITIES.namespaces:  # else /dev/shm is the machine's, and nobody could say whose file it is
        cases["a file in /dev/shm"] = FILE_IN_SHM
    for name, source in cases.items():
        assert not environment.sandbox.out_of_memory, name
        with pytest.raises(Ended) as ended:
            environment.run(source)
            pytest.fail(f"{name}: it wasn't ended")
        assert os.WTERMSIG(ended.value.args[0]) == 9, name
        assert environment.sandbox.out_of_memory, name
        peak, _ = environment.sandbox.usage()
        assert 120 * MIB < peak < 250 * MIB, (name, peak)
        environment.restart()
        assert environment.run("result = 'well'")["result"] == "well"


def test_what_fits_passes_and_is_measured(rig: Rig) -> None:
    environment = rig.environment(memory_mb=128)
    before = environment.run("result = 1")["memory_bytes"]
    assert before < 40 * MIB
    answer = environment.run("block = b'x' * (80 << 20); del block")
    assert answer["memory_bytes"] == pytest.approx(answer["max_rss_bytes"], rel=0.1)
    assert not environment.sandbox.out_of_memory


def test_two_children_are_measured_together(rig: Rig) -> None:
    environment = rig.environment(memory_mb=256)
    alone = environment.run("result = 1")["memory_bytes"]
    # The children hold their memory until the watchdog, which looks every 10 ms and exactly every 50, must have seen
    # it.
    answer = environment.run("""
import os, time
reader, writer = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        block = b'x' * (60 << 20)
        os.write(writer, b'1')
        time.sleep(0.5)
        os._exit(0)
os.wait(), os.wait()
""")
    assert answer["memory_bytes"] == pytest.approx(alone + 120 * MIB, rel=0.1)


def test_tmp_is_not_memory(rig: Rig) -> None:
    environment = rig.environment(memory_mb=128, tmp_mb=512)
    write = """
with open(tmp + '/big', 'wb') as file:
    for _ in range(400): file.write(b'x' * (1 << 20))
import os
result = os.path.getsize(tmp + '/big')
"""
    answer = environment.run(write)
    assert answer["result"] == 400 * MIB
    assert answer["memory_bytes"] < 60 * MIB
    # The memory limit is as tight as ever beside a full /tmp, and /tmp survives the end.
    with pytest.raises(Ended):
        environment.run(TOO_MUCH["page by page"])
    assert environment.sandbox.out_of_memory
    assert environment.sandbox.usage()[0] < 250 * MIB
    environment.restart()
    assert environment.run("import os; result = os.path.getsize(tmp + '/big')")["result"] == 400 * MIB
    assert environment.run("os.unlink(tmp + '/big'); block = b'x' * (80 << 20)")["memory_bytes"] < 250 * MIB


def test_page_cache_is_not_memory(rig: Rig) -> None:
    with tempfile.NamedTemporaryFile(dir=rig.task_dir) as file:
        os.chmod(file.name, 0o644)
        file.truncate(300 * MIB)  # a sparse file has no blocks on disk, but pages in the cache once it is read
        environment = rig.environment(memory_mb=128)
        answer = environment.run(f"""
import os
result = 0
with open(os.getcwd() + '/{os.path.basename(file.name)}', 'rb', buffering=0) as file:
    while part := file.read(1 << 20): result += len(part)
""")
    assert answer["result"] == 300 * MIB
    assert answer["memory_bytes"] < 60 * MIB


def test_what_was_used_is_known_when_all_is_gone(rig: Rig) -> None:
    environment = rig.environment(memory_mb=512)
    environment.send("x = b'x' * (60 << 20); result = 1")
    environment.stream.readline()
    sandbox = environment.sandbox
    sandbox.destroy()
    memory_bytes, cpu_ns = sandbox.usage()
    assert memory_bytes >= sandbox.shared_bytes + ((60 << 20) if CAPABILITIES.cgroup else 0) > 0
    assert cpu_ns >= 0


@pytest.mark.parametrize("memory_mb", [128, 512])
def test_the_kernel_s_part_of_many_processes_is_not_the_function_s(rig: Rig, memory_mb: int) -> None:
    """Stacks and page tables: 0.2 MB a process, which the group is charged beside what the processes hold."""
    environment = rig.environment(memory_mb=memory_mb)
    many = "import os, signal\nfor _ in range(100):\n    if os.fork() == 0: signal.pause()\nresult = 1"
    told = environment.run(many)["memory_bytes"]
    group = environment.sandbox._group
    if group is None or not environment.sandbox._memory_by_group:
        pytest.skip("no memory cgroup: what the processes hold is all that is looked at")
    held = group.memory_now().held + environment.sandbox.shared_bytes
    assert 0.9 * held < told < 1.1 * held
    assert told <= memory_mb << 20
