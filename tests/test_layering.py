"""The house has floors, and a room imports only rooms on floors below its own.

Every import counts: at the top of a file, inside a function, under TYPE_CHECKING, relative, or by
`importlib.import_module` with a literal name. Names in strings (`python -m lambdanb.executor`) don't: that is how
the executor is started, and the only way in which other rooms may know it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lambdanb"

FLOORS = {
    "notebook": 6,
    "cli": 6,
    "gateway": 5,
    "sources": 5,
    "analysis": 5,
    "ship": 5,
    "client": 4,
    "executor": 3,
    "runtime": 2,
    "simulator": 2,
    "sandbox": 1,
    "code": 1,
    "streams": 1,
    "model": 1,
}
# `lambdanb/__init__.py` is the public face over all rooms, loaded as it is used; no room goes through it.
FACE = "the public face"
FACE_MODULES = {"__init__", "__main__"}


def room_of(module: str) -> str:
    """The room of a dotted name under `lambdanb`: `lambdanb.client.start` is in `client`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] not in FACE_MODULES else FACE


def imported_modules(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """(line, module of lambdanb) for every import in `tree`, a file of the dotted package `package`."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from lambdanb import model` names a room; `from lambdanb import deploy` the public face.
            rooms = [alias.name for alias in node.names if base == "lambdanb" and alias.name in FLOORS]
            others = [alias.name for alias in node.names if not (base == "lambdanb" and alias.name in FLOORS)]
            names = [f"lambdanb.{room}" for room in rooms] + ([base] if others else [])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                names = [node.args[0].value]
        for name in names:
            if name.split(".")[0] == "lambdanb":
                yield getattr(node, "lineno", 0), name


def violations(package: Path) -> list[str]:
    """One line for every import in the tree under `package` that breaks the order of rooms."""
    found = []
    for path in sorted(package.rglob("*.py")):
        where = path.relative_to(package.parent)
        module = ".".join(where.with_suffix("").parts)
        room = room_of(module)
        if room == FACE:
            continue
        if room not in FLOORS:
            found.append(f"{where}: {room} is no room of the house: give it a floor here")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for line, imported in imported_modules(tree, module.rpartition(".")[0]):
            reason = objection(room, room_of(imported))
            if reason:
                found.append(f"{where}:{line}: imports {imported}: {reason}")
    return found


def objection(room: str, other: str) -> str | None:
    """Why `room` must not import `other`, or None if it may."""
    if other == room:
        return None
    if other == FACE:
        return "rooms don't go through the public face"
    if other not in FLOORS:
        return f"{other} is no room of the house"
    if other == "executor":
        return "the executor is another process: start it by its module's name, talk to it by its socket"
    if FLOORS[other] >= FLOORS[room]:
        return f"{room} is on floor {FLOORS[room]}, {other} on floor {FLOORS[other]}"
    return None


def test_every_import_goes_down() -> None:
    assert list(PACKAGE.rglob("*.py")), f"no files under {PACKAGE}"
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "code", "told"),
    [
        ("model/rules.py", "import lambdanb.client.start", "model is on floor 1, client on floor 4"),
        ("sandbox/probe.py", "from lambdanb.model import rules", "sandbox is on floor 1, model on floor 1"),
        ("runtime/init.py", "def f():\n    from lambdanb.client import start", "client on floor 4"),
        (
            "runtime/init.py",
            "from typing import *\nif TYPE_CHECKING:\n    import lambdanb.notebook",
            "notebook on floor",
        ),
        ("runtime/init.py", "from ..gateway import rest", "gateway on floor 5"),
        ("runtime/init.py", "from .. import gateway", "gateway on floor 5"),
        ("runtime/__init__.py", "from ..gateway import rest", "gateway on floor 5"),
        ("runtime/init.py", "import importlib\nimportlib.import_module('lambdanb.gateway')", "gateway on floor 5"),
        ("client/start.py", "from lambdanb.executor import loop", "another process"),
        ("client/start.py", "from lambdanb import executor", "another process"),
        ("cli.py", "import lambdanb", "public face"),
        ("cli.py", "from lambdanb import deploy, model", "public face"),
        ("cli.py", "import lambdanb.attic", "attic is no room"),
        ("attic/things.py", "pass", "attic is no room"),
    ],
)
def test_a_violation_is_told(tmp_path: Path, file: str, code: str, told: str) -> None:
    path = tmp_path / "lambdanb" / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (found,) = violations(tmp_path / "lambdanb")
    assert told in found
    assert file in found


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("client/start.py", "import subprocess\nsubprocess.Popen(['python', '-m', 'lambdanb.executor'])"),
        (
            "client/start.py",
            "from . import connection\nfrom .connection import connect\nfrom lambdanb.model import wire",
        ),
        ("notebook/magics.py", "from lambdanb import client, model"),
        ("executor/loop.py", "from lambdanb.executor import placement\nfrom lambdanb.runtime.zygote import start"),
        ("__init__.py", "from lambdanb.notebook import magics"),
    ],
)
def test_what_is_allowed(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / "lambdanb" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    assert violations(tmp_path / "lambdanb") == []
