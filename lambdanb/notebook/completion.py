"""Completion on the lines of `%%lambda` and `%lambda`: subcommands, options, functions, runtimes, rules, variables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from IPython.core.completer import (
    CompletionContext,
    MatcherAPIv2,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from lambdanb.client.deploy import functions
from lambdanb.model.errors import ExecutorLost, ServiceError
from lambdanb.model.rules import RULES
from lambdanb.notebook import commands
from lambdanb.notebook.cell_options import cell_parser

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_CELL = re.compile(r"\s*%%lambda\s+(.*)")
_LINE = re.compile(r"\s*(?:[\w.]+\s*=\s*)?%lambda\s+(.*)")
_installed: dict[int, MatcherAPIv2] = {}


def install(shell: InteractiveShell) -> None:
    """Have the shell's completer ask us too."""

    @context_matcher(identifier="lambdanb")  # type: ignore[untyped-decorator,unused-ignore]
    def lambda_matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = [text for text in choices(context) if text.startswith(context.token)]
        completions = [SimpleCompletion(text=text, type="param") for text in found]
        return {"completions": completions, "suppress": bool(completions)}

    shell.Completer.custom_matchers.append(lambda_matcher)
    _installed[id(shell)] = lambda_matcher


def uninstall(shell: InteractiveShell) -> None:
    """Have it ask us no more."""
    matcher = _installed.pop(id(shell), None)
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)


def choices(context: CompletionContext) -> Iterable[str]:
    """All that could stand where the cursor is; none outside of our magics' lines."""
    before = context.text_until_cursor
    cell = _CELL.fullmatch(before)
    if cell is not None:
        return _cell_choices(cell[1]) if not context.full_text.split("\n")[: context.cursor_line] else ()
    line = _LINE.fullmatch(before)
    return () if line is None else _line_choices(line[1])


def _cell_choices(written: str) -> Iterable[str]:
    words = _finished(written)
    if not words:
        return _functions()
    return _value_choices(words[-1]) if words[-1].startswith("--") else cell_parser().options()


def _line_choices(written: str) -> Iterable[str]:
    words = _finished(written)
    if not words:
        return commands.COMMANDS
    if words[0] == "help":
        return commands.COMMANDS
    command = commands.COMMANDS.get(words[0])
    if command is None:
        return ()
    if words[0] == "rules" and len(words) == 1:
        return [*RULES, *command.parser.options()]
    values = command.parser.option_values(words[-1])
    if values is not None:
        return values or _value_choices(words[-1])
    named = [word for word in words[1:] if not word.startswith("-")]
    takes_name = any(action.dest == "name" for action in command.parser._actions)
    return command.parser.options() if named or not takes_name else [*_functions(), *command.parser.options()]


def _value_choices(option: str) -> Iterable[str]:
    """Values that an option may have, or the options that may follow it where it takes none."""
    if option == "--runtime":
        from lambdanb.model.validation import RUNTIMES

        return RUNTIMES
    if option in ("--on-success", "--on-failure"):
        return [*_functions(), "none"]
    return cell_parser().options() if cell_parser().option_values(option) is None else ()


def _finished(written: str) -> list[str]:
    """The words before the one at the cursor."""
    words = written.split()
    return words if not written or written[-1].isspace() else words[:-1]


def _functions() -> list[str]:
    try:
        return [function.name for function in functions()]
    except (ExecutorLost, ServiceError):
        return []
