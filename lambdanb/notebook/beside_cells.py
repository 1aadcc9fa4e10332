"""Widgets that answer while a cell runs.

JupyterLab sends what a person does with a widget on a subshell, a thread of the kernel beside the cells'. ipykernel 7.4
hands such a message on to the shell that published last on the widget's comm, which for a widget that a cell made is
the cells': that is undone here. Where the kernel has no subshells, messages wait for the cell to end, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipywidgets import Widget


def answer_beside_cells(widget: Widget) -> None:
    """Let the messages of a widget, and of all that it contains, be handled on the shell that they came to."""
    for each in widgets_in(widget):
        comm: Any = each.comm
        if hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = lambda data, subshell_id: subshell_id


def widgets_in(widget: Widget) -> Iterator[Widget]:
    """A widget, all that it contains, and their layouts and styles."""
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)
    yield widget
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if part is not None:
            yield part
