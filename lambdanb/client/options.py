"""The settings of a function as options of a command line: the same for `%%lambda` and for `lambdanb deploy`.

Only what is given is in the result, by the names that `deploy` and `Function.configure` take.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from lambdanb.client.choices import unknown
from lambdanb.client.counts import check_count


class UsageProblem(Exception):
    """A command line that can't be understood. The message says why, and names the choices."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageProblem, names the choices, and takes no abbreviations."""

    def __init__(self, prog: str, description: str, epilog: str = "", *, add_help: bool = False) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            add_help=add_help,
            argument_default=argparse.SUPPRESS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def options(self) -> list[str]:
        """Every option there is, long forms first."""
        found = [option for action in self._actions for option in action.option_strings]
        return sorted(found, key=lambda option: (not option.startswith("--"), option))

    def option_values(self, option: str) -> Sequence[str] | None:
        """The values that an option names as its choices; () when any value will do, None when it takes none."""
        for action in self._actions:
            if option in action.option_strings:
                return None if action.nargs == 0 else tuple(action.choices or ())
        return None

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """What the words say. Raises UsageProblem."""
        known, extra = self.parse_known_args(list(words))
        for word in extra:
            if word.startswith("-"):
                raise UsageProblem(unknown(f"option of {self.prog} called", word.split("=")[0], self.options()))
            self.error(f"{self.prog} has no use for {word!r}.")
        return vars(known)

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}\n{self.format_usage().rstrip()}")


def add_settings(parser: Parser) -> None:
    """Give a parser an option for every setting of a function."""
    add = parser.add_argument_group("settings").add_argument
    add(
        "--memory",
        type=int,
        metavar="MB",
        help="memory, 128 to 10,240 MB (2014: to 1,024); CPU comes with it: 1,769 MB is one vCPU",
    )
    add("--timeout", type=int, metavar="S", help="seconds after which an invocation is ended, 1 to 900 (2014: to 60)")
    add("--tmp", type=int, metavar="MB", help="size of /tmp, 512 to 10,240 MB (2014: 512)")
    add(
        "--env",
        dest="environment",
        action=_Variables,
        metavar="NAME=VALUE",
        help="an environment variable; may be repeated",
    )
    add("--handler", metavar="MODULE.FUNCTION", help="what is called; lambda_function.lambda_handler by default")
    add("--runtime", metavar="NAME", help="such as python3.13; that of the notebook by default")
    add("--role", metavar="ARN", help="execution role")
    add("--description", metavar="TEXT", help="a line on what it does")
    add("--snap-start", action=argparse.BooleanOptionalAction, help="fork environments from one whose init has run")
    add(
        "--keep-alive",
        type=_keep_alive,
        metavar="S",
        help="seconds for which an idle environment is kept, or a distribution as JSON in quotes",
    )
    add("--on-success", type=_or_none, metavar="FUNCTION", help="gets the record of an event invocation that succeeded")
    add("--on-failure", type=_or_none, metavar="FUNCTION", help="gets the record of one that failed for good")
    add("--retries", dest="maximum_retry_attempts", type=int, metavar="N", help="of event invocations, 0 to 2")
    add("--max-age", dest="maximum_event_age", type=int, metavar="S", help="of event invocations, 60 to 21,600 seconds")
    add(
        "--reserved",
        dest="reserved_concurrency",
        type=_number_or_none,
        metavar="N",
        help="reserved concurrency: at most, and always, so many at a time; 0 stops the function, none takes it away",
    )
    add(
        "--provisioned",
        dest="provisioned_concurrency",
        type=_number_or_none,
        metavar="N",
        help="provisioned concurrency: environments that are kept initialised; none takes it away",
    )


class _Variables(argparse.Action):
    """NAME=VALUE, again and again, into one dict."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        name, equals, value = str(values).partition("=")
        if not equals or not name:
            parser.error(f"{option} takes NAME=VALUE, as in {option} STAGE=test; it was given {values!r}.")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest, {}), name: value})


def _keep_alive(text: str) -> float | dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise argparse.ArgumentTypeError(
        f'{text!r} is neither seconds nor a distribution such as \'{{"law": "exponential", "mean_s": 600}}\''
    )


def at_least_one(text: str) -> int:
    """A whole number from 1, such as how many lines to show."""
    try:
        check_count("it", number := int(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more") from None
    return number


def _or_none(text: str) -> str | None:
    return None if text.lower() == "none" else text


def _number_or_none(text: str) -> int | None:
    if text.lower() == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor none") from None


def weight(text: str) -> tuple[str, float]:
    """`2=0.1`: a version and the share of an alias's invocations that it gets."""
    version, _, share = text.partition("=")
    try:
        return version, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not VERSION=SHARE, as in 2=0.1") from None
