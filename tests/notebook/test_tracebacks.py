"""A function's error is shown at its cell's line, and never hidden behind the client's frames."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import lambdanb
from lambdanb.client.connection import Executor
from lambdanb.model.errors import ExecutorLost, FunctionError, ResourceNotFoundException

DIVIDE = """\
def divide(number):
    return 1 / number  # the line

def lambda_handler(event, context):
    print("got", event)
    return divide(event)
"""


def test_the_cells_own_line(run: Any, fail: Any, shell: Any) -> None:
    run(f"\n%%lambda inverse\n{DIVIDE}")
    number = shell.execution_count - 1
    error, shown = fail("def ask():\n    return inverse(0)\nask()")
    assert isinstance(error, FunctionError)
    assert f"Cell In[{number}], line 4, in divide" in shown
    assert "----> 4     return 1 / number  # the line" in shown
    assert f"Cell In[{number}], line 8, in lambda_handler" in shown
    assert "inverse failed: ZeroDivisionError: division by zero" in shown
    assert "got 0" in shown
    assert error.request_id in shown
    assert f"Cell In[{number + 1}], line 2: return inverse(0)" in shown
    assert "/var/task" not in shown
    assert "connection.py" not in shown
    assert "function.py" not in shown.replace("lambda_function.py", "")


def test_what_is_left_of_the_log_does_not_repeat_the_traceback(run: Any, fail: Any) -> None:
    run(f"%%lambda inverse\n{DIVIDE}")
    _, shown = fail("inverse(0)")
    assert shown.count("Traceback") == 1
    assert "REPORT RequestId" in shown


def test_an_error_of_init(run: Any, fail: Any) -> None:
    run("%%lambda broken\n\nimport json\nraise RuntimeError('no init')\ndef lambda_handler(event, context): pass\n")
    _, shown = fail("broken()")
    assert "RuntimeError: no init" in shown
    assert "----> 4 raise RuntimeError('no init')" in shown


def test_code_that_no_cell_of_this_notebook_has(run: Any, fail: Any) -> None:
    run(f"%%lambda inverse\n{DIVIDE}")
    lambdanb.deploy("inverse", "# changed elsewhere\n\n" + DIVIDE)
    _, shown = fail("inverse(0)")
    assert "Cell In" not in shown.split("Called by")[0]
    assert "lambda_function.py, line 4, in divide" in shown
    assert "----> 4     return 1 / number  # the line" in shown


def test_a_closure(run: Any, fail: Any) -> None:
    run("import lambdanb\nzero = 0\n@lambdanb.function\ndef closure(event):\n    return event / zero  # here")
    _, shown = fail("closure(1)")
    assert "ZeroDivisionError" in shown
    assert "----> 5     return event / zero  # here" in shown


def test_an_ending_without_a_traceback(run: Any, fail: Any) -> None:
    run("%%lambda leave\nimport os\ndef lambda_handler(event, context):\n    os._exit(3)\n")
    _, shown = fail("leave()")
    assert "leave failed: Runtime.ExitError" in shown
    assert "exit status 3" in shown


def test_a_refusal_is_a_message_and_what_to_do(run: Any, fail: Any) -> None:
    run("import lambdanb")
    error, shown = fail("lambdanb.get('nothing')")
    assert isinstance(error, ResourceNotFoundException)
    assert shown.lstrip().startswith("ResourceNotFoundException")
    assert "%lambda list" in shown
    assert "lambdanb.get('nothing')" in shown
    assert "deploy.py" not in shown


def test_a_version_that_an_alias_uses(run: Any, fail: Any) -> None:
    run("%%lambda t\ndef lambda_handler(event, context): pass\n")
    run("%lambda publish t")
    run("%lambda alias t live 1")
    _, shown = fail("%lambda rm t:1")
    assert "reference it: [live]" in shown
    assert "Point them at another version, or delete them, first." in shown
    assert "try again" not in shown


def test_an_error_through_a_future(run: Any, fail: Any) -> None:
    run(f"%%lambda inverse\n{DIVIDE}")
    _, shown = fail("inverse.submit(0).result()")
    assert "# the line" in shown
    assert "inverse.submit(0).result()" in shown


def test_a_lost_executor(run: Any, fail: Any, home: Path) -> None:
    run("%%lambda wait --timeout 60\nimport time\ndef lambda_handler(event, context):\n    time.sleep(event)\n")
    executor = Executor.of(home)

    def kill_it_at_work() -> None:
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            if any(each["state"] == "busy" for each in executor.ask("environments")["environments"]):
                break
        os.kill(executor.ask("hello")["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill_it_at_work)
    killer.start()
    error, shown = fail("wait(55)")
    killer.join()
    assert isinstance(error, ExecutorLost)
    assert "may have run" in shown
    assert "wait(55)" in shown
    assert "connection.py" not in shown
    assert run("wait(0)") is None


def test_without_the_extension_the_error_is_python_s(run: Any, fail: Any, shell: Any) -> None:
    run(f"%%lambda inverse\n{DIVIDE}")
    lambdanb.unload_ipython_extension(shell)
    _, shown = fail("inverse(0)")
    assert "Called by" not in shown
    assert "ZeroDivisionError" in shown
