"""Names of functions, versions and aliases, and the ARNs made of them.

The region and account are those of AWS's own examples: nothing here is in any real account.

Patterns and lengths: CreateFunction, Invoke and CreateAlias in the API reference of AWS Lambda.
Patterns are kept as AWS prints them in its errors, and are compiled when they are first needed.
"""

from __future__ import annotations

import re

REGION = "us-east-1"
ACCOUNT = "123456789012"
LATEST = "$LATEST"

DEFAULT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambdanb-execution-role"
"""The execution role of functions that are given none."""

NAME_LENGTH = 64
QUALIFIER_LENGTH = 128
FUNCTION_LENGTH = 140
"""Of a function written in any of the ways that `split_qualifier` reads."""

NAME_PATTERN = "[a-zA-Z0-9-_]+"
FUNCTION_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
QUALIFIER_PATTERN = r"(|[a-zA-Z0-9$_-]+)"
ALIAS_PATTERN = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
ROLE_PATTERN = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
HANDLER_PATTERN = r"[^\s]+"
VARIABLE_PATTERN = "[a-zA-Z]([a-zA-Z0-9_])+"
OTHER_ENDPOINT_VARIABLE = "LAMBDANB_AWS_ENDPOINT_URL"
"""Where the services beside Lambda are, if not in the home's own emulator: read where the executor is started."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of the text is of the pattern. Only ASCII letters and digits are letters and digits to AWS."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


def function_arn(name: str, qualifier: str | None = None) -> str:
    """The ARN of a function, or of its version or alias."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def split_qualifier(function: str) -> tuple[str, str | None]:
    """The name and qualifier in any of AWS's ways to write a function.

    "f", "f:live", "123456789012:function:f:live" and "arn:aws:lambda:us-east-1:123456789012:function:f:live"; the
    qualifier is None where there is none. Raises ValueError for a text that is none of these.
    """
    found = re.fullmatch(FUNCTION_PATTERN, function, re.ASCII)
    if found is None:
        raise ValueError(
            f"{function!r} is not a function: give its name, name:qualifier, or its ARN, as in {function_arn('f')!r}"
        )
    return found[7], found[9]


def is_version(qualifier: str) -> bool:
    """Whether a qualifier is a version ("$LATEST", "3") rather than an alias."""
    return qualifier == LATEST or (qualifier.isascii() and qualifier.isdigit())
