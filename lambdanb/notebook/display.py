"""How functions, invocations and tables look as a cell's result: as HTML where that can be shown, else as text.

The classes know nothing of notebooks: what they look like is registered with the shell.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from lambdanb.client.connection import Executor
from lambdanb.client.function import Function
from lambdanb.client.invocation import Invocation
from lambdanb.client.tables import Table, function_table, report_table
from lambdanb.model.errors import ExecutorLost, ServiceError
from lambdanb.model.records import Report
from lambdanb.notebook import html
from lambdanb.notebook.cells import Cells
from lambdanb.notebook.frames import Paint
from lambdanb.notebook.tracebacks import own_log, trace

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter

_LONGEST_PAYLOAD = 2_000
_FIGURE = ("matplotlib.figure", "Figure")


def install(shell: InteractiveShell, cells: Cells) -> None:
    """Register what functions, invocations and tables look like."""
    looks: dict[type, tuple[Callable[[Any], str], Callable[[Any], str]]] = {
        Function: (function_html, function_text),
        Invocation: (lambda each: invocation_html(each, cells), lambda each: invocation_text(each, cells)),
        Report: (lambda each: html.table(report_table(each)), lambda each: report_table(each).text()),
        Table: (html.table, Table.text),
    }
    by_mime = _formatters(shell)
    for cls, (as_html, as_text) in looks.items():
        by_mime["text/html"].for_type(cls, as_html)
        by_mime["text/plain"].for_type(cls, _pretty(as_text))
    if not _knows_figures(by_mime["image/png"]):
        by_mime["image/png"].for_type_by_name(*_FIGURE, figure_png)


def uninstall(shell: InteractiveShell) -> None:
    """Take that back."""
    for mime in ("text/html", "text/plain"):
        for cls in (Function, Invocation, Report, Table):
            _formatters(shell)[mime].pop(cls, None)
    pictures = _formatters(shell)["image/png"]
    if _knows_figures(pictures) and pictures.lookup_by_type(".".join(_FIGURE)) is figure_png:
        pictures.pop(".".join(_FIGURE))


def _formatters(shell: InteractiveShell) -> dict[str, Any]:
    assert shell.display_formatter is not None
    return dict(shell.display_formatter.formatters)


def figure_png(figure: Any) -> bytes:
    """A figure that was made without pyplot, which IPython shows by itself only after `%matplotlib inline`."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _knows_figures(formatter: Any) -> bool:
    return ".".join(_FIGURE) in formatter


def function_html(function: Function) -> str:
    """All there is to say of a function."""
    told = _told(function)
    return told if isinstance(told, str) else html.table(told)


def function_text(function: Function) -> str:
    """The same as text."""
    told = _told(function)
    return repr(function) if isinstance(told, str) else told.text()


def invocation_html(invocation: Invocation, cells: Cells) -> str:
    """The outcome, the payload or the error, the report, and the log to unfold."""
    error = invocation.error
    parts = [_headline(invocation)]
    if error is not None:
        parts.append(html.code_block("\n".join(trace(error, cells, Paint(False)))))
    elif invocation.raw_payload:
        parts.append(html.code_block(payload_text(invocation)))
    if invocation.report is not None:
        parts.append(html.span(_report_text(invocation), html.GREY))
    if invocation.logs:
        count = len(invocation.logs.splitlines())
        parts.append(html.fold(f"Log, {count} lines", html.code_block(invocation.logs), opened=error is not None))
    return html.block(parts)


def invocation_text(invocation: Invocation, cells: Cells) -> str:
    """The same as text, the log's end only for a failure."""
    lines = [repr(invocation)]
    if invocation.error is not None:
        lines += trace(invocation.error, cells, Paint(False))
        lines += ["The end of its log:", *own_log(invocation.error)]
    elif invocation.raw_payload:
        lines.append(payload_text(invocation))
    return "\n".join(lines)


def payload_text(invocation: Invocation) -> str:
    """The payload as indented JSON; of a long one its beginning and its size."""
    if len(invocation.raw_payload) > 100_000:
        text = invocation.raw_payload[:_LONGEST_PAYLOAD].decode(errors="replace")
    else:
        text = json.dumps(invocation.payload, indent=2, ensure_ascii=False)
    if len(text) <= _LONGEST_PAYLOAD and len(invocation.raw_payload) <= 100_000:
        return text
    return f"{text[:_LONGEST_PAYLOAD]} ...\n({len(invocation.raw_payload):,} bytes; all of it is in .payload)"


def _headline(invocation: Invocation) -> str:
    name = escape(invocation.function)
    error = invocation.error
    if error is not None:
        outcome = html.span(f"failed: {error.error_type}", html.RED, bold=True)
    elif invocation.status_code == 202:
        outcome = html.span("event accepted", html.GREEN, bold=True)
    elif invocation.status_code == 204:
        outcome = html.span("dry run: it could have run", html.GREEN, bold=True)
    else:
        outcome = html.span("ok", html.GREEN, bold=True)
    return f"<b>{name}</b> {outcome} {html.span(f'request {invocation.request_id}', html.GREY)}"


def _report_text(invocation: Invocation) -> str:
    report = invocation.report
    assert report is not None
    init = "" if report.init_ms is None else f", init {report.init_ms:.1f} ms (cold)"
    return (
        f"{report.duration_ms:.2f} ms, billed {report.billed_ms:,} ms{init}, "
        f"max memory {report.max_memory_mb:,} of {report.memory_mb:,} MB, version {invocation.version}"
    )


def _told(function: Function) -> Table | str:
    """The function's table; a sentence when there is nothing to tell any more. Showing an object never fails."""
    try:
        limits = Executor.of().ask("limits")
        return function_table(function.description, limits, function.qualifier)
    except (ServiceError, ExecutorLost) as error:
        name = escape(repr(function))
        return html.block([f"{name} {html.span(str(error), html.RED)}"])


def _pretty(as_text: Callable[[Any], str]) -> Callable[[Any, RepresentationPrinter, bool], None]:
    """The long text for a result that is the thing itself; the short one inside a list or a dict."""

    def pretty(value: Any, printer: RepresentationPrinter, cycle: bool) -> None:
        nested = cycle or len(printer.stack) > 1
        lines = repr(value).splitlines() if nested else as_text(value).splitlines()
        for index, line in enumerate(lines):
            if index:
                printer.break_()  # type: ignore[no-untyped-call,unused-ignore]
            printer.text(line)  # type: ignore[no-untyped-call,unused-ignore]

    return pretty
