"""In a real kernel: Ctrl-C, a notebook that isn't blocked, and what a saved notebook holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from lambdanb.client.connection import Executor
from lambdanb.model.wire import Request

DEADLINE_S = 60

WAIT = """\
%%lambda wait --timeout 30
import time
def lambda_handler(event, context):
    print("waiting", flush=True)
    time.sleep(event)
    return "waited"
"""


class Kernel:
    """A kernel, and what its cells send."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def start(self, cell: str) -> str:
        """Send a cell; its message id."""
        message: str = self.client.execute(cell)
        return message

    def finish(self, message: str) -> dict[str, Any]:
        """Wait for the cell's end: its reply."""
        while True:
            reply = self.client.get_shell_msg(timeout=DEADLINE_S)
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"])

    def outputs(self, message: str, enough: Callable[[list[Any]], bool] = lambda _: False) -> list[Any]:
        """What the cell showed, until it ended or that is enough."""
        found: list[Any] = []
        while True:
            heard = self.client.get_iopub_msg(timeout=DEADLINE_S)
            if heard["parent_header"].get("msg_id") != message:
                continue
            if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                return found
            if heard["msg_type"] in ("stream", "execute_result", "display_data", "error"):
                found.append(heard["content"])
                if enough(found):
                    return found

    def run(self, cell: str) -> list[Any]:
        """Run a cell that must succeed: what it showed."""
        message = self.start(cell)
        reply = self.finish(message)
        assert reply["status"] == "ok", reply
        return self.outputs(message)


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    """A kernel with the extension loaded, in a home of its own."""
    manager, client = start_new_kernel(startup_timeout=DEADLINE_S)
    try:
        kernel = Kernel(manager, client)
        kernel.run("%load_ext lambdanb")
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def until_busy(home: Path, count: int = 1) -> None:
    """Wait until so many environments are at work. Nothing tells of it, so it is asked again and again."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        environments = Executor.of(home).ask("environments")["environments"]
        if sum(each["state"] == "busy" for each in environments) == count:
            return
    raise AssertionError("no environment is at work")


def test_interrupting_a_call_leaves_the_executor_sound(kernel: Kernel, home: Path) -> None:
    kernel.run(WAIT)
    kernel.run("wait(0)")
    executor = Executor.of(home).ask("hello")["pid"]
    message = kernel.start("wait(25)")
    until_busy(home)
    kernel.manager.interrupt_kernel()
    assert kernel.finish(message)["ename"] == "KeyboardInterrupt"
    assert kernel.run("wait(0)")[-1]["data"]["text/plain"] == "'waited'"
    assert Executor.of(home).ask("hello")["pid"] == executor


def test_interrupting_an_invocation_by_magic(kernel: Kernel, home: Path) -> None:
    kernel.run(WAIT)
    message = kernel.start("%lambda invoke wait 25")
    until_busy(home)
    kernel.manager.interrupt_kernel()
    assert kernel.finish(message)["ename"] == "KeyboardInterrupt"


def test_following_a_log_until_interrupted(kernel: Kernel, home: Path) -> None:
    kernel.run(WAIT)
    kernel.run("wait(0)")
    message = kernel.start("%lambda logs wait -f")
    kernel.outputs(message, lambda found: "REPORT" in text_of(found))
    header, _ = Executor.of(home).call(Request(op="invoke", name="wait", qualifier=None, mode="sync"), b"0")
    assert header["request_id"] in text_of(
        kernel.outputs(message, lambda found: f"REPORT RequestId: {header['request_id']}" in text_of(found))
    )
    kernel.manager.interrupt_kernel()
    assert kernel.finish(message)["status"] == "ok"
    assert "no longer following" in text_of(kernel.outputs(message))


def test_the_notebook_goes_on_while_functions_run(kernel: Kernel, home: Path) -> None:
    kernel.run(WAIT)
    kernel.run("futures = [wait.submit(3) for _ in range(3)]")
    until_busy(home, 3)
    assert kernel.run("1 + 1, [future.done() for future in futures]")[-1]["data"]["text/plain"] == (
        "(2, [False, False, False])"
    )
    assert kernel.run("[future.result() for future in futures]")[-1]["data"]["text/plain"] == (
        "['waited', 'waited', 'waited']"
    )


def test_what_a_saved_notebook_holds(kernel: Kernel) -> None:
    (function,) = kernel.run("%%lambda fails\ndef lambda_handler(event, context):\n    return event['key']\n")
    assert set(function["data"]) == {"text/plain", "text/html"}
    (table,) = kernel.run("%lambda")
    assert "fails" in table["data"]["text/html"]
    message = kernel.start("fails({})")
    reply = kernel.finish(message)
    (error,) = kernel.outputs(message)
    assert (reply["ename"], error["ename"]) == ("FunctionError", "FunctionError")
    assert any("----> 3" in line and "event['key']" in line for line in "\n".join(error["traceback"]).splitlines())
    assert "KeyError" in error["evalue"]


def text_of(outputs: list[Any]) -> str:
    return "".join(content.get("text", "") for content in outputs)
