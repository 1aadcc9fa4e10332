"""The catalogue: which deployment an invocation's name and qualifier mean now, and what changes when a function does.

The registry keeps what functions are; deployments are what runs. Each version that was invoked has a deployment here,
which is replaced when its code or configuration changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lambdanb.code.store import CodeStore
from lambdanb.executor import concurrency
from lambdanb.executor.deployments import Deployment
from lambdanb.executor.fleet import Fleet
from lambdanb.executor.loop import Timer
from lambdanb.executor.registry import Registry
from lambdanb.executor.versions import FunctionVersion
from lambdanb.model.errors import TooManyRequestsException
from lambdanb.model.names import LATEST, is_version
from lambdanb.model.rules import Rules

_AGAIN_S = 1.0
"""A provisioned environment that was lost is replaced after this: an init that fails mustn't be run without pause."""


class Catalogue:
    """Deployments by function and version. `provisioned_wait` says why provisioned environments can't be begun."""

    def __init__(
        self,
        registry: Registry,
        code: CodeStore,
        fleet: Fleet,
        rules: Rules,
        access: Callable[[str, str], dict[str, str]],
    ) -> None:
        """`access(function's ARN, role's ARN)`: the variables by which a function speaks to AWS."""
        self.registry = registry
        self.code = code
        self.fleet = fleet
        self.rules = rules
        self._access = access
        self._deployments: dict[tuple[str, str], Deployment] = {}
        self._plain: dict[tuple[str, str | None], Deployment] = {}
        self.provisioned_wait: str | None = None
        self._again: Timer | None = None
        fleet.on_provisioned_lost = self._keep_provisioned_soon

    def resolve(self, name: str, qualifier: str | None) -> Deployment:
        """What to run. Raises ResourceNotFoundException. An alias with weights is drawn anew at each call."""
        deployment = self._plain.get((name, qualifier))
        if deployment is None:
            version = self.registry.resolve(name, qualifier)
            deployment = self.deployment_of(version)
            if qualifier is None or is_version(qualifier) or not self.registry.alias(name, qualifier).weights:
                self._plain[name, qualifier] = deployment
        return deployment

    def deployment_of(self, version: FunctionVersion) -> Deployment:
        """The deployment of a version, made at first use."""
        key = (version.function, version.version)
        deployment = self._deployments.get(key)
        if deployment is None:
            code = str(self.code.path(version.code_sha256))
            deployment = Deployment(
                version.configuration, version.version, code, frozenset(version.imports), self.rules, self._access
            )
            self._deployments[key] = deployment
            self.fleet.adopt(deployment)
        return deployment

    def changed(self, name: str) -> None:
        """The function's `$LATEST` was deployed or configured: what runs of it is replaced."""
        self._forget_resolved(name)
        old = self._deployments.pop((name, LATEST), None)
        if old is not None:
            self.fleet.retire_deployment(old)
        self.deployment_of(self.registry.get(name))

    def aliases_changed(self, name: str) -> None:
        """What a qualifier means may be another version now."""
        self._forget_resolved(name)

    def deleted(self, name: str, version: str | None = None) -> None:
        """The function, or one version of it, is gone: what is busy finishes, everything else ends."""
        self._forget_resolved(name)
        for key in [key for key in self._deployments if key[0] == name and version in (None, key[1])]:
            self.fleet.retire_deployment(self._deployments.pop(key))
        if version is None:
            self.fleet.placement.forget(name)

    def rules_changed(self, rules: Rules, account_concurrency: int) -> None:
        """Other rules hold: every environment is replaced by one under them."""
        self.rules = rules
        self.fleet.placement.change_rules(rules, account_concurrency)
        for deployment in self._deployments.values():
            self.fleet.retire_deployment(deployment)
        self._deployments.clear()
        self._plain.clear()
        self.apply_concurrency()

    def apply_concurrency(self) -> None:
        """Put in force what the registry says of reserved and provisioned concurrency."""
        placement, now_s = self.fleet.placement, time.monotonic()
        reserved = concurrency.reserved(self.registry)
        for name in reserved.keys() | placement.shares.keys():
            placement.reserve(name, reserved.get(name), now_s)
        wanted: dict[Deployment, int] = {}
        for entry in concurrency.provisioned(self.registry):
            deployment = self.deployment_of(self.registry.get(entry.function, entry.qualifier))
            wanted[deployment] = wanted.get(deployment, 0) + entry.executions
        totals: dict[str, int] = {}
        for deployment, count in wanted.items():
            totals[deployment.name] = totals.get(deployment.name, 0) + count
        for name in totals.keys() | placement.shares.keys():
            placement.provision(name, totals.get(name, 0))
        for deployment in self._deployments.values():
            deployment.provisioned = wanted.get(deployment, 0)
        self.keep_provisioned()

    def keep_provisioned(self) -> None:
        """Start what is missing of the provisioned environments, and let go of those too many.

        What the machine can't carry is tried again later.
        """
        self.provisioned_wait = None
        for deployment in self._deployments.values():
            alive = [environment for environment in deployment.environments if environment.provisioned]
            self.fleet.release(alive[deployment.provisioned :])
            try:
                for _ in range(deployment.provisioned - len(alive)):
                    self.fleet.launch(deployment, time.monotonic(), provisioned=True)
            except TooManyRequestsException as error:
                self.provisioned_wait = error.message
                self._keep_provisioned_soon()
                return

    def provisioned_ready(self, name: str) -> dict[str, int]:
        """How many of its provisioned environments are initialised, by version or alias."""
        left: dict[str, int] = {}
        found = {}
        for entry in concurrency.provisioned(self.registry, name):
            version = self.registry.get(name, entry.qualifier).version
            if version not in left:
                deployment = self._deployments.get((name, version))
                environments = deployment.environments if deployment is not None else ()
                left[version] = sum(each.provisioned and each.state in ("idle", "busy") for each in environments)
            # Two aliases of one version share its environments.
            found[entry.qualifier] = min(entry.executions, left[version])
            left[version] -= found[entry.qualifier]
        return found

    def _keep_provisioned_soon(self) -> None:
        def again() -> None:
            self._again = None
            self.keep_provisioned()

        if self._again is None:
            self._again = self.fleet.loop.call_later(_AGAIN_S, again)

    def _forget_resolved(self, name: str) -> None:
        for key in [key for key in self._plain if key[0] == name]:
            del self._plain[key]
