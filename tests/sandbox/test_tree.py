"""Trees of processes: found whole, ended whole."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lambdanb.sandbox import identity, tree

# A subreaper with children, grandchildren, a child of a second thread and daemons; it tells their pids, then holds
# its peace.
FAMILY = """
import ctypes, os, signal, threading
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
reader, writer = os.pipe()
def tell():
    os.write(writer, b"%d\\n" % os.getpid())
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell()
    while True: signal.pause()
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: stay()
        os._exit(0)
    os.wait()
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0: stay()
        stay()
def from_thread():
    if os.fork() == 0: stay()
    threading.Event().wait()
threading.Thread(target=from_thread, daemon=True).start()
for _ in range(3): daemon()
while (got := locals().get("got", b"") + os.read(reader, 4096)).count(b"\\n") < 14: pass
print(got.decode().replace("\\n", " "), flush=True)
signal.pause()
"""


@pytest.fixture
def family() -> Iterator[tuple[int, set[int]]]:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True) as root:
        assert root.stdout is not None
        yield root.pid, {int(word) for word in root.stdout.readline().split()}
        tree.end_descendants(root.pid)
        root.kill()


def test_descendants_are_all_of_them(family: tuple[int, set[int]]) -> None:
    root, members = family
    assert len(members) == 14
    assert members <= set(tree.descendants(root))
    assert root not in tree.descendants(root)


def test_the_scan_of_proc_finds_the_same(family: tuple[int, set[int]]) -> None:
    root, _ = family
    assert sorted(tree._children_by_scan(root)) == sorted(tree.children(root))


# 1,500 children, more than the kernel lists in one page, which end with this process.
CROWD = """
import ctypes, os, signal
made = 0
for _ in range(1500):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        signal.pause()
    made += 1
print(made, flush=True)
signal.pause()
"""


def test_a_crowd_is_found_and_ended_whole() -> None:
    with subprocess.Popen([sys.executable, "-c", CROWD], stdout=subprocess.PIPE, text=True) as root:
        assert root.stdout is not None
        try:
            made = int(root.stdout.readline())
            found = tree.children(root.pid)
            assert len(set(found)) == len(found) == made
            assert tree.end_descendants(root.pid, timeout_s=30)
            assert not [pid for pid in found if tree.is_alive(pid)]
        finally:
            root.kill()


def test_all_end_but_the_root(family: tuple[int, set[int]]) -> None:
    root, members = family
    started = time.perf_counter()
    assert tree.end_descendants(root)
    taken_s = time.perf_counter() - started
    assert not [pid for pid in members if tree.is_alive(pid)]
    assert tree.is_alive(root)
    assert taken_s < 0.5


def test_a_stopped_tree_ends_too(family: tuple[int, set[int]]) -> None:
    root, members = family
    tree.send_signal(members, 19)
    assert tree.end_descendants(root)
    assert not [pid for pid in members if tree.is_alive(pid)]


def test_a_pid_is_the_same_process_only_with_its_start_time() -> None:
    pid = os.getpid()
    started = tree.start_time(pid)
    assert started is not None
    assert tree.is_alive(pid, started)
    assert not tree.is_alive(pid, started + 1)
    assert tree.thread_count(pid) >= 1


def test_the_dead_are_told_from_the_living() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = tree.start_time(process.pid)
        assert tree.is_alive(process.pid, started)
        handle = os.pidfd_open(process.pid)
        process.kill()
        select.select([handle], [], [])
        os.close(handle)
        assert not tree.is_alive(process.pid, started), "a zombie isn't alive"
    assert tree.start_time(process.pid) is None
    assert not tree.is_alive(process.pid)
    assert tree.thread_count(process.pid) == 0
    assert tree.descendants(process.pid) == []


def test_an_executor_id_tells_whether_it_lives() -> None:
    own = identity.own_id()
    pid, started, namespace = own.split("-")
    assert not identity.is_dead(own)
    assert identity.is_dead(f"{pid}-{int(started) + 1}-{namespace}")
    elsewhere = int(namespace) + 1  # in another PID namespace: can't be judged from here
    assert not identity.is_dead(f"{pid}-{int(started) + 1}-{elsewhere}")
    for strange in ("", "x", "1-2", "a-b-c", "environment-1"):
        assert not identity.is_dead(strange)
