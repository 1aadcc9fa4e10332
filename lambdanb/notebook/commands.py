"""The subcommands of `%lambda`: what each takes, and what it does.

A subcommand returns something to be shown as the cell's result, or prints and returns None.
"""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambdanb.client.choices import NotFound, find, unknown
from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables
from lambdanb.client.deploy import describe_functions
from lambdanb.client.follow import follow
from lambdanb.client.function import Function, Mode
from lambdanb.client.invocation import Invocation
from lambdanb.client.options import Parser, UsageProblem, add_settings, at_least_one, weight
from lambdanb.client.tables import Table, functions_table, limits_table, settings_table
from lambdanb.model.rules import RULES
from lambdanb.notebook.cell_options import cell_parser
from lambdanb.notebook.events import cut_event

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Options = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A subcommand: the parser of its line, and what it does with the options."""

    parser: Parser
    run: Callable[[Options], Any]
    takes_event: bool = False


def run(line: str, shell: InteractiveShell) -> Any:
    """Carry out a line. Raises UsageProblem that names the choices, and the service's errors."""
    name, _, rest = line.strip().partition(" ")
    if not name:
        name = "list"
    if name in ("help", "-h", "--help"):
        return _help(rest.strip())
    command = COMMANDS.get(name)
    if command is None:
        raise UsageProblem(f"{unknown('subcommand', name, COMMANDS)} %lambda help tells what they do.")
    given: Options = {}
    if command.takes_event:
        takes_value = frozenset(
            option for option in command.parser.options() if command.parser.option_values(option) is not None
        )
        rest, event, found = cut_event(rest, lambda expression: _evaluate(expression, shell), takes_value)
        given = {"event": event} if found else {}
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise UsageProblem(f"{error}: quotes come in pairs, in {rest!r}") from None
    if {"-h", "--help"} & set(words):
        return print(command.parser.format_help())
    return command.run(given | command.parser.read(words))


def overview() -> str:
    """What there is, a line each."""
    lines = ["Look at functions, and change them.", ""]
    lines += [f"  {_usage(each)}\n      {each.parser.description}" for each in COMMANDS.values()]
    settings = ", ".join(option for option in cell_parser().options() if option.startswith("--"))
    making = f"%%lambda NAME [settings] makes a cell a function. Settings: {settings}."
    lines += ["", *textwrap.wrap(making, 100, break_on_hyphens=False), ""]
    return "\n".join([*lines, "%lambda help SUBCOMMAND tells more, %lambda help %%lambda what each setting does."])


def _usage(command: Command) -> str:
    return " ".join(command.parser.format_usage().removeprefix("usage: ").split())


def _help(name: str) -> None:
    if not name:
        print(overview())
    elif name == "%%lambda":
        print(cell_parser().format_help())
    elif name in COMMANDS:
        print(COMMANDS[name].parser.format_help())
    else:
        raise UsageProblem(unknown("subcommand", name, COMMANDS))


def _evaluate(expression: str, shell: InteractiveShell) -> Any:
    """The value of an expression in the notebook."""
    try:
        return eval(expression, shell.user_global_ns, shell.user_ns)
    except NameError as error:
        names = [name for name in shell.user_ns if not name.startswith("_")]
        raise UsageProblem(unknown("variable", error.name or expression, names)) from None


def _function(options: Options) -> Function:
    try:
        return find(options["name"])
    except NotFound as error:
        raise UsageProblem(str(error)) from None


def _list(options: Options) -> Table:
    return functions_table(describe_functions())


def _show(options: Options) -> Function:
    return _function(options)


def _invoke(options: Options) -> Invocation:
    function = _function(options)
    if "qualifier" in options:
        function = _function({"name": f"{function.name}:{options['qualifier']}"})
    mode: Mode = "dry-run" if options.get("dry_run") else "async" if options.get("run_async") else "sync"
    return function.invoke(options.get("event"), mode, cold=options.get("cold", False))


def _logs(options: Options) -> None:
    function = _function(options)
    n, request_id = options.get("n", 100), options.get("request")
    if not options.get("follow"):
        print("\n".join(function.logs(n, request_id)) or "Nothing is logged yet.")
        return
    try:
        for line in follow(function.name, n, request_id):
            print(line, flush=True)
    except KeyboardInterrupt:
        print("(no longer following)")


def _limits(options: Options) -> Table:
    return limits_table(Executor.of().ask("limits"))


