"""What an explorer leaves in a saved notebook: a widget, and a still picture of what it showed last."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_a_saved_notebook_has_a_picture(home: Path) -> None:
    cells = ["import lambdanb\nx = lambdanb.explore_memory()\nx", "x.set(memory_mb=1024)\nx.close()\nx"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120).execute()
    shown, still = (output["data"] for output in notebook.cells[0].outputs)
    assert WIDGET in shown
    assert shown["text/plain"].startswith("<Memory and cost explorer: duration at 512 MB")
    assert base64.b64decode(still["image/png"]).startswith(b"\x89PNG")
    assert still["text/plain"].startswith("<Memory and cost explorer: closed; it showed: duration at 1,024 MB")
    (again,) = (output["data"] for output in notebook.cells[1].outputs)
    assert WIDGET not in again, "it is closed"
    assert "image/png" in again
