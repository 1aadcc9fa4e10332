"""`lambdanb` on the command line: the functions of a home, without a notebook.

Answers go to standard output, everything else to standard error. The exit status is 0 when all went well, 1 when the
function failed, 2 for a command that can't be understood, 3 when the service refused or the executor was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lambdanb.client.choices import NotFound, find, unknown
from lambdanb.client.options import Parser, UsageProblem, add_settings, at_least_one
from lambdanb.model.errors import ExecutorLost, ServiceError

if TYPE_CHECKING:
    from lambdanb.client.function import Function
    from lambdanb.client.tables import Table

OK, FUNCTION_FAILED, USAGE, SERVICE_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

Options = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; the exit status."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except UsageProblem as problem:
        print(f"lambdanb: {problem}", file=sys.stderr)
        return USAGE
    except NotFound as problem:
        print(f"lambdanb: {problem}", file=sys.stderr)
        return SERVICE_FAILED
    except (ServiceError, ExecutorLost) as error:
        print(f"lambdanb: {getattr(error, 'code', type(error).__name__)}: {error}", file=sys.stderr)
        return SERVICE_FAILED
    except BrokenPipeError:
        # The reader, such as head, has had enough. What is left in the buffer must not fail at exit again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return OK if words else USAGE
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"lambdanb {version('lambdanb')}")
        return OK
    command = COMMANDS.get(words[0])
    if command is None:
        raise UsageProblem(f"{unknown('command', words[0], COMMANDS)} lambdanb --help tells what they do.")
    parser = _parser(words[0])
    if {"-h", "--help"} & set(words[1:]):
        print(parser.format_help().rstrip())
        return OK
    status: int = command[2](parser.read(words[1:]))
    return status


def _ls(options: Options) -> int:
    from lambdanb.client.deploy import describe_functions
    from lambdanb.client.tables import functions_table

    described = describe_functions()
    return _show_table(functions_table(described), described, options)


def _show(options: Options) -> int:
    from lambdanb.client.connection import Executor
    from lambdanb.client.tables import function_table

    function = find(options["name"])
    described = function.description
    limits = Executor.of().ask("limits")
    return _show_table(function_table(described, limits, function.qualifier), described, options)


def _limits(options: Options) -> int:
    from lambdanb.client.connection import Executor
    from lambdanb.client.tables import limits_table

    answer = Executor.of().ask("limits")
    return _show_table(limits_table(answer), answer, options)


def _invoke(options: Options) -> int:
    event = _event(options.get("event"))
    function = find(options["name"] + (f":{options['qualifier']}" if "qualifier" in options else ""))
    mode: Any = "dry-run" if "dry_run" in options else "async" if "run_async" in options else "sync"
    invocation = function.invoke(event, mode, cold="cold" in options)
    error = invocation.error
    if "log" in options and invocation.logs:
        print(invocation.logs.rstrip("\n"), file=sys.stderr)
    if "json" in options:
        record = invocation.record
        told = {
            "status_code": invocation.status_code,
            "request_id": invocation.request_id,
            "version": invocation.version,
            "payload": json.loads(invocation.raw_payload) if invocation.raw_payload else None,
            "function_error": error.error_type if error is not None else None,
            "record": record.to_json() if record is not None else None,
        }
        print(json.dumps(told, indent=2))
    elif error is not None:
        print(error, file=sys.stderr)
    elif invocation.status_code == 202:
        print(
            f"accepted, request {invocation.request_id}: it is on disk. The executor leaves with its last client, and "
            "what it hasn't finished, a retry too, waits for the next one; `lambdanb serve` keeps it running.",
            file=sys.stderr,
        )
    elif invocation.status_code == 204:
        print("it could have run", file=sys.stderr)
    else:
        _print_json(invocation.payload)
    return OK if error is None else FUNCTION_FAILED


def _print_json(value: Any) -> None:
    """Print as people read it; escaped where standard output can't say it (a lone surrogate, another encoding)."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def _event(text: str | None) -> Any:
    """The event that an argument means: JSON, @FILE, or - for standard input."""
    if text is None:
        return None
    try:
        if text == "-":
            source, content = "standard input", sys.stdin.read()
        elif text.startswith("@"):
            with open(text[1:], encoding="utf-8") as file:
                source, content = text[1:], file.read()
        else:
            source, content = "the event", text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"The event can't be read: {error}") from None
    try:
        return json.loads(content)
    except ValueError as error:
        hint = "" if text == "-" or text.startswith("@") else "; quote it for the shell: '{\"key\": 1}'"
        raise UsageProblem(f"{source} is not JSON: {error}{hint}") from None


def _logs(options: Options) -> int:
    function = find(options["name"])
    n, request_id = options.get("n", 100), options.get("request")
    if "follow" in options:
        from lambdanb.client.follow import follow

        for line in follow(function.name, n, request_id):
            print(line, flush=True)
    for line in function.logs(n, request_id):
        print(line)
    return OK


def _rm(options: Options) -> int:
    find(options["name"]).delete()
    print(f"{options['name']} is deleted.", file=sys.stderr)
    return OK


def _deploy(options: Options) -> int:
    from lambdanb.client.deploy import deploy

    name, path = options.pop("name"), options.pop("file")
    as_json = {"json": True} if options.pop("json", False) else {}
    try:
        if path == "-":
            source = sys.stdin.read()
        else:
            with open(path, encoding="utf-8") as file:
                source = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"The code can't be read: {error}") from None
    if not options.get("runtime", "python").startswith("nodejs"):
        _check_syntax(source, path)
    function: Function = deploy(name, source, **options)
    return _show({"name": function.name, **as_json})


