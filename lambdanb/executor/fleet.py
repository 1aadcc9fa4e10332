"""The fleet: every environment there is. Starts them, keeps idle ones alive, makes room, ends them.

Starting is the only slow thing an invocation may wait for, so all of it is asynchronous: a launch returns at once and
the dispatcher is told when the environment is ready.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from lambdanb.executor.chores import Chores
from lambdanb.executor.deployments import Deployment
from lambdanb.executor.environments import Environment, Owner
from lambdanb.executor.loop import Loop
from lambdanb.executor.memory_full import machine_full
from lambdanb.executor.placement import Placement
from lambdanb.executor.templates import start_template
from lambdanb.executor.times import Times
from lambdanb.executor.zygotes import Zygote, Zygotes
from lambdanb.model import keep_alive
from lambdanb.model.errors import TooManyRequestsException
from lambdanb.sandbox.sandbox import Sandboxes


class Fleet:
    """All deployments' environments, within the memory that this machine carries."""

    def __init__(
        self,
        loop: Loop,
        times: Times,
        placement: Placement,
        sandboxes: Sandboxes,
        zygotes: Zygotes,
        readable: list[str],
    ) -> None:
        self.loop = loop
        self.times = times
        self.placement = placement
        self.sandboxes = sandboxes
        self.zygotes = zygotes
        self.readable = readable
        self.deployments: set[Deployment] = set()
        self.chores = Chores(loop, self._is_starting)
        zygotes.on_ready = self._zygote_is_ready
        self.owner: Owner | None = None
        self.on_provisioned_lost: Callable[[], object] = lambda: None
        self._random = Random()

    def adopt(self, deployment: Deployment) -> None:
        """A version that may soon be invoked: have its zygote, and its template, ready."""
        self.deployments.add(deployment)
        zygote = self.zygotes.prepare(deployment.imports)
        if deployment.configuration.snap_start:
            self.prepare_template(deployment)
        elif zygote.state == "ready":
            self._refill(deployment, zygote)

    def environments(self) -> Iterator[Environment]:
        """Every environment that isn't gone."""
        for deployment in self.deployments:
            yield from deployment.environments

    def take_idle(self, deployment: Deployment) -> Environment | None:
        """The idle environment that was used last, or None."""
        while deployment.idle:
            environment = deployment.idle.pop()
            if environment.usable:
                return environment
        return None

    def launch(
        self, deployment: Deployment, now_s: float, *, provisioned: bool = False, new: bool = False
    ) -> Environment:
        """Begin an environment; the owner is told when it is ready, or lost.

        One that lost its runtime is started anew, with its old /tmp, unless it has to be `new`. Raises
        TooManyRequestsException when the function may not grow so fast, or the machine carries no more and nothing idle
        can make room.
        """
        while deployment.down and not provisioned and not new:
            environment = deployment.down.pop()
            if self.restart(environment):
                return environment
        if not provisioned:
            self.placement.grow(deployment.name, now_s)
        self._make_room(deployment.configuration.memory_mb)
        environment = self._create(deployment)
        environment.provisioned = provisioned
        deployment.environments.add(environment)
        self.placement.used_memory_mb += deployment.configuration.memory_mb
        self._when_forkable(environment)
        if not environment.started_s:
            snap_start = deployment.configuration.snap_start
            wait_s = self.times.fork_timeout_s + (self.times.template_timeout_s if snap_start else 0.0)
            self.loop.call_later(wait_s, lambda: self._give_up(environment))
        return environment

    def restart(self, environment: Environment) -> bool:
        """Start a fresh runtime in an environment that is down. False: its init is gone, as it is about to be told."""
        try:
            environment.start()
        except OSError:
            return False
        environment.limit_init(self.times.init_timeout_s)
        return True

    def keep(self, environment: Environment) -> None:
        """The environment is idle, or down: keep it for the next invocation, until its keep-alive is over."""
        deployment = environment.deployment
        if deployment.retired:
            self.retire(environment)
            return
        environment.last_used_s = time.monotonic()
        kept = deployment.idle if environment.state == "idle" else deployment.down
        above = len(kept)
        while above and kept[above - 1].provisioned and not environment.provisioned:
            above -= 1
        kept.insert(above, environment)
        kept_s = deployment.fixed_keep_alive_s
        if kept_s is None:
            kept_s = keep_alive.draw(deployment.configuration.keep_alive_s, self._random)
        environment.expires_s = environment.last_used_s + kept_s
        expiry = environment.expiry
        if expiry is not None and expiry.due_s > environment.expires_s:
            # Drawn from a distribution, this time may end before the last one would have.
            expiry.cancel()
            expiry = None
        if expiry is None and not environment.provisioned:
            environment.expiry = self.loop.call_at(environment.expires_s, lambda: self._expire(environment))

    def retire(self, environment: Environment) -> None:
        """End the environment and forget it."""
        environment.destroy()
        self._drop(environment)

    def _drop(self, environment: Environment) -> None:
        """Forget the environment."""
        deployment = environment.deployment
        for kept in (deployment.idle, deployment.down):
            if environment in kept:
                kept.remove(environment)
        if environment.expiry is not None:
            environment.expiry.cancel()
        if environment in deployment.environments:
            deployment.environments.remove(environment)
            self._give_back(deployment.configuration.memory_mb)
            if environment.provisioned and not deployment.retired:
                self.on_provisioned_lost()
        if deployment.retired and not deployment.environments:
            self._forget(deployment)

    def release(self, environments: list[Environment]) -> None:
        """These are provisioned no longer: what runs nothing ends, what is busy is kept as any other later."""
        for environment in environments:
            environment.provisioned = False
            if environment.invocation is None:
                self.retire(environment)

    def retire_deployment(self, deployment: Deployment) -> None:
        """The version's code or configuration was replaced: what is busy finishes, everything else ends now."""
        deployment.retired = True
        for environment in [*deployment.idle, *deployment.down]:
            self.retire(environment)
        if not deployment.environments:
            self._forget(deployment)

    def close(self) -> None:
        """End everything."""
        self.chores.finish()
        for environment in list(self.environments()):
            self.retire(environment)
        for deployment in list(self.deployments):
            self._forget(deployment)

    def prepare_template(self, deployment: Deployment) -> bool:
        """SnapStart: begin the template process that runs init once, if there is none. False: the machine is full."""
        if deployment.template is not None and deployment.template.zygote.state != "gone":
            return True
        memory_mb = deployment.configuration.memory_mb
        try:
            self._make_room(memory_mb)
        except TooManyRequestsException:
            return False
        owner = self.owner
        assert owner is not None
        template = deployment.template = start_template(
            self.loop,
            self.sandboxes,
            self.zygotes,
            deployment,
            self.readable,
            lambda log_stream, text: owner.logged_ahead(deployment, log_stream, text),
        )
        if not template.closed:
            self.placement.used_memory_mb += memory_mb
            template.on_close = lambda: self._give_back(memory_mb)
        template.on_ready = lambda zygote: self._refill(deployment, zygote)
        template.limit(self.times.template_timeout_s)
        return True

    def _give_back(self, memory_mb: int) -> None:
        self.placement.used_memory_mb -= memory_mb

    def _create(self, deployment: Deployment) -> Environment:
        assert self.owner is not None
        environment_id = os.urandom(16).hex()
        sandbox = deployment.create_sandbox(self.sandboxes, environment_id, self.readable)
        return Environment(self.loop, self.times, self.owner, deployment, sandbox, environment_id)

    def _when_forkable(self, environment: Environment) -> None:
        deployment = environment.deployment
        if deployment.configuration.snap_start and self.prepare_template(deployment):
            assert deployment.template is not None
            deployment.template.when_known(lambda template: self._fork(environment, template))
        else:
            self.zygotes.when_ready(deployment.imports, lambda zygote: self._fork(environment, zygote))

    def _fork(self, environment: Environment, zygote: Zygote | None) -> None:
        """`zygote` None: the template came to nothing, so run init as without SnapStart, and let it tell its error."""
        if environment.state == "gone":
            return
        if zygote is None:
            imports = environment.deployment.imports
            self.zygotes.when_ready(imports, lambda plain: self._fork(environment, plain))
            return
        environment.sandbox.init_phase()
        start: dict[str, Any] = environment.deployment.start_message(
            environment.log_stream, template=False, environment_id=environment.id
        )
        try:
            environment.launch(zygote, start)
            self._refill(environment.deployment, zygote)
        except OSError:
            # It died this moment, and its own socket will say so: take the next.
            zygote.close()
            self._when_forkable(environment)
            return
        environment.limit_init(self.times.init_timeout_s)

    def _zygote_is_ready(self, imports: frozenset[str], zygote: Zygote) -> None:
        for deployment in self.deployments:
            if deployment.imports == imports and not deployment.configuration.snap_start:
                self._refill(deployment, zygote)
                return

    def _refill(self, deployment: Deployment, zygote: Zygote) -> None:
        """Have the zygote's spares, and cgroups, ready again a moment from now."""
        self.chores.add(lambda: zygote.spares.refill(deployment.ahead(self.sandboxes, self.readable)))
        self.chores.add(self.sandboxes.refill)

    def _is_starting(self) -> bool:
        return any(environment.state in ("starting", "initialising") for environment in self.environments())

    def _give_up(self, environment: Environment) -> None:
        """No zygote could be had, as when lambdanb was replaced under a running executor: the caller has to be told."""
        if environment.started_s or environment.state == "gone":
            return
        assert self.owner is not None
        environment.started_s = time.monotonic()
        environment.begun = True  # another try would end in the same way
        self.owner.lost(environment, "no zygote could be started for it; see executor.log in the home")

    def _make_room(self, needed: int) -> None:
        while not self.placement.fits(needed):
            idle = [e for d in self.deployments for e in (*d.idle, *d.down) if not e.provisioned]
            if not idle:
                raise machine_full(self.placement, self.deployments, needed)
            oldest = min(idle, key=lambda e: e.last_used_s)
            self._drop(oldest)
            self.chores.add(oldest.destroy)

    def _expire(self, environment: Environment) -> None:
        environment.expiry = None
        if environment.state == "gone":
            return
        waiting = environment in environment.deployment.idle or environment in environment.deployment.down
        now_s = time.monotonic()
        if not waiting:
            environment.expiry = self.loop.call_at(
                max(environment.expires_s, now_s + 1.0), lambda: self._expire(environment)
            )
        elif environment.expires_s > now_s:
            environment.expiry = self.loop.call_at(environment.expires_s, lambda: self._expire(environment))
        else:
            self.retire(environment)

    def _forget(self, deployment: Deployment) -> None:
        self.deployments.discard(deployment)
        if deployment.template is not None:
            deployment.template.close()
            deployment.template = None
