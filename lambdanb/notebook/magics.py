"""`%%lambda NAME`: the cell becomes a function. `%lambda`: everything else that one does with functions.

The magic's line is options and nothing but options; the cell's body is code and nothing but code.
"""

from __future__ import annotations

import keyword
import re
import shlex
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from lambdanb.client.deploy import deploy
from lambdanb.client.function import Function
from lambdanb.client.options import UsageProblem
from lambdanb.client.source import source_text
from lambdanb.notebook import commands
from lambdanb.notebook.cell_options import cell_parser
from lambdanb.notebook.cells import Cells

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class LambdaMagics(Magics):
    """The two magics."""

    def __init__(self, shell: InteractiveShell, cells: Cells) -> None:
        super().__init__(shell)
        self._shell = shell
        self.cells = cells

    @no_var_expand
    @cell_magic("lambda")  # type: ignore[arg-type,unused-ignore]  # IPython has no type for a renamed magic
    def lambda_cell(self, line: str, cell: str) -> Function | None:
        words = split(line)
        parser = cell_parser()
        if {"-h", "--help"} & set(words):
            print(parser.format_help())
            return None
        try:
            settings = parser.read(words)
        except UsageProblem as problem:
            raise UsageError(str(problem)) from None
        name = settings.pop("name")
        source, filename = self.cells.module(line, cell)
        if not settings.get("runtime", "python").startswith("nodejs"):
            check_syntax(source, filename)
        function = deploy(name, source, **settings)
        self.cells.remember(name, filename)
        self._bind(name, function)
        return function

    @no_var_expand
    @line_magic("lambda")  # type: ignore[arg-type,unused-ignore]
    def lambda_line(self, line: str) -> Any:
        try:
            return commands.run(line, self._shell)
        except UsageProblem as problem:
            raise UsageError(str(problem)) from None

    def _bind(self, name: str, function: Function) -> None:
        """Give the function its name in the notebook, and say so where that isn't plain."""
        identifier = identifier_of(name)
        before = self._shell.user_ns.get(identifier)
        self._shell.user_ns[identifier] = function
        if identifier != name:
            print(f"{name} can't be a name in Python: the function is {identifier} here.")
        if before is not None and not isinstance(before, Function):
            print(f"{identifier} was a {type(before).__name__} of this notebook, and is the function now.")


# What `%%lambda?` and `%lambda?` show.
vars(LambdaMagics)["lambda_cell"].__doc__ = cell_parser().format_help()
vars(LambdaMagics)["lambda_line"].__doc__ = commands.overview()


def split(line: str) -> list[str]:
    """A line's words, quotes as in a shell."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: quotes come in pairs, in {line!r}") from None


def identifier_of(name: str) -> str:
    """The function's name as a name in Python: what can't be in one becomes an underscore."""
    identifier = re.sub(r"\W", "_", name, flags=re.ASCII)
    if identifier[:1].isdigit():
        identifier = f"_{identifier}"
    return f"{identifier}_" if keyword.iskeyword(identifier) else identifier


def check_syntax(source: str, filename: str) -> None:
    """Raise the cell's SyntaxError, with the cell's line, before anything is deployed."""
    try:
        source_text(source)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        error.lambdanb_cell = True  # type: ignore[attr-defined]  # see tracebacks.py: shown without our frames
        raise