def _endpoint(options: Options) -> None:
    executor = Executor.of()
    told = variables(executor.home, executor.ask("endpoint")["url"])
    if options.get("here"):
        os.environ.update(told)
        boto3: Any = sys.modules.get("boto3")
        if boto3 is not None:
            boto3.DEFAULT_SESSION = None  # it keeps the keys that it found first
        print(f"boto3 and !aws in this notebook use {told['AWS_ENDPOINT_URL']} from now on.")
        return
    print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in told.items()))


def _rm(options: Options) -> None:
    function = _function(options)
    function.delete()
    print(f"{options['name']} is deleted.")


def _configure(options: Options) -> Function:
    function = _function(options)
    settings = {key: value for key, value in options.items() if key != "name"}
    if not settings:
        raise UsageProblem(f"Say what to change, as in %lambda configure {function.name} --memory 512.")
    return function.configure(**settings)


def _publish(options: Options) -> Function:
    return _function(options).publish(options.get("description", ""))


def _alias(options: Options) -> Function:
    return _function(options).alias(options["alias"], options["version"], dict(options.get("weights", ())))


def _dashboard(options: Options) -> Any:
    return _function(options).dashboard()


def _rules(options: Options) -> Table:
    name = options.get("rules")
    if name is not None and name not in RULES:
        raise UsageProblem(unknown("set of rules", name, RULES))
    return settings_table(Executor.of().ask("settings", rules=name, concurrency=options.get("concurrency")))


def _parser(name: str, description: str, *, function: bool = True) -> Parser:
    parser = Parser(f"%lambda {name}", description)
    if function:
        parser.add_argument("name", metavar="NAME", help="the function; NAME:QUALIFIER is a version or an alias of it")
    return parser


def _commands() -> dict[str, Command]:
    invoke = _parser("invoke", "Invoke a function with an event: JSON, {variable} or $variable.")
    invoke.usage = "%(prog)s NAME [EVENT] [--async | --dry-run] [--cold] [--qualifier Q]"
    mode = invoke.add_mutually_exclusive_group()
    mode.add_argument("--async", dest="run_async", action="store_true", help="queue the event; it runs, and is retried")
    mode.add_argument("--dry-run", action="store_true", help="only check that it could be invoked")
    invoke.add_argument("--cold", action="store_true", help="in a new execution environment")
    invoke.add_argument("--qualifier", metavar="Q", help="a version or an alias")
    logs = _parser("logs", "Show the end of a function's log; -f follows it until you interrupt.")
    logs.add_argument("-f", "--follow", action="store_true", help="show new lines as they come")
    logs.add_argument("-n", type=at_least_one, metavar="N", help="so many lines; 100 by default")
    logs.add_argument("--request", metavar="ID", help="only this invocation's")
    configure = _parser("configure", "Change settings; the code stays. --env replaces all of the variables.")
    configure.usage = "%(prog)s NAME [settings]"
    add_settings(configure)
    publish = _parser("publish", "Publish the function as it is now as a version, which never changes.")
    publish.add_argument("--description", metavar="TEXT", help="a line on the version")
    alias = _parser("alias", "Point an alias at a version, and a share of its invocations at another.")
    alias.add_argument("alias", metavar="ALIAS")
    alias.add_argument("version", metavar="VERSION")
    alias.add_argument("--weight", dest="weights", action="append", type=weight, metavar="V=W", help="such as 2=0.1")
    endpoint = _parser(
        "endpoint", "Serve AWS's own APIs, and show what boto3 and the AWS CLI need for them.", function=False
    )
    endpoint.add_argument("--here", action="store_true", help="set it in this notebook's environment instead")
    rules = _parser("rules", "Show the rules in force, or change them.", function=False)
    rules.add_argument("rules", nargs="?", metavar="NAME", help=" or ".join(RULES))
    rules.add_argument("--concurrency", type=int, metavar="N", help="the account's concurrency")
    return {
        "list": Command(_parser("list", "Show all functions; what %lambda alone does.", function=False), _list),
        "show": Command(_parser("show", "Show all there is to say of a function."), _show),
        "invoke": Command(invoke, _invoke, takes_event=True),
        "logs": Command(logs, _logs),
        "limits": Command(
            _parser("limits", "Show every limit, and what holds it on this machine.", function=False), _limits
        ),
        "endpoint": Command(endpoint, _endpoint),
        "rm": Command(_parser("rm", "Delete a function, or one version or alias of it."), _rm),
        "configure": Command(configure, _configure),
        "publish": Command(publish, _publish),
        "alias": Command(alias, _alias),
        "dashboard": Command(
            _parser("dashboard", "Drive a function by a stream of events, and see what comes of it."), _dashboard
        ),
        "rules": Command(rules, _rules),
        "help": Command(
            _parser("help", "Show this; with a subcommand, its options.", function=False), lambda options: None
        ),
    }


COMMANDS = _commands()
