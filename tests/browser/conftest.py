"""One JupyterLab server and one Chromium for all browser tests, a page for each.

They are skipped where there is no Chromium. Each test's last view is kept as a picture in pytest's temporary folder
(`screenshots0/` in `--basetemp`, or in /tmp/pytest-of-USER/pytest-current).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import DEADLINE_S, NOT_OURS, Lab, Notebook

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
playwright_api.expect.set_options(timeout=1e3 * DEADLINE_S)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """The machine's own Chromium; playwright's are never downloaded."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (Debian's package is chromium)")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The server; its kernels share a home."""
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, {"LAMBDANB_HOME": str(folder / "lambdanb")}) as server:
        yield server


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def open_notebook(
    lab: Lab, browser: Any, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with these cells. At the end its console must have stayed silent."""
    opened: list[Notebook] = []

    def open_(*cells: str) -> Notebook:
        page = browser.new_page(viewport={"width": 1400, "height": 1150})
        opened.append(Notebook(page, lab, request.node.name.replace("[", "-").rstrip("]"), cells))
        return opened[-1]

    yield open_
    for notebook in opened:
        notebook.page.screenshot(path=screenshots / f"{request.node.name}.png")
        notebook.page.close()
        assert [said for said in notebook.console if not any(each in said for each in NOT_OURS)] == []
