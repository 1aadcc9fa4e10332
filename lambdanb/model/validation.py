"""The one place that says whether values are allowed: a configuration's, a concurrency, a name, a payload's size.

A value outside of its range or pattern raises ValidationException in AWS's words, all such values counted in one
message:

    2 validation errors detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have value
    greater than or equal to 128; Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater
    than or equal to 1

AWS's words name only the bound that was passed; the error's `hint` tells the whole range and the rules in force.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from lambdanb.model import keep_alive, names
from lambdanb.model.configuration import PYTHON_RUNTIME, Configuration
from lambdanb.model.errors import (
    InvalidParameterValueException,
    RequestTooLargeException,
    ValidationException,
)
from lambdanb.model.rules import LARGEST_INTEGER, Limit, Rules

RUNTIMES: tuple[str, ...] = tuple(
    dict.fromkeys(
        (PYTHON_RUNTIME, *(f"python3.{minor}" for minor in range(9, 15)), *(f"nodejs{n}.x" for n in (18, 20, 22, 24)))
    )
)
"""Accepted runtimes: AWS's in Python and Node.js. All Python ones run on the interpreter at hand."""

RESERVED_CONCURRENCY = Limit("reserved concurrency", "", 0, LARGEST_INTEGER, 0, 1, "reservedConcurrentExecutions")
PROVISIONED_CONCURRENCY = Limit(
    "provisioned concurrency", "", 1, LARGEST_INTEGER, 1, 1, "provisionedConcurrentExecutions"
)
ACCOUNT_CONCURRENCY = Limit("the account's concurrency", "", 1, LARGEST_INTEGER, 1000, 1, "concurrentExecutions")

ARCHITECTURES = ("x86_64", "arm64")

RESERVED_VARIABLES = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    )
)
"""Environment variables that Lambda sets itself and that a function's configuration may not."""


class _Violations:
    """Collects what is wrong, to be told all at once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.hints: list[str] = []

    def add(self, value: object, member: str, constraint: str, hint: str = "") -> None:
        shown = "null" if value is None else f"'{value}'"
        self.texts.append(f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}")
        if hint:
            self.hints.append(hint)

    def text(self, value: object, member: str, pattern: str, most: int, least: int = 1) -> None:
        """Check a text's pattern and length. An empty pattern allows everything."""
        if value is None:
            self.add(value, member, "Member must not be null")
        elif not isinstance(value, str):
            self.add(value, member, "Member must be a string")
        else:
            if pattern and not names.matches(pattern, value):
                self.add(value, member, f"Member must satisfy regular expression pattern: {pattern}")
            if len(value) > most:
                self.add(value, member, f"Member must have length less than or equal to {most}")
            if len(value) < least:
                self.add(value, member, f"Member must have length greater than or equal to {least}")

    def number(self, value: object, limit: Limit, rules: Rules) -> None:
        """Check a number against its limit."""
        hint = f"{limit.name}: {limit.range} (rules: {rules.name})"
        if value is None:
            self.add(value, limit.member, "Member must not be null", hint)
        elif not isinstance(value, int) or isinstance(value, bool):
            self.add(value, limit.member, "Member must be an integer", hint)
        elif value < limit.minimum:
            self.add(value, limit.member, f"Member must have value greater than or equal to {limit.minimum}", hint)
        elif value > limit.maximum:
            self.add(value, limit.member, f"Member must have value less than or equal to {limit.maximum}", hint)
        elif value not in limit:
            self.add(value, limit.member, f"Member must be {limit.minimum} plus a multiple of {limit.step}", hint)

    def one_of(self, value: object, member: str, allowed: Sequence[object]) -> None:
        """Check that a value is one of a set, and of its type: 1 is not True."""
        if not any(type(value) is type(each) and value == each for each in allowed):
            self.add(value, member, f"Member must satisfy enum value set: [{', '.join(map(str, allowed))}]")

    def report(self) -> None:
        """Raise if anything was wrong."""
        if self.texts:
            count = len(self.texts)
            head = f"{count} validation error{'' if count == 1 else 's'} detected: "
            raise ValidationException(head + "; ".join(self.texts), "; ".join(self.hints))


