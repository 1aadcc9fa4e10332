"""Fixtures: what this machine can do, and environments that run a piece of code in the real sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdanb.sandbox.child_spec import child_instructions
from lambdanb.sandbox.probe import Capabilities, probe

ZYGOTE = Path(__file__).with_name("zygote_of_tests.py")
REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 60


@pytest.fixture(scope="session")
def capable() -> Callable[..., Capabilities]:
    """Capabilities of this machine without the mechanisms named; the test is skipped where they leave too little."""
    known: dict[frozenset[str], Capabilities] = {}

    def capable(*without: str, needs: str | None = None) -> Capabilities:
        names = frozenset(without)
        if names not in known:
            known[names] = probe(names)
        if needs is not None and not getattr(known[names], needs):
            pytest.skip(f"this machine has no {needs}: {known[names].reasons}")
        return known[names]

    return capable


@pytest.fixture
def checkout_in_tmp() -> list[str]:
    """What an environment's /tmp shows beside its own: a checkout that lies in /tmp, read-only, to import from."""
    return [REPOSITORY.parts[2]] if REPOSITORY.is_relative_to("/tmp") else []


@dataclass
class Sandboxed:
    """Makes environments for one test. What their code prints as JSON is `run`'s answer."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def instructions(self, capabilities: Capabilities, **different: Any) -> dict[str, Any]:
        task = self.folder / "task"
        task.mkdir(exist_ok=True)
        (task / "lambda_function.py").write_text("marker = 1\n")
        tmp_dir = self.folder / "environments" / different.pop("environment", "mine")
        tmp_dir.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "memory_mb": 128, "tmp_mb": 16, "processes": 256, "files": 1024, "connections": None, "template": False,
            "task_dir": str(task), "readable": [str(REPOSITORY / "lambdanb"), str(ZYGOTE)], "fds": [],
            "tmp_dir": None if capabilities.namespaces else str(tmp_dir),
        }  # fmt: skip
        return child_instructions(capabilities, **(settings | different))

    def start(self, child: dict[str, Any], code: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        asked = json.dumps({"child": child, "code": textwrap.dedent(code)})
        process = subprocess.Popen(
            [sys.executable, str(ZYGOTE), asked, *map(str, pass_fds)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": os.environ["HOME"]} |
            self.variables,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, child: dict[str, Any], code: str) -> Any:
        return self.answer(self.start(child, code))

    def answer(self, process: subprocess.Popen[str]) -> Any:
        try:
            output, errors = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        assert process.returncode == 0, f"exit status {process.returncode}\n{output}\n{errors}"
        return json.loads(output) if output.strip() else None


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[Sandboxed]:
    sandboxed = Sandboxed(tmp_path)
    yield sandboxed
    for process in sandboxed.started:
        process.kill()
        process.communicate()
