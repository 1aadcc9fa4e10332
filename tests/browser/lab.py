"""What the browser tests drive: a JupyterLab server of their own, and a notebook in a page of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

DEADLINE_S = 60.0
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"autoStartDefaultKernel": True},
}

NOT_OURS = ("debugger state", "widget model not found", "Canceled future", "disposed")
"""What JupyterLab says of a kernel that was restarted: of its debugger, its widgets, and what was still asked of it."""


class Lab:
    """A server on a free port, with folders of its own under `home`; leave the `with` block and it is gone."""

    def __init__(self, home: Path, environment: Mapping[str, str], theme: str = "JupyterLab Light") -> None:
        self.root = home / "root"
        self.root.mkdir(parents=True)
        settings = home / "config" / "labconfig" / "default_setting_overrides.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(_SETTINGS | {"@jupyterlab/apputils-extension:themes": {"theme": theme}}))
        self._log = home / "lab.log"
        own = {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        with open(self._log, "w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"),
                    *("--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={self.root}"),
                    *("--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment, **own},
                start_new_session=True,
            )
        self.url = self._url()

    def _url(self) -> str:
        deadline_s = time.monotonic() + DEADLINE_S
        while (found := re.search(r"(http://127\.0\.0\.1:\d+)/lab", self._log.read_text())) is None:
            assert self.process.poll() is None and time.monotonic() < deadline_s, self._log.read_text()
            time.sleep(0.05)  # its log is all that it tells by
        return found[1]

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Notebook:
    """A notebook that is open in a page, with its kernel ready."""

    def __init__(self, page: Any, lab: Lab, name: str, cells: Sequence[str]) -> None:
        self.page = page
        self.console: list[str] = []
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        self.path = lab.root / f"{name}.ipynb"
        nbformat.write(notebook, self.path)
        page.set_default_timeout(1e3 * DEADLINE_S)
        page.on("console", lambda said: self.console.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.console.append(error.stack or str(error)))
        page.goto(f"{lab.url}/lab/workspaces/{name}/tree/{self.path.name}")
        self.ready()

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel answers."""
        self.page.locator(".jp-Notebook").wait_for()
        self.page.evaluate(
            """async () => {
                const context = jupyterapp.shell.currentWidget.sessionContext;
                await context.ready;
                await context.session.kernel.info;
            }"""
        )

    def run_all(self, *, wait: bool = True) -> None:
        """Run all cells."""
        self.command("notebook:run-all-cells", wait=wait)

    def command(self, name: str, *, wait: bool = True) -> None:
        """Run one of JupyterLab's commands."""
        script = f"jupyterapp.commands.execute('{name}')"
        self.page.evaluate(script if wait else f"{script}; 0")

    def restart_kernel(self) -> None:
        """Restart the kernel, without the question that the menu asks."""
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    def reload(self) -> None:
        """Save, and load the page anew."""
        self.command("docmanager:save")
        self.page.reload()
        self.ready()