def validate(configuration: Configuration, rules: Rules) -> None:
    """Check a whole configuration.

    Raises ValidationException for values out of their range or pattern, InvalidParameterValueException for reserved
    environment variables and for environment variables over their size.
    """
    found = _Violations()
    found.text(configuration.function_name, "functionName", names.NAME_PATTERN, names.NAME_LENGTH)
    found.one_of(configuration.runtime, "runtime", RUNTIMES)
    found.text(configuration.handler, "handler", names.HANDLER_PATTERN, 128)
    found.number(configuration.memory_mb, rules.memory_mb, rules)
    found.number(configuration.timeout_s, rules.timeout_s, rules)
    found.number(configuration.tmp_mb, rules.tmp_mb, rules)
    _check_variable_names(configuration.environment, found)
    found.text(configuration.role, "role", names.ROLE_PATTERN, 512)
    found.text(configuration.description, "description", "", 256, 0)
    found.one_of(configuration.architecture, "architectures", ARCHITECTURES)
    found.one_of(configuration.snap_start, "snapStart", (True, False))
    flaw = keep_alive.flaw(configuration.keep_alive_s)
    if flaw:
        found.add(configuration.keep_alive_s, "keepAlive", flaw)
    for member, destination in (("onSuccess", configuration.on_success), ("onFailure", configuration.on_failure)):
        if destination is not None:
            where = f"destinationConfig.{member}.destination"
            found.text(destination, where, names.FUNCTION_PATTERN, names.FUNCTION_LENGTH)
    found.number(configuration.maximum_retry_attempts, rules.retry_attempts, rules)
    found.number(configuration.maximum_event_age_s, rules.event_age_s, rules)
    found.report()
    _check_variables(configuration.environment, rules)


def _check_variable_names(environment: object, found: _Violations) -> None:
    member = "environment.variables"
    if not isinstance(environment, Mapping):
        found.add(environment, member, "Member must be a map")
        return
    # Values may be secrets, so only names are shown. Reserved names have an error of their own.
    wrong = [
        str(name)
        for name in environment
        if not isinstance(name, str) or not (name in RESERVED_VARIABLES or names.matches(names.VARIABLE_PATTERN, name))
    ]
    if wrong:
        pattern = f"Member must satisfy regular expression pattern: {names.VARIABLE_PATTERN}"
        found.add(f"{{{', '.join(wrong)}}}", member, f"Map keys must satisfy constraint: [{pattern}]")
    not_text = [str(name) for name, value in environment.items() if not isinstance(value, str)]
    if not_text:
        found.add(f"{{{', '.join(not_text)}}}", member, "Map values must satisfy constraint: [Member must be a string]")


def _check_variables(environment: Mapping[str, str], rules: Rules) -> None:
    head = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
    )
    reserved = [name for name in environment if name in RESERVED_VARIABLES]
    if reserved:
        raise InvalidParameterValueException(
            f"{head}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    # AWS measures the variables as compact JSON.
    measured = json.dumps(dict(environment), separators=(",", ":"), ensure_ascii=False)
    size = len(measured.encode(errors="surrogatepass"))
    if size > rules.environment_bytes:
        raise InvalidParameterValueException(
            f"{head}exceeded the {rules.environment_bytes // 1024}KB limit. String measured: {measured}",
            f"environment variables: {size:,} bytes as JSON, at most {rules.environment_bytes:,} (rules: {rules.name})",
        )


def validate_alias_name(name: str) -> None:
    """Check the name of an alias: not a number, which would be a version. Raises ValidationException."""
    found = _Violations()
    found.text(name, "name", names.ALIAS_PATTERN, names.QUALIFIER_LENGTH)
    found.report()


def validate_qualifier(qualifier: str) -> None:
    """Check the form of a version or alias. Raises ValidationException."""
    found = _Violations()
    found.text(qualifier, "qualifier", names.QUALIFIER_PATTERN, names.QUALIFIER_LENGTH)
    found.report()


def validate_payload_size(size: int, rules: Rules, *, event: bool = False) -> None:
    """Check the size in bytes of an invocation's payload; `event`: of an event invocation.

    Raises RequestTooLargeException.
    """
    limit = rules.async_payload_bytes if event else rules.payload_bytes
    if size > limit:
        kind = "Event" if event else "RequestResponse"
        raise RequestTooLargeException(
            f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        )


def validate_concurrency(value: object, limit: Limit, rules: Rules) -> None:
    """Check the type and range of `RESERVED_CONCURRENCY`, `PROVISIONED_CONCURRENCY` or `ACCOUNT_CONCURRENCY`.

    Whether the account has so much left is the registry's to say. Raises ValidationException.
    """
    found = _Violations()
    found.number(value, limit, rules)
    found.report()
