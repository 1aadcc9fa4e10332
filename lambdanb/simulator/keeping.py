"""Keep-alive policies at work in a run: Python objects, so that the kernel runs uncompiled with them.

An environment whose policy unloads it and loads it again later stays on its function's idle list meanwhile; for the
counts it ended when it fell idle, and another was created when it is loaded. Where none is loaded, an environment
starts in the place of the one used most recently, as in `policies.replay_policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lambdanb.simulator.counting import step
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.policies import KeepAlivePolicyError, Policy, Window, tell, window_of
from lambdanb.simulator.state import (
    ENDED,
    ENVIRONMENTS,
    FREE,
    LIFETIME_S,
    Account,
    Environments,
    Functions,
    Ring,
    Settings,
    Windows,
)


class State(Protocol):
    """What `Keeping` needs of a replication; `environments` is replaced where there are more."""

    environments: Environments
    functions: Functions
    windows: Windows
    account: Account
    settings: Settings


class Keeping:
    """The policies of all functions, one object for each; None where a function has none."""

    def __init__(self, models: Sequence[Simulated], state: State) -> None:
        self._names = [each.name for each in models]
        self._policies: list[Policy | None] = [each.new_policy() for each in models]
        self._state = state

    def fall_idle(self, e: int) -> None:
        """An environment falls idle, at its departure: its policy says until when it is kept, and from when."""
        its, f = self._state.environments, int(self._state.environments.group[e]) >> 1
        policy, since_s = self._policies[f], float(its.departure_s[e])
        if policy is None or its.group[e] & 1 or its.expiry_s[e] == since_s:  # provisioned, or ended by a timeout
            return
        window = self._ask(f, policy, since_s)
        its.loaded_s[e] = since_s + window.pre_warm_s
        its.expiry_s[e] = since_s + window.end_s
        if its.loaded_s[e] > since_s:
            self._count_end(e, since_s)

    def take(self, f: int, now_s: float) -> int:
        """The environment used most recently of those loaded, moved to the front of its list; -1: there is none."""
        its, newest_idle = self._state.environments, self._state.functions.newest_idle
        group = 2 * f
        recent = int(newest_idle[group])
        if recent < 0:
            return -1
        recent_since_s = float(its.departure_s[recent])
        before, e = -1, recent
        while e >= 0 and not its.loaded_s[e] <= now_s < its.expiry_s[e]:
            following = int(its.link[e])
            if its.expiry_s[e] <= now_s:
                self._count_load(e)
                self._count_end(e, float(its.expiry_s[e]))
                self._free(group, before, e)
            else:
                before = e
            e = following
        if e >= 0:
            recent_since_s = float(its.departure_s[e])
            self._count_load(e)
            self._unlink(group, before, e)
            its.link[e] = newest_idle[group]
            newest_idle[group] = e
        elif newest_idle[group] >= 0:
            self._free(group, -1, int(newest_idle[group]))
        policy = self._policies[f]
        if policy is not None:
            self._tell(f, policy, now_s - recent_since_s, now_s)
        return e

    def finish(self, ring: Ring) -> None:
        """At the end of the run: what is still to fall idle before it does, and what is to be loaded is."""
        its, until_s = self._state.environments, self._state.settings.seconds
        busy = [e for first in ring.head for e in self._chain(int(first)) if its.departure_s[e] <= until_s]
        for e in sorted(busy, key=lambda e: float(its.departure_s[e])):
            self.fall_idle(e)
        idle = [e for first in self._state.functions.newest_idle for e in self._chain(int(first))]
        for e in busy + idle:
            self._count_load(e)

    def _ask(self, f: int, policy: Policy, now_s: float) -> Window:
        try:
            return window_of(policy)
        except KeepAlivePolicyError as error:
            raise self._told(f, now_s, error) from error.__cause__

    def _tell(self, f: int, policy: Policy, idle_s: float, now_s: float) -> None:
        try:
            tell(policy, idle_s)
        except KeepAlivePolicyError as error:
            raise self._told(f, now_s, error) from error.__cause__

    def _told(self, f: int, now_s: float, error: KeepAlivePolicyError) -> KeepAlivePolicyError:
        return KeepAlivePolicyError(f"{self._names[f]}, {now_s:g} s after the start: {error}")

    def _count_load(self, e: int) -> None:
        """An environment that had been unloaded was loaded again."""
        its = self._state.environments
        if its.loaded_s[e] > its.departure_s[e]:
            its.created_s[e] = its.loaded_s[e]
            self._step(float(its.loaded_s[e]), 1)
            its.loaded_s[e] = its.departure_s[e]

    def _count_end(self, e: int, at_s: float) -> None:
        account = self._state.account
        self._step(at_s, -1)
        account.floats[LIFETIME_S] += at_s - self._state.environments.created_s[e]
        account.integers[ENDED] += 1

    def _step(self, at_s: float, by: int) -> None:
        windows, settings = self._state.windows, self._state.settings
        step(windows.partial, windows.steps, ENVIRONMENTS, at_s, by, settings.window_s, settings.seconds)

    def _unlink(self, group: int, before: int, e: int) -> None:
        link = self._state.environments.link
        if before < 0:
            self._state.functions.newest_idle[group] = link[e]
        else:
            link[before] = link[e]

    def _free(self, group: int, before: int, e: int) -> None:
        self._unlink(group, before, e)
        integers = self._state.account.integers
        self._state.environments.link[e] = integers[FREE]
        self._state.environments.loaded_s[e] = 0.0
        integers[FREE] = e

    def _chain(self, e: int) -> list[int]:
        found = []
        while e >= 0:
            found.append(e)
            e = int(self._state.environments.link[e])
        return found
