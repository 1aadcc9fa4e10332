"""The stream dashboard in a real JupyterLab: driven while a cell runs, through a reload and a restart, and closed."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab import DEADLINE_S, Lab, Notebook

playwright_api = pytest.importorskip("playwright.sync_api")
expect = playwright_api.expect

LOAD = "%load_ext lambdanb"
ECHO = "%%lambda {name}\nimport time\ndef lambda_handler(event, context):\n    time.sleep(0.02)\n    return event"
MANY = re.compile(r"^([4-9]|\d\d+)$")


def shown(notebook: Notebook) -> Any:
    """The dashboard, once its chart is drawn."""
    found = notebook.page.locator(".lambdanb-lives")
    expect(found.locator(".lambdanb-panel canvas").first).to_be_visible()
    return found


def press(notebook: Notebook, name: str) -> None:
    shown(notebook).get_by_role("button", name=name, exact=True).click()


def until_it_moves(notebook: Notebook) -> None:
    """Wait for some points of the first panel."""
    expect(shown(notebook).locator(".lambdanb-panel").first).to_have_attribute("data-points", MANY)


def set_rate(notebook: Notebook, rate: int) -> None:
    """Type it where the slider's value stands."""
    readout = shown(notebook).locator(".widget-readout").first
    readout.click()
    notebook.page.keyboard.press("Control+A")
    notebook.page.keyboard.type(str(rate))
    notebook.page.keyboard.press("Enter")


def loaders(lab: Lab) -> list[int]:
    """The loaders of this server's kernels, as the operating system tells of them."""
    home = f"HOME={lab.root.parent}\0".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
                ours = b"lambdanb.analysis.loader" in command and home in Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if ours:
                found.append(int(entry))
    return found


def until_no_loader(lab: Lab) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while loaders(lab):
        assert time.monotonic() < deadline_s, "a loader is left"


def test_driven_while_a_cell_runs(open_notebook: Callable[..., Notebook], lab: Lab, screenshots: Path) -> None:
    busy = (
        "import time\nwhile d.parameters[0].value < 50:\n    time.sleep(0.01)\nprint('rate seen')\n"
        "while d.result is None:\n    time.sleep(0.01)\nprint(type(d.result).__name__, d.result.stopped)"
    )
    notebook = open_notebook(LOAD, ECHO.format(name="driven"), "d = driven.dashboard(seconds=600)\nd", busy)
    notebook.run_all(wait=False)
    press(notebook, "Start")
    until_it_moves(notebook)
    set_rate(notebook, 80)
    printed = notebook.page.locator(".jp-OutputArea-output pre").last
    expect(printed).to_contain_text("rate seen")
    arrivals = shown(notebook).locator(".lambdanb-legend").first
    expect(arrivals).to_have_text(re.compile(r"arrivals\s*([5-9]\d|1\d\d)$"))
    # Little money in digits, as everywhere.
    cost = shown(notebook).locator(".lambdanb-legend").nth(4)
    expect(cost).to_have_text(re.compile(r"list price\s*0\.000\d+$"))
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        notebook.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        expect(notebook.page.locator("#jupyterlab-splash")).to_have_count(0)
        until_it_moves(notebook)
        notebook.page.screenshot(path=screenshots / f"{theme}.png")
    assert len(loaders(lab)) == 1
    press(notebook, "Stop")
    expect(printed).to_contain_text("LoadResult interrupted after")
    until_no_loader(lab)
    # The arrow keys say what is drawn, for those who can't see it.
    panel = shown(notebook).locator(".lambdanb-panel").nth(2)
    panel.focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(panel.locator(".lambdanb-said")).to_have_text(re.compile(r"^at .* s: p50 [\d.]+, p95 [\d.]+, p99 [\d.]+$"))


def test_reload_and_restart(open_notebook: Callable[..., Notebook], lab: Lab) -> None:
    notebook = open_notebook(LOAD, ECHO.format(name="reloaded"), "reloaded.dashboard(seconds=600)")
    notebook.run_all()
    press(notebook, "Start")
    until_it_moves(notebook)
    notebook.reload()
    # What was drawn before is there, and what comes is added.
    until_it_moves(notebook)
    points = int(shown(notebook).locator(".lambdanb-panel").first.get_attribute("data-points"))
    expect(shown(notebook).locator(".lambdanb-panel").first).not_to_have_attribute("data-points", str(points))
    notebook.restart_kernel()
    until_no_loader(lab)
    expect(notebook.page.locator(".lambdanb-lives")).to_be_hidden()
    notebook.run_all()
    press(notebook, "Start")
    until_it_moves(notebook)
    press(notebook, "Close")
    expect(notebook.page.locator(".lambdanb-lives")).to_have_count(0)
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
    until_no_loader(lab)


def test_a_forecast_leaves_its_picture(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(LOAD, ECHO.format(name="forecast"), "forecast(1)\nforecast(2)\n%lambda dashboard forecast")
    notebook.run_all()
    shown(notebook).get_by_label("seconds").fill("7200")
    shown(notebook).get_by_label("run", exact=True).select_option("simulated")
    shown(notebook).get_by_label("time goes by").select_option("an hour per s")
    press(notebook, "Start")
    expect(shown(notebook)).to_contain_text("Forecast, simulated:")
    until_it_moves(notebook)
    press(notebook, "Close")
    expect(notebook.page.locator(".lambdanb-lives")).to_have_count(0)
    expect(notebook.page.locator(".jp-RenderedImage img")).to_be_visible()
    notebook.command("docmanager:save")
    saved = json.loads(notebook.path.read_text())
    pictures = [output for output in saved["cells"][-1]["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == 1
    assert "Forecast, simulated" in "".join(pictures[0]["data"]["text/plain"])
