"""Every way in which a function can misbehave: told apart in the error, and followed by a good invocation."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

import lambdanb

GOOD = 'if event == "good":\n        return "good"\n    '


def handler(body: str, init: str = "") -> str:
    """A module whose handler answers "good" to "good", and runs `body` for any other event."""
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ").strip()
    return f"{textwrap.dedent(init)}\ndef lambda_handler(event, context):\n    {GOOD}{indented}\n"


FAULTS = {
    "an exception": ("raise KeyError('colour')", "KeyError", "'colour'"),
    "an exception with no standard output": (
        "import sys; sys.stdout = None; raise KeyError('colour')",
        "KeyError",
        "'colour'",
    ),
    "an exception with another json.dumps": (
        "import json; json.dumps = None; raise KeyError('colour')",
        "KeyError",
        "'colour'",
    ),
    "a result that isn't JSON": ("return {1, 2}", "Runtime.MarshalError", "set is not JSON serializable"),
    "sys.exit": ("import sys; sys.exit(3)", "Runtime.ExitError", "exit status 3"),
    "sys.exit without a status": ("import sys; sys.exit()", "Runtime.ExitError", "exited without providing a reason"),
    "os._exit": ("import os; os._exit(7)", "Runtime.ExitError", "exit status 7"),
    "a segmentation fault": ("import ctypes; ctypes.string_at(0)", "Runtime.ExitError", "signal: segmentation fault"),
    "an abort": ("import os; os.abort()", "Runtime.ExitError", "signal: aborted"),
    "an endless loop": ("while True: pass", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    "a sleep over the deadline": ("import time; time.sleep(60)", "Sandbox.Timedout", "timed out after 1.00 seconds"),
    "out of memory": ("x = bytearray(400_000_000)", "Runtime.ExitError", "signal: killed"),
    "out of memory in a child": (
        """
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "x = bytearray(400_000_000)"])
        """,
        "Runtime.ExitError",
        "signal: killed",
    ),
    "closed descriptors": (
        "import os; os.closerange(0, 256)",
        "Runtime.ExitError",
        "closed its connection|exit status",
    ),
    "garbage on its socket": (
        """
        import os, stat
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, b"\\xff\\xff garbage")
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "a frame of",
    ),
    "a frame of 2 GB announced": (
        """
        import os, stat
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, b"\\x7f\\xff\\xff\\xff")
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "a frame of",
    ),
    "an answer that nobody asked for": (
        """
        import os, stat, struct
        head = b'{"id": "another", "error": false, "rss_kb": 1, "cpu_us": 1}'
        frame = struct.pack("!i", len(head)) + head + struct.pack("!i", 2) + b"{}"
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, frame)
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "answered what nobody had asked",
    ),
    "an answer to its own event that isn't one": (
        """
        import os, stat, struct
        head = ('{"id": "' + context.aws_request_id + '"}').encode()
        frame = struct.pack("!i", len(head)) + head + struct.pack("!i", 2) + b"{}"
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, frame)
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "answered what nobody had asked",
    ),
    "a header that is no object": (
        """
        import os, stat, struct
        frame = struct.pack("!i", 2) + b"[]" + struct.pack("!i", 2) + b"{}"
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, frame)
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "answered what nobody had asked",
    ),
    "a header nested without end": (
        """
        import os, stat, struct
        frame = struct.pack("!i", 100_000) + b"[" * 100_000 + struct.pack("!i", 0)
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, frame)
            except OSError:
                pass
        import time; time.sleep(60)
        """,
        "Runtime.ExitError",
        "a header that isn't JSON",
    ),
    "half a frame, then the end": (
        """
        import os, stat
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, b"\\x00\\x00\\x01\\x00half")
            except OSError:
                pass
        os._exit(1)
        """,
        "Runtime.ExitError",
        "exit status 1|within a message",
    ),
    "a result of 7 MB": ("return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    "a result of 100 MB": ("return 'x' * 60_000_000", "Function.ResponseSizeTooLarge|Runtime.ExitError", ""),
    "an exception without text": ("raise ValueError", "ValueError", ""),
    "an exception that can't be shown": (
        """
        class Bad(Exception):
            def __str__(self): raise RuntimeError
        raise Bad
        """,
        "Bad",
        "whose str",
    ),
    "endless recursion": ("return (lambda f: f(f))(lambda f: f(f))", "RecursionError", "recursion"),
    "a lone surrogate": ("raise ValueError('\\\\ud800')", "ValueError", "ud800"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "Runtime.ExitError|KeyboardInterrupt", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_told_apart_and_survived(shared_home: Any, fault: str) -> None:
    body, error_type, message = FAULTS[fault]
    # At 128 MB a function has 7 % of a processor: to touch much memory takes it more than a second.
    timeout = 1 if error_type == "Sandbox.Timedout" else 20
    function = lambdanb.deploy("faulty", handler(body), timeout=timeout, memory=256 if "100 MB" in fault else 128)
    failed = function.invoke("bad")
    assert failed.error is not None, fault
    assert failed.error.error_type in error_type.split("|")
    assert not message or any(part in failed.error.error_message for part in message.split("|"))
    assert failed.logs.startswith("START RequestId: ")
    assert f"REPORT RequestId: {failed.request_id}" in failed.logs
    assert function("good") == "good"


INITS = {
    "raises": ("raise RuntimeError('no database')", "RuntimeError", "no database"),
    "exits": ("import os; os._exit(5)", "Runtime.ExitError", "exit status 5"),
    "imports what isn't there": ("import nowhere_to_be_found", "Runtime.ImportModuleError", "nowhere_to_be_found"),
    "runs out of memory": ("x = bytearray(400_000_000)", "Runtime.ExitError", "signal: killed"),
}


@pytest.mark.parametrize("fault", INITS)
def test_init_that_fails(shared_home: Any, fault: str) -> None:
    init, error_type, message = INITS[fault]
    function = lambdanb.deploy("faulty", f"{init}\ndef lambda_handler(event, context): return 1\n")
    failed = function.invoke()
    assert failed.error is not None
    assert failed.error.error_type == error_type
    assert message in failed.error.error_message
    assert lambdanb.deploy("faulty", handler("return 1"))("good") == "good"


def test_init_that_hangs(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_TIMES", '{"init_timeout_s": 0.5}')
    function = lambdanb.deploy("faulty", "while True: pass\n", timeout=7)
    failed = function.invoke()
    assert failed.error is not None
    assert failed.error.error_type == "Sandbox.Timedout"
    told = "timed out after 0.50 seconds in init, whose limit that is: the timeout of 7 s begins after it"
    assert told in failed.error.error_message
    assert told in failed.logs
    assert lambdanb.deploy("faulty", handler("return 1"))("good") == "good"


def test_a_cell_that_names_another_coding(shared_home: Any) -> None:
    source = "# coding: latin-1\ndef lambda_handler(event, context): return 'é' == event\n"
    assert lambdanb.deploy("coded", source)("é") is True


def test_a_failure_is_in_the_log_though_standard_output_is_gone(shared_home: Any) -> None:
    failed = lambdanb.deploy("silent", handler("import sys; sys.stdout = None; raise KeyError('colour')")).invoke("bad")
    assert "[ERROR] KeyError: 'colour'" in failed.logs


def test_a_failing_init_s_trace_begins_in_the_cell(shared_home: Any) -> None:
    error = lambdanb.deploy("faulty", "def load():\n    return 1 / 0\nload()\n").invoke().error
    assert error is not None
    assert ["lambda_function.py" in frame for frame in error.stack_trace] == [True, True]


def test_syntax_error_shows_its_line(shared_home: Any) -> None:
    function = lambdanb.deploy("broken", "x = 1\ndef lambda_handler(event, context:\n    return 1\n")
    error = function.invoke().error
    assert error is not None
    assert error.error_type == "Runtime.UserCodeSyntaxError"
    assert "Line 2" in error.stack_trace[0]
    assert "def lambda_handler(event, context:" in error.stack_trace[0]


def test_missing_handler(shared_home: Any) -> None:
    error = lambdanb.deploy("absent", "def another(event, context): pass\n").invoke().error
    assert error is not None
    assert error.error_type == "Runtime.HandlerNotFound"
    assert error.error_message == "Handler 'lambda_handler' missing on module 'lambda_function'"


def test_traceback_has_the_function_s_lines_only(shared_home: Any) -> None:
    source = "def divide(a, b):\n    return a / b\n\ndef lambda_handler(event, context):\n    return divide(1, 0)\n"
    with pytest.raises(lambdanb.FunctionError) as raised:
        lambdanb.deploy("divide", source)({})
    first, second = raised.value.stack_trace
    assert 'lambda_function.py", line 5, in lambda_handler\n    return divide(1, 0)' in first
    assert 'lambda_function.py", line 2, in divide\n    return a / b' in second


def test_log_of_20_mb_in_one_call(shared_home: Any) -> None:
    function = lambdanb.deploy("flood", handler("print('x' * 20_000_000); return 'done'"), timeout=10, memory=1769)
    flooded = function.invoke("bad")
    assert flooded.payload == "done"
    assert "bytes of output over 6291456 were dropped" in flooded.logs
    assert function("good") == "good"


def test_printing_without_end_harms_no_one(shared_home: Any) -> None:
    flood = lambdanb.deploy("flood", handler("while True: print('x' * 1000)"), timeout=2, memory=1769)
    other = lambdanb.deploy("other", handler(""), memory=1769)
    flooding = flood.submit("bad")
    for _ in range(50):
        assert other("good") == "good"
    with pytest.raises(lambdanb.FunctionError, match="timed out"):
        flooding.result()
