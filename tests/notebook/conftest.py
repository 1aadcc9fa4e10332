"""A shell as a notebook has it, in this process, with the extension loaded and a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.testing.globalipapp import start_ipython

import lambdanb


@pytest.fixture
def shell(home: Path) -> Iterator[InteractiveShell]:
    """The process's IPython with `%load_ext lambdanb` done, and with nothing of the test left in it afterwards."""
    start_ipython()
    ip = InteractiveShell.instance()
    before = set(ip.user_ns)
    # As in a notebook: a shell in a terminal shows plain text alone.
    shown, ip.display_formatter.active_types = ip.display_formatter.active_types, ip.display_formatter.format_types
    lambdanb.load_ipython_extension(ip)
    yield ip
    lambdanb.unload_ipython_extension(ip)
    ip.display_formatter.active_types = shown
    for name in set(ip.user_ns) - before:
        del ip.user_ns[name]


Run = Callable[[str], ExecutionResult]


@pytest.fixture
def run(shell: InteractiveShell) -> Run:
    """Runs a cell that must succeed."""

    def run_cell(cell: str) -> Any:
        result = shell.run_cell(cell, store_history=True)
        result.raise_error()
        return result.result

    return run_cell


@pytest.fixture
def fail(shell: InteractiveShell, capfd: pytest.CaptureFixture[str]) -> Callable[[str], tuple[BaseException, str]]:
    """Runs a cell that must fail: the error, and what the reader sees of it."""

    def run_cell(cell: str) -> tuple[BaseException, str]:
        capfd.readouterr()
        result = shell.run_cell(cell, store_history=True)
        shown = "".join(capfd.readouterr())
        error = result.error_in_exec or result.error_before_exec
        assert error is not None, f"the cell succeeded: {result.result!r}"
        return error, shown

    return run_cell
