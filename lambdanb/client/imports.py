"""What a function imports, learnt from its source without running it, so that a zygote can preload it."""

from __future__ import annotations

import ast


def imports_of(source: str) -> list[str]:
    """The modules that running the source's top level imports, sorted; none when it can't be parsed.

    `from a import b` gives `a` and `a.b`, since `b` may be a module; what isn't one is passed over by the zygote.
    Imports inside functions are left alone: who writes them there doesn't want them paid for at init.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found: set[str] = set()
    _collect(tree.body, found)
    found.discard("__future__")
    return sorted(name for name in found if not name.startswith("__future__"))


def _collect(statements: list[ast.stmt], found: set[str]) -> None:
    for statement in statements:
        if isinstance(statement, ast.Import):
            found.update(alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            if statement.level == 0 and statement.module:
                found.add(statement.module)
                found.update(f"{statement.module}.{alias.name}" for alias in statement.names if alias.name != "*")
        elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for block in ("body", "orelse", "finalbody"):
                _collect(getattr(statement, block, []), found)
            for handler in getattr(statement, "handlers", []):
                _collect(handler.body, found)
