"""Who shares an executor and how it is lost: processes, threads, forks, homes, interrupts, its death."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import multiprocess
import pytest
from homes import executor_pid, hang_up, wait_for_end

import lambdanb
from lambdanb.client.connection import Executor

ECHO = "def lambda_handler(event, context): return event\n"
SLOW = """
import time
def lambda_handler(event, context):
    if event == "slow": time.sleep(0.3)
    return event
"""


def test_an_interrupt_while_a_large_event_is_sent(shared_home: Path) -> None:
    """Half a request is on its way: the next ones need a connection of their own, and none waits for ever."""
    function = lambdanb.deploy("echo", ECHO, memory=512, timeout=30)
    large = "x" * 5_000_000
    pending: list[Future[Any]] = []

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for delay_ms in range(1, 40, 3):
            signal.setitimer(signal.ITIMER_REAL, delay_ms / 1000)
            try:
                pending += [function.submit(large) for _ in range(20)]
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert function.submit(1).result(20) == 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not wait(pending, 60).not_done


def test_a_function_can_be_pickled(echo: lambdanb.Function) -> None:
    again = pickle.loads(pickle.dumps(echo))
    assert (again.name, again.qualifier, again._executor) == (echo.name, echo.qualifier, echo._executor)
    assert again("same") == "same"


def test_the_call_after_a_lost_future_finds_another_executor(shared_home: Path) -> None:
    function = lambdanb.deploy("slow", SLOW, timeout=20)
    for _ in range(5):
        assert function(0) == 0
        futures = [function.submit("slow") for _ in range(4)]
        pid = executor_pid(shared_home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        for future in futures:
            with pytest.raises(lambdanb.ExecutorLost):
                future.result(20)


def test_a_relative_module_path_means_the_client_s_folder(tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "mine.py").write_text("VALUE = 7\n")
    program = (
        "import lambdanb\n"
        "function = lambdanb.deploy('m', 'import mine\\ndef lambda_handler(event, context): return mine.VALUE\\n')\n"
        "print(function())\n"
    )
    variables = {**os.environ, "PYTHONPATH": "..", "LAMBDANB_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "beside", env=variables, capture_output=True, text=True
    )
    assert done.stdout == "7\n", done.stderr
    wait_for_end(executor_pid(tmp_path / "home"))


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_a_home_that_can_t_be_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" if kind == "a file" else tmp_path / "file" / "home"
    monkeypatch.setenv("LAMBDANB_HOME", str(home))
    with pytest.raises(lambdanb.ExecutorLost, match=r"can't be lambdanb's home \(LAMBDANB_HOME chooses another\)"):
        lambdanb.functions()


def test_two_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = []
    homes = [tmp_path / "one", tmp_path / "two"]
    for folder in homes:
        monkeypatch.setenv("LAMBDANB_HOME", str(folder))
        functions.append(lambdanb.deploy("same", f"def lambda_handler(event, context): return {folder.name!r}\n"))
    assert [function() for function in functions] == ["one", "two"]
    monkeypatch.setenv("LAMBDANB_HOME", str(homes[0]))
    assert lambdanb.get("same")() == "one"
    assert executor_pid(homes[0]) != executor_pid(homes[1])
    for folder in homes:
        hang_up(folder)


def test_a_new_process_sees_the_functions(home: Path) -> None:
    """A restarted kernel: the functions, their versions and records are there."""
    lambdanb.deploy("stays", ECHO).publish()
    lambdanb.get("stays")(1)
    hang_up(home)
    script = "import lambdanb; f = lambdanb.get('stays', '1'); print(f('still'), len(lambdanb.get('stays').records()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "still 2\n", done.stderr
    wait_for_end(executor_pid(home))


def test_after_a_fork(echo: lambdanb.Function) -> None:
    """The child has connections of its own; parent and child never get each other's answers."""
    pending = echo.submit("parent's")
    assert echo("before") == "before"
    pid = os.fork()
    if pid == 0:
        good = all(echo(f"child {number}") == f"child {number}" for number in range(50))
        good = good and echo.submit("child's").result(10) == "child's"
        os._exit(0 if good else 1)
    assert all(echo(number) == number for number in range(50))
    assert pending.result(10) == "parent's"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert echo.submit("after").result(10) == "after"


def test_a_forked_child_doesn_t_keep_the_executor_alive(home: Path) -> None:
    function = lambdanb.deploy("echo", ECHO)
    assert function(1) == function.submit(1).result(10)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent has seen the executor's end
        os._exit(0)
    os.close(reader)
    try:
        hang_up(home)
    finally:
        os.close(writer)
        os.waitpid(pid, 0)


def call_it(number: int) -> int:
    result: int = lambdanb.get("echo")(number)
    return result


def test_in_a_multiprocess_pool(echo: lambdanb.Function) -> None:
    for method in ("fork", "spawn"):
        with multiprocess.get_context(method).Pool(2) as pool:
            assert pool.map(call_it, range(20)) == list(range(20))
            pool.close()
            pool.join()


def test_threads(echo: lambdanb.Function) -> None:
    """Many threads, by both ways, at once: everybody gets their own answer."""
    wrong: list[Any] = []

    def call(thread: int) -> None:
        for number in range(50):
            event = [thread, number]
            got = echo(event) if number % 2 else echo.submit(event).result(30)
            if got != event:
                wrong.append((event, got))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_closing_fails_what_is_pending(home: Path) -> None:
    function = lambdanb.deploy("picky", "import time\ndef lambda_handler(event, context): time.sleep(20)\n", timeout=30)
    pending = [function.submit(number) for number in range(3)]
    Executor.of().close()
    done, _ = wait(pending, 10)
    assert len(done) == 3
    assert all(isinstance(future.exception(), lambdanb.ExecutorLost) for future in pending)
