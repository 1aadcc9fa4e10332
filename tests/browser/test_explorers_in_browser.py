"""The explorers in a real JupyterLab: sliders by keyboard, while a cell runs, after a reload and a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lab import Notebook

playwright_api = pytest.importorskip("playwright.sync_api")
expect = playwright_api.expect

MAKE = {
    "explore_keep_alive": "import lambdanb\nx = lambdanb.explore_keep_alive()\nx",
    "explore_memory": "import lambdanb\nx = lambdanb.explore_memory()\nx",
    "calculate_cost": "import lambdanb\nx = lambdanb.calculate_cost(requests=3_000_000, duration_ms=1000)\nx",
}


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
def test_a_change_is_seen(open_notebook: Callable[..., Notebook], name: str) -> None:
    notebook = open_notebook(MAKE[name])
    notebook.run_all()
    said = explorer(notebook).locator("[role=status]")
    before = said.inner_text()
    legend = explorer(notebook).locator(".lambdanb-legend").first.inner_text()
    press(notebook, "ArrowRight")
    expect(said).not_to_have_text(before, use_inner_text=True)
    expect(explorer(notebook).locator(".lambdanb-legend").first).not_to_have_text(legend, use_inner_text=True)
    # The picture is there, and hidden as long as the explorer lives.
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_hidden()


def test_what_can_not_be_is_told(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(MAKE["calculate_cost"])
    notebook.run_all()
    requests = explorer(notebook).get_by_role("spinbutton", name="requests a month")
    requests.fill("-5")
    requests.press("Enter")
    expect(explorer(notebook).get_by_role("alert")).to_contain_text("requests is -5: it must be a number from 0")
    requests.fill("3000000")
    requests.press("Enter")
    expect(explorer(notebook).get_by_role("alert")).to_have_count(0)
    expect(explorer(notebook).get_by_role("row", name="Total for the month")).to_contain_text("$18.74")


def test_sliders_are_answered_while_a_cell_runs(open_notebook: Callable[..., Notebook]) -> None:
    wait = "import time\nwhile not x.controls['keep_alive_s'].value > 600:\n    time.sleep(0.01)\nprint('seen')"
    notebook = open_notebook(MAKE["explore_keep_alive"], wait)
    notebook.run_all(wait=False)
    explorer(notebook)
    notebook.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").wait_for()
    press(notebook, "ArrowRight")
    expect(explorer(notebook).locator("[role=status]")).to_contain_text("cold starts at 12 min")
    expect(notebook.page.locator(".jp-OutputArea-output pre").last).to_have_text("seen\n")


def test_reload_and_restart(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(MAKE["explore_keep_alive"])
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


def test_closing_leaves_the_picture(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(MAKE["explore_memory"])
    notebook.run_all()
    explorer(notebook).get_by_role("button", name="Close").click()
    expect(notebook.page.locator(".lambdanb-explorer")).to_have_count(0)
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
    notebook.reload()
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
