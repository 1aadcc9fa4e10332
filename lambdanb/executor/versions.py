"""A version of a function and an alias, as the registry keeps them; and what AWS demands of an alias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdanb.model.configuration import Configuration
from lambdanb.model.errors import InvalidParameterValueException, ValidationException
from lambdanb.model.names import ALIAS_PATTERN, LATEST, QUALIFIER_LENGTH, function_arn, is_version, matches


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """A version of a function: `$LATEST`, which deployments change, or a published one, which nothing changes.

    `imports` are the modules that its code imports (for the zygote), `triggers` its triggers as plain JSON data,
    `code_sha256` the name of its folder in the code store, `last_modified` in AWS's form.
    """

    configuration: Configuration
    version: str
    description: str
    code_sha256: str
    code_bytes: int
    imports: tuple[str, ...]
    triggers: tuple[Any, ...]
    revision_id: str
    last_modified: str
    state: str = "Active"

    @property
    def function(self) -> str:
        return self.configuration.function_name

    @property
    def arn(self) -> str:
        """With the version, but for `$LATEST`, as GetFunction gives it."""
        return function_arn(self.function, None if self.version == LATEST else self.version)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version; `weights` holds the share (0 to 1) of at most one additional version."""

    function: str
    name: str
    version: str
    weights: Mapping[str, float]
    description: str
    revision_id: str

    @property
    def arn(self) -> str:
        return function_arn(self.function, self.name)


def timestamp() -> str:
    """Now, in AWS's form: 2026-11-23T22:14:00.123+0000."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def content(version: FunctionVersion) -> tuple[object, ...]:
    """What makes a version differ from another."""
    return (version.configuration.to_json(), version.code_sha256, version.imports)


def check_alias(alias: str, version: str) -> None:
    """The name of an alias, and the form of its version. Raises ValidationException."""
    if not matches(ALIAS_PATTERN, alias):
        raise _invalid(alias, "name", f"Member must satisfy regular expression pattern: {ALIAS_PATTERN}")
    if len(alias) > QUALIFIER_LENGTH:
        raise _invalid(alias, "name", f"Member must have length less than or equal to {QUALIFIER_LENGTH}")
    if not is_version(version):
        pattern = r"(\$LATEST|[0-9]+)"
        raise _invalid(version, "functionVersion", f"Member must satisfy regular expression pattern: {pattern}")


def check_weights(version: str, weights: Mapping[str, float]) -> Mapping[str, float]:
    """The additional version's weight beside the alias's main `version`. Returns the weights.

    Raises ValidationException, InvalidParameterValueException.
    """
    if len(weights) > 1:
        raise InvalidParameterValueException("Number of items in AdditionalVersionWeights cannot be greater than 1")
    at = "routingConfig.additionalVersionWeights"
    for additional, weight in weights.items():
        value = f"{{{additional}={weight}}}"
        if not 0 <= weight <= 1:
            raise _invalid(
                value,
                at,
                "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must "
                "have value greater than or equal to 0.0, Member must not be null]",
            )
        if version == LATEST:
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if not is_version(additional) or additional == LATEST:
            raise _invalid(
                value,
                at,
                "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must "
                "have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, "
                "Member must not be null]",
            )
        if additional == version:
            raise InvalidParameterValueException(
                f"Invalid function version {version}. Function version {version} is already included in routing "
                "configuration."
            )
    return weights


def _invalid(value: str, member: str, constraint: str) -> ValidationException:
    return ValidationException(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )
