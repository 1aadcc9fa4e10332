"""Concurrency set aside for functions, and the account's settings: the part of the registry that placement goes by.

*Reserved* concurrency is a function's own share of the account's, which no other function can use and which it can't
pass; what all functions reserve must leave the account's minimum unreserved. *Provisioned* concurrency is a number of
environments of a version (or of an alias's) that are kept initialised; it comes out of the function's reserved
concurrency, or else of the unreserved.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdanb.executor.registry import Registry
from lambdanb.executor.versions import timestamp
from lambdanb.model.errors import (
    InvalidParameterValueException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
    ValidationException,
)
from lambdanb.model.names import LATEST, is_version
from lambdanb.model.rules import RULES, TODAY, Rules
from lambdanb.model.validation import (
    ACCOUNT_CONCURRENCY,
    PROVISIONED_CONCURRENCY,
    RESERVED_CONCURRENCY,
    validate_concurrency,
)


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The rules in force ("today", "preview-2014") and the account's concurrent invocations (the rules' default or a
    number of its own)."""

    rules_name: str
    concurrency: int

    @property
    def rules(self) -> Rules:
        return RULES[self.rules_name]


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Provisioned concurrency of a version or alias: how many environments were asked for, and when."""

    function: str
    qualifier: str
    executions: int
    last_modified: str


def account_settings(registry: Registry) -> AccountSettings:
    """The settings in force."""
    stored = dict(registry.connection.execute("SELECT name, value FROM settings"))
    rules_name = stored.get("rules", TODAY.name)
    if rules_name not in RULES:
        rules_name = TODAY.name  # the home was used by another version of lambdanb
    return AccountSettings(rules_name, int(stored.get("concurrency", RULES[rules_name].concurrency)))


def put_account_settings(
    registry: Registry, *, rules_name: str | None = None, concurrency: int | None = None
) -> AccountSettings:
    """Choose rules, concurrency, or both. Other rules bring their own concurrency where none is given.

    Raises ValidationException for unknown rules or a concurrency that is no whole number from 1, and
    InvalidParameterValueException where what functions have reserved or provisioned would no longer fit.
    """
    current = account_settings(registry)
    if rules_name is not None and rules_name not in RULES:
        raise ValidationException(
            f"1 validation error detected: Value '{rules_name}' at 'rules' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{', '.join(RULES)}]"
        )
    rules = RULES[rules_name or current.rules_name]
    if concurrency is not None:
        validate_concurrency(concurrency, ACCOUNT_CONCURRENCY, rules)
        wanted = concurrency
    else:
        wanted = current.concurrency if rules_name in (None, current.rules_name) else rules.concurrency
    taken = sum(set_aside(registry).values())
    if taken and wanted - taken < rules.unreserved_minimum:
        raise InvalidParameterValueException(
            f"A concurrency of {wanted} for the account can't hold the {taken} that functions have reserved or "
            f"provisioned beside the {rules.unreserved_minimum} that must stay unreserved: delete some of it first."
        )
    with registry.writing():
        registry.connection.executemany(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)", [("rules", rules.name), ("concurrency", str(wanted))]
        )
    return account_settings(registry)


def reserved(registry: Registry) -> dict[str, int]:
    """Reserved concurrency by function, of those that have any."""
    return dict(registry.connection.execute("SELECT function, executions FROM reserved_concurrency"))


def set_aside(registry: Registry) -> dict[str, int]:
    """What each function takes out of the account's unreserved concurrency: reserved, or else provisioned."""
    taken = dict(
        registry.connection.execute("SELECT function, sum(executions) FROM provisioned_concurrency GROUP BY function")
    )
    return taken | reserved(registry)


def put_reserved(registry: Registry, function: str, executions: int) -> None:
    """Reserve concurrency; 0 stops the function. Raises ResourceNotFoundException, ValidationException,
    InvalidParameterValueException."""
    registry.get(function)
    settings = account_settings(registry)
    validate_concurrency(executions, RESERVED_CONCURRENCY, settings.rules)
    others = sum(count for name, count in set_aside(registry).items() if name != function)
    # Setting 0 takes nothing away from anyone, whatever is left.
    if executions and settings.concurrency - others - executions < settings.rules.unreserved_minimum:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{settings.rules.unreserved_minimum}].",
            _what_is_left("reserved", executions, settings, others),
        )
    its_provisioned = sum(entry.executions for entry in provisioned(registry, function))
    if executions < its_provisioned:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function is less than its provisioned concurrency "
            f"[{its_provisioned}]."
        )
    with registry.writing():
        registry.connection.execute("INSERT OR REPLACE INTO reserved_concurrency VALUES (?, ?)", [function, executions])


