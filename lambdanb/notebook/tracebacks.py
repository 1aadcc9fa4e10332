"""What a failure looks like in the notebook: the function's own traceback, at the lines of its cell.

A FunctionError tells what failed, where in the cell, and what the function last logged. The client's own frames tell
nothing, and are left out; the notebook's lines that made the call are named. Refusals of the service, and a lost
executor, are a message and what to do.

IPython asks an exception for `_render_traceback_`; our classes have one while the extension is loaded. A SyntaxError in
a `%%lambda` cell is shown as one in any other cell.
"""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import IPython

from lambdanb.client import connection
from lambdanb.model.errors import ExecutorLost, FunctionError, ServiceError, TooManyRequestsException
from lambdanb.notebook.cells import Cells
from lambdanb.notebook.frames import Frame, Paint, read_frames, show_frame

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOOK = "_render_traceback_"
_LOG_LINES = 10
_PACKAGES = tuple(f"{Path(file).parents[up]}/" for file, up in ((connection.__file__, 1), (IPython.__file__, 0)))

_TO_DO = {
    "ResourceNotFoundException": "%lambda list shows the functions, %lambda show NAME their versions and aliases.",
    "RequestTooLargeException": "Send less, or send where to find it.",
    "ServiceException": "executor.log in the home tells more.",
}


def install(shell: InteractiveShell, cells: Cells) -> None:
    """Give our errors their looks."""
    paint = Paint.of(shell)
    setattr(FunctionError, _HOOK, lambda error: function_error(error, cells, paint))
    setattr(ServiceError, _HOOK, lambda error: refusal(error, cells, paint))
    setattr(ExecutorLost, _HOOK, lambda error: refusal(error, cells, paint))
    if not shell.custom_exceptions:
        shell.set_custom_exc((SyntaxError,), _syntax_error)  # type: ignore[no-untyped-call,unused-ignore]


def uninstall(shell: InteractiveShell) -> None:
    """Take them away."""
    for cls in (FunctionError, ServiceError, ExecutorLost):
        if _HOOK in vars(cls):
            delattr(cls, _HOOK)
    if shell.custom_exceptions == (SyntaxError,):
        shell.set_custom_exc((), None)  # type: ignore[no-untyped-call,unused-ignore]


def function_error(error: FunctionError, cells: Cells, paint: Paint) -> list[str]:
    """What failed; the function's frames; the end of its log; the notebook's lines that called it."""
    what = f"{error.error_type}: {error.error_message}".rstrip(": ")
    name = error.function or "the function"
    shown = [f"{paint.error(f'{name} failed')}: {what}"]
    if error.stack_trace:
        shown += [f"\nTraceback of {name} (most recent call last):", *trace(error, cells, paint)]
    log = own_log(error)
    if log:
        shown += ["\nThe end of its log:", *(paint.faint(line) for line in log)]
    if error.request_id:
        shown.append(f"\nRequest {error.request_id}; its whole log: %lambda logs {name} --request {error.request_id}")
    return shown + _callers(error.__traceback__, cells, paint)


def trace(error: FunctionError, cells: Cells, paint: Paint) -> list[str]:
    """The function's frames, with the lines around, and the error itself."""
    shown = [show_frame(frame, *_source(frame, error, cells), paint) for frame in read_frames(error.stack_trace)]
    return [*shown, f"{paint.error(error.error_type)}: {error.error_message}".rstrip(": ")]


def refusal(error: ServiceError | ExecutorLost, cells: Cells, paint: Paint) -> list[str]:
    """The message, what to do, and the notebook's lines that called."""
    name = error.code if isinstance(error, ServiceError) else type(error).__name__
    shown = [f"{paint.error(name)}: {error}"]
    if isinstance(error, TooManyRequestsException) and error.retry_after_s:
        shown.append(f"Try again in {error.retry_after_s:g} s.")
    elif name in _TO_DO and not getattr(error, "hint", ""):
        shown.append(_TO_DO[name])
    return shown + _callers(error.__traceback__, cells, paint)


def _source(frame: Frame, error: FunctionError, cells: Cells) -> tuple[str, list[str]]:
    """Where a reader finds a frame's line, and the lines there: the cell's, or those of the code deployed.

    A cell that has been run again since, with other code, has another text at that line and isn't taken.
    """
    if not frame.is_function_module:
        label = cells.label(frame.filename)  # a function that was deployed by its closure was compiled in a cell
        return label or f"File {frame.filename}", linecache.getlines(frame.filename) if label else []
    cell = cells.lines(error.function)
    if cell is not None and frame.is_at(cell[1]):
        return cells.label(cell[0]) or f"File {frame.filename}", cell[1]
    lines = _deployed(error.function)
    return f"File {frame.filename}", lines if frame.is_at(lines) else []


def own_log(error: FunctionError) -> list[str]:
    """The last lines of the log, without those that repeat the failure."""
    told = {"Traceback (most recent call last):", f"[ERROR] {error.error_type}: {error.error_message}".rstrip(": ")}
    told.update(line for entry in error.stack_trace for line in entry.splitlines())
    lines = [line for line in error.log.splitlines() if line.strip() and line not in told]
    return [line for line in lines if not line.startswith(("START RequestId: ", "END RequestId: "))][-_LOG_LINES:]


def _deployed(function: str) -> list[str]:
    from lambdanb.client.function import Function

    try:
        return Function(function).source.splitlines()
    except (ServiceError, ExecutorLost):
        return []


def _callers(here: TracebackType | None, cells: Cells, paint: Paint) -> list[str]:
    """The lines of the notebook, and of the user's own modules, through which the call was made."""
    frames = [each for each in traceback.extract_tb(here) if not each.filename.startswith(_PACKAGES)]
    frames = [each for each in frames if cells.label(each.filename) or "site-packages" not in each.filename]
    shown = []
    for each in frames:
        place = cells.label(each.filename) or f"File {each.filename}"
        shown.append(f"{paint.place(f'{place}, line {each.lineno}')}: {each.line}")
    return ["\nCalled by:", *shown] if shown else []


def _syntax_error(shell: Any, etype: Any, value: BaseException, trace: Any, tb_offset: Any = None) -> list[str]:
    """One in a `%%lambda` cell is shown as one in any cell; one from elsewhere as IPython does it."""
    shell.showsyntaxerror(running_compiled_code=not getattr(value, "lambdanb_cell", False))
    return []