def _check_syntax(source: str, path: str) -> None:
    from lambdanb.client.source import source_text

    try:
        source_text(source)
    except ValueError as error:
        raise UsageProblem(str(error)) from None
    try:
        compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        import traceback

        raise UsageProblem(
            "the code isn't Python\n" + "".join(traceback.format_exception_only(error)).rstrip()
        ) from None


def _serve(options: Options) -> int:
    """A client that stays, so that the executor does. Says again where it is when it had to be started again."""
    import signal
    import threading

    from lambdanb.client.connection import Executor

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    executor = Executor.of()
    known = None
    while True:
        try:
            pid = executor.ask("hello")["pid"]
        except ExecutorLost as error:
            print(error, file=sys.stderr)
            pid = executor.ask("hello")["pid"]
        if pid != known:
            print(
                f"executor  process {pid}\nhome      {executor.home}\nsocket    {executor.home / 'run/executor.sock'}"
            )
            print("It serves this user's notebooks and scripts, and runs until you interrupt (Ctrl-C) or end this.")
            print(f"AWS API   {executor.ask('endpoint')['url']}  (lambdanb env tells what clients need)", flush=True)
            known = pid
        if ended.wait(5.0):
            executor.close()
            return OK


def _env(options: Options) -> int:
    """The variables, to be taken into a shell by eval or into a program by --json."""
    import shlex

    from lambdanb.client.connection import Executor
    from lambdanb.client.credentials import variables

    executor = Executor.of()
    told = variables(executor.home, executor.ask("endpoint")["url"])
    if "json" in options:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in told.items()))
    return OK


def _show_table(table: Table, data: Any, options: Options) -> int:
    print(json.dumps(data, indent=2) if "json" in options else table.text())
    return OK


_NAME = "NAME, NAME:VERSION, NAME:ALIAS, or an ARN"

# What each does, an example, the function.
COMMANDS: dict[str, tuple[str, str, Any]] = {
    "ls": ("List the functions.", "lambdanb ls --json", _ls),
    "show": ("Show all there is to say of a function.", "lambdanb show thumbnail", _show),
    "invoke": (
        "Invoke a function and print what it returned.",
        'lambdanb invoke thumbnail \'{"key": "cat.jpg"}\'\n  lambdanb invoke thumbnail @event.json --log\n'
        "  cat event.json | lambdanb invoke thumbnail:live - --async",
        _invoke,
    ),
    "logs": ("Print the end of a function's log.", "lambdanb logs thumbnail -f", _logs),
    "deploy": (
        "Deploy a file as a function, or as its new code.",
        "lambdanb deploy thumbnail thumbnail.py --memory 512 --timeout 10 --env SIZE=128",
        _deploy,
    ),
    "rm": ("Delete a function, or one version or alias of it.", "lambdanb rm thumbnail", _rm),
    "limits": ("Show every limit, and what holds it on this machine.", "lambdanb limits", _limits),
    "env": (
        "Print what AWS clients need: the endpoint's address, keys and region. It is served while a notebook or "
        "lambdanb serve runs.",
        'eval "$(lambdanb env)" && aws lambda list-functions',
        _env,
    ),
    "serve": ("Keep the executor running and AWS's API served, until interrupted.", "lambdanb serve", _serve),
}


def _parser(command: str) -> Parser:
    description, example, _ = COMMANDS[command]
    parser = Parser(f"lambdanb {command}", description, f"example:\n  {example}", add_help=True)
    add = parser.add_argument
    if command in ("show", "invoke", "logs", "rm"):
        add("name", metavar="NAME", help=_NAME)
    if command in ("ls", "show", "invoke", "limits", "deploy", "env"):
        add("--json", action="store_true", help="print JSON")
    if command == "invoke":
        add("event", metavar="EVENT", nargs="?", help="JSON, @FILE, or - for standard input; null when it is left out")
        mode = parser.add_mutually_exclusive_group().add_argument
        mode(
            "--async",
            dest="run_async",
            action="store_true",
            help="queue the event; it runs, and is retried, while there is a client: see lambdanb serve",
        )
        mode("--dry-run", action="store_true", help="only check that it could be invoked")
        add("--cold", action="store_true", help="in a new execution environment")
        add("--qualifier", metavar="Q", help="a version or an alias")
        add("--log", action="store_true", help="print its log too, to standard error")
    if command == "logs":
        add("-f", "--follow", action="store_true", help="print new lines as they come, until interrupted")
        add("-n", type=at_least_one, metavar="N", help="so many lines; 100 by default")
        add("--request", metavar="ID", help="only this invocation's")
    if command == "deploy":
        add("name", metavar="NAME", help="letters, digits, - and _, at most 64")
        add("file", metavar="FILE", help="the module's file, or - for standard input")
        add_settings(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = ["usage: lambdanb COMMAND ...", "", "AWS Lambda on this machine: functions of this user's home.", ""]
    lines += [f"  {name.ljust(width)}  {description}" for name, (description, _, _) in COMMANDS.items()]
    lines += ["", "examples:", *(f"  {example}" for _, example, _ in COMMANDS.values())]
    lines += [
        "",
        "lambdanb COMMAND --help tells more. LAMBDANB_HOME names another home.",
        "exit status: 0 ok, 1 the function failed, 2 usage, 3 the service refused or the executor was lost",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
