"""The course runs: every notebook whole, in a fresh kernel and a home of its own; and is stored without outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
MAY_FAIL = "raises-exception"


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_whole(path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As `make lab` has it, for lines that begin with `!aws`.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    # In an empty folder: a notebook needs none of the repository's files.
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            failed = [output.ename for output in cell.outputs if output.output_type == "error"]
            assert bool(failed) == (MAY_FAIL in cell.metadata.get("tags", [])), f"{cell.source}\n{failed}"
            assert not [output for output in cell.outputs if output.get("name") == "stderr"], cell.source
            pictures = [output for output in cell.outputs if "<Figure" in output.get("data", {}).get("text/plain", "")]
            assert all("image/png" in output.data for output in pictures)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert notebook.metadata.kernelspec.name == "python3"
