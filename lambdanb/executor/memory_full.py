"""The refusal of an environment that this machine's memory doesn't carry: it names who holds the memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambdanb.executor.deployments import Deployment
from lambdanb.executor.placement import Placement
from lambdanb.model.errors import TooManyRequestsException

_MOST_NAMED = 3


@dataclass
class Holding:
    """What all versions of one function hold."""

    memory_mb: int = 0
    environments: int = 0
    provisioned: int = 0
    templates: int = 0

    def __str__(self) -> str:
        things = [_count(self.environments, "environment")] if self.environments else []
        if self.provisioned:
            things[0] += f", {self.provisioned:,} of them provisioned"
        if self.templates:
            things.append(_count(self.templates, "SnapStart template"))
        return f"{self.memory_mb:,} MB ({' and '.join(things)})"


def machine_full(placement: Placement, deployments: Iterable[Deployment], needed_mb: int) -> TooManyRequestsException:
    """A throttle that says how much memory there is, who has taken it, and what to do."""
    held = sorted(holdings(deployments).items(), key=lambda each: -each[1].memory_mb)
    named = [f"{name} has {holding}" for name, holding in held[:_MOST_NAMED]]
    if len(held) > _MOST_NAMED:
        rest_mb = sum(holding.memory_mb for _, holding in held[_MOST_NAMED:])
        named.append(f"{_count(len(held) - _MOST_NAMED, 'other function')} {rest_mb:,} MB")
    provisioned = any(holding.provisioned for _, holding in held)
    return TooManyRequestsException(
        f"This machine carries environments of {placement.memory_mb:,} MB together; {placement.used_memory_mb:,} MB "
        f"are taken, and {needed_mb:,} MB more don't fit{': ' if named else ''}{', '.join(named)}.",
        reason="ConcurrentInvocationLimitExceeded",
        retry_after_s=1,
        hint=(
            "Lower provisioned concurrency, which holds its memory in use or not, or give functions less memory."
            if provisioned
            else "Wait until one has finished, or give functions less memory."
        ),
    )


def holdings(deployments: Iterable[Deployment]) -> dict[str, Holding]:
    """By function, for those that hold any memory."""
    found: dict[str, Holding] = {}
    for deployment in deployments:
        environments = len(deployment.environments)
        templates = int(deployment.template is not None and not deployment.template.closed)
        if environments or templates:
            holding = found.setdefault(deployment.name, Holding())
            holding.memory_mb += (environments + templates) * deployment.configuration.memory_mb
            holding.environments += environments
            holding.provisioned += sum(environment.provisioned for environment in deployment.environments)
            holding.templates += templates
    return found


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