def delete_reserved(registry: Registry, function: str) -> None:
    """Back to the unreserved concurrency. Raises ResourceNotFoundException for an unknown function only."""
    registry.get(function)
    with registry.writing():
        registry.connection.execute("DELETE FROM reserved_concurrency WHERE function = ?", [function])


def provisioned(registry: Registry, function: str | None = None) -> list[Provisioned]:
    """Provisioned concurrency of a function's versions and aliases, or of every function's."""
    where, parameters = ("", []) if function is None else ("WHERE function = ?", [function])
    rows = registry.connection.execute(
        f"SELECT function, qualifier, executions, last_modified FROM provisioned_concurrency {where} "
        "ORDER BY function, qualifier",
        parameters,
    )
    return [Provisioned(*row) for row in rows]


def get_provisioned(registry: Registry, function: str, qualifier: str) -> Provisioned:
    """Raises ProvisionedConcurrencyConfigNotFoundException, ResourceNotFoundException."""
    registry.get(function, qualifier)
    for entry in provisioned(registry, function):
        if entry.qualifier == qualifier:
            return entry
    raise ProvisionedConcurrencyConfigNotFoundException("No Provisioned Concurrency Config found for this function")


def put_provisioned(registry: Registry, function: str, qualifier: str, executions: int) -> Provisioned:
    """Keep this many environments of a published version, or of an alias's, initialised.

    Raises ResourceNotFoundException, ValidationException, ResourceConflictException (the version has some already, by
    itself or by an alias), InvalidParameterValueException (`$LATEST`; more than there is).
    """
    settings = account_settings(registry)
    validate_concurrency(executions, PROVISIONED_CONCURRENCY, settings.rules)
    version = LATEST if qualifier == LATEST else registry.get(function, qualifier).version
    if version == LATEST:
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    others = [entry for entry in provisioned(registry, function) if entry.qualifier != qualifier]
    _check_not_twice(registry, function, qualifier, version, others)
    wanted = executions + sum(entry.executions for entry in others)
    its_reserved = reserved(registry).get(function)
    if its_reserved is not None:
        if wanted > its_reserved:
            raise InvalidParameterValueException(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function",
                f"provisioned concurrency: {wanted} asked for with what its other versions have, of {its_reserved} "
                "reserved. Ask for less, or reserve more.",
            )
    else:
        taken = sum(count for name, count in set_aside(registry).items() if name != function)
        if settings.concurrency - taken - wanted < settings.rules.unreserved_minimum:
            raise InvalidParameterValueException(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                f"its minimum value of [{settings.rules.unreserved_minimum}].",
                _what_is_left("provisioned", wanted, settings, taken),
            )
    with registry.writing():
        registry.connection.execute(
            "INSERT OR REPLACE INTO provisioned_concurrency VALUES (?, ?, ?, ?)",
            [function, qualifier, executions, timestamp()],
        )
    return get_provisioned(registry, function, qualifier)


def delete_provisioned(registry: Registry, function: str, qualifier: str) -> None:
    """Nothing happens where there is none. Raises ResourceNotFoundException for an unknown function or qualifier."""
    registry.get(function, qualifier)
    with registry.writing():
        registry.connection.execute(
            "DELETE FROM provisioned_concurrency WHERE function = ? AND qualifier = ?", [function, qualifier]
        )


def _what_is_left(kind: str, wanted: int, settings: AccountSettings, others: int) -> str:
    minimum = settings.rules.unreserved_minimum
    most = max(0, settings.concurrency - others - minimum)
    return (
        f"{kind} concurrency: {wanted:,} asked for, at most {most:,} are left: of the account's "
        f"{settings.concurrency:,}, other functions have set {others:,} aside and {minimum:,} must stay unreserved. "
        "Ask for less, or take some from the others."
    )


def _check_not_twice(
    registry: Registry, function: str, qualifier: str, version: str, others: list[Provisioned]
) -> None:
    for entry in others:
        if is_version(qualifier):
            if not is_version(entry.qualifier) and registry.get(function, entry.qualifier).version == version:
                raise ResourceConflictException(
                    "Version is pointed by a Provisioned Concurrency alias",
                    f"Take it from the alias {entry.qualifier} first.",
                )
        elif entry.qualifier == version:
            raise ResourceConflictException(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
                f"Take it from version {version} first.",
            )
