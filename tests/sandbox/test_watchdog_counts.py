"""What the watchdog counts where the kernel doesn't: processes and threads, and a /tmp that is a plain folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_rig import CAPABILITIES, Ended, Rig, running_rig

from lambdanb.sandbox.tmp_quota import folder_bytes, mounted_bytes

pytestmark = pytest.mark.limits
MANY = """
import signal, threading
stop = threading.Event()
result = 0
try:
    for _ in range(100):
        threading.Thread(target=stop.wait, daemon=True).start()
        result += 1
except RuntimeError: stop.set()
else: signal.pause()
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running_rig() as one:
        yield one


def test_too_many_threads_are_refused_or_end_it(rig: Rig) -> None:
    environment = rig.environment(processes=50)
    assert environment.run("result = 1")["result"] == 1
    by_kernel = CAPABILITIES.cgroup is not None or (CAPABILITIES.namespaces and CAPABILITIES.uid != 0)
    if by_kernel:
        assert 45 <= environment.run(MANY)["result"] <= 50
    else:
        with pytest.raises(Ended):
            environment.run(MANY)
        assert not environment.sandbox.out_of_memory
        environment.restart()
        assert environment.run("result = 2")["result"] == 2


def test_too_much_in_tmp_is_refused_or_ends_it(rig: Rig) -> None:
    environment = rig.environment(tmp_mb=16)
    write = """
for number in range(8):  # none of them too big for itself
    with open(tmp + f'/big{number}', 'wb') as file: file.write(b'x' * (8 << 20))
import signal
signal.pause()
"""
    clear = "import os, glob; [os.unlink(name) for name in glob.glob(tmp + '/big*')]"
    if CAPABILITIES.namespaces:
        assert environment.run(write)["error"] == "OSError: [Errno 28] No space left on device"
        return
    with pytest.raises(Ended):
        environment.run(write)
    assert not environment.sandbox.out_of_memory
    # The next runtime finds the folder too full, may clear it, and is held to the limit again from then on.
    environment.restart()
    environment.run(clear)
    deadline = time.monotonic() + 30
    while True:  # until the watchdog has seen the folder below its size
        try:
            environment.run("import time; time.sleep(0.2)")
            environment.run(write.replace("signal.pause()", "import time\ntime.sleep(0.2)"))
            environment.run(clear)
        except Ended:
            break
        assert time.monotonic() < deadline


def test_a_folder_is_measured_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/usr")
    (tmp_path / "loop").symlink_to(".")
    os.truncate(tmp_path / "in" / "file", 50_000_000)  # a hole takes no room
    assert 100_000 <= folder_bytes(str(tmp_path), 1 << 30) < 300_000
    assert folder_bytes(str(tmp_path / "gone"), 1 << 30) == 0


def test_what_is_mounted_is_unknown_once_its_processes_are_gone() -> None:
    assert mounted_bytes(0) is None
    assert mounted_bytes(0, os.getpid()) is not None
