"""The explorers in a real JupyterLab: sliders by keyboard, while a cell runs, after a reload and a restart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab import Lab, Notebook

playwright_api = pytest.importorskip("playwright.sync_api")
expect = playwright_api.expect

MAKE = {
    "explore_keep_alive": "import lambdanb\nx = lambdanb.explore_keep_alive()\nx",
    "explore_memory": "import lambdanb\nx = lambdanb.explore_memory()\nx",
    "calculate_cost": "import lambdanb\nx = lambdanb.calculate_cost(requests=3_000_000, duration_ms=1000)\nx",
}
# What JupyterLab says: of what a bare server lacks, of a debugger and of widgets whose kernel has been restarted.
NOT_OURS = ("404", "debugger state", "widget model not found")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("explorers")
    with Lab(home, {"LAMBDANB_HOME": str(home / "lambdanb")}) as lab:
        yield lab


@pytest.fixture
def opened(server: Lab, browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with these cells; its console must have stayed silent."""
    notebooks: list[Notebook] = []

    def open_notebook(*cells: str) -> Notebook:
        name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        notebooks.append(Notebook(page, server, name, cells))
        return notebooks[-1]

    yield open_notebook
    for notebook in notebooks:
        notebook.page.close()
        assert [said for said in notebook.console if not any(other in said for other in NOT_OURS)] == []


def explorer(notebook: Notebook) -> Any:
    """The one in the notebook, once its chart is drawn."""
    found = notebook.page.locator(".lambdanb-explorer")
    expect(found.locator(".lambdanb-panel canvas").first).to_be_visible()
    return found


def press(notebook: Notebook, key: str, place: int = 0) -> None:
    """A key on a slider, which Tab reaches."""
    handle = explorer(notebook).locator(".noUi-handle").nth(place)
    assert handle.get_attribute("tabindex") == "0"
    handle.focus()
    notebook.page.keyboard.press(key)


@pytest.mark.parametrize("name", MAKE)
def test_a_change_is_seen(opened: Callable[..., Notebook], name: str) -> None:
    notebook = opened(MAKE[name])
    notebook.run_all()
    said = explorer(notebook).locator("[role=status]")
    before = said.inner_text()
    legend = explorer(notebook).locator(".lambdanb-legend").first.inner_text()
    press(notebook, "ArrowRight")
    expect(said).not_to_have_text(before, use_inner_text=True)
    expect(explorer(notebook).locator(".lambdanb-legend").first).not_to_have_text(legend, use_inner_text=True)
    # The picture is there, and hidden as long as the explorer lives.
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_hidden()


def test_what_can_not_be_is_told(opened: Callable[..., Notebook]) -> None:
    notebook = opened(MAKE["calculate_cost"])
    notebook.run_all()
    requests = explorer(notebook).get_by_role("spinbutton", name="requests a month")
    requests.fill("-5")
    requests.press("Enter")
    expect(explorer(notebook).get_by_role("alert")).to_contain_text("requests is -5: it must be a number from 0")
    requests.fill("3000000")
    requests.press("Enter")
    expect(explorer(notebook).get_by_role("alert")).to_have_count(0)
    expect(explorer(notebook).get_by_role("row", name="Total for the month")).to_contain_text("$18.74")


def test_sliders_are_answered_while_a_cell_runs(opened: Callable[..., Notebook]) -> None:
    wait = "import time\nwhile not x.controls['keep_alive_s'].value > 600:\n    time.sleep(0.01)\nprint('seen')"
    notebook = opened(MAKE["explore_keep_alive"], wait)
    notebook.run_all(wait=False)
    explorer(notebook)
    notebook.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").wait_for()
    press(notebook, "ArrowRight")
    expect(explorer(notebook).locator("[role=status]")).to_contain_text("cold starts at 12 min")
    expect(notebook.page.locator(".jp-OutputArea-output pre").last).to_have_text("seen\n")


def test_reload_and_restart(opened: Callable[..., Notebook]) -> None:
    notebook = opened(MAKE["explore_keep_alive"])
    notebook.run_all()
    press(notebook, "ArrowRight")
    said = explorer(notebook).locator("[role=status]")
    expect(said).to_contain_text("cold starts at 12 min")
    notebook.reload()
    expect(explorer(notebook).locator("[role=status]")).to_contain_text("cold starts at 12 min")
    expect(explorer(notebook).locator(".lambdanb-panel").first).to_have_attribute("data-points", "182")
    press(notebook, "ArrowLeft")
    expect(explorer(notebook).locator("[role=status]")).to_contain_text("cold starts at 10 min")
    notebook.restart_kernel()
    expect(notebook.page.locator(".lambdanb-explorer")).to_be_hidden()
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
    notebook.run_all()
    expect(explorer(notebook)).to_be_visible()


def test_closing_leaves_the_picture(opened: Callable[..., Notebook]) -> None:
    notebook = opened(MAKE["explore_memory"])
    notebook.run_all()
    explorer(notebook).get_by_role("button", name="Close").click()
    expect(notebook.page.locator(".lambdanb-explorer")).to_have_count(0)
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
    notebook.reload()
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
