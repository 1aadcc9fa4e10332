"""What the simulator knows of a function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from lambdanb.model.numbers import is_number
from lambdanb.model.rules import TODAY
from lambdanb.simulator.laws import Law, law
from lambdanb.simulator.mappings import QueueMapping, StreamMapping
from lambdanb.simulator.policies import Decision, KeepAlivePolicyError, OwnPolicy, Policy, is_policy

ARCHITECTURES = ("x86_64", "arm64")

LawLike = Law | float | Mapping[str, Any]
"""A law, a fixed number of seconds, or a dict such as {"law": "exponential", "mean_s": 600}."""


@dataclass(frozen=True, kw_only=True)
class EventInvocations:
    """A function is invoked by events, asynchronously, with AWS's limits and defaults.

    maximum_retry_attempts   0 to 2: how often an event whose function fails is retried, after 1 and after 2 minutes
    maximum_event_age_s      60 to 21,600: an event isn't tried again when it is older

    A throttled event is tried again after 1 s, 2 s, 4 s, at most 5 minutes, as long as it isn't too old.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age_s: float = 21_600

    def __post_init__(self) -> None:
        retries, age_s = self.maximum_retry_attempts, self.maximum_event_age_s
        if retries not in (0, 1, 2):
            raise ValueError(f"maximum_retry_attempts is {retries!r}: it must be 0, 1 or 2")
        if not (is_number(age_s) and 60 <= age_s <= 21_600):
            raise ValueError(f"maximum_event_age_s is {age_s!r}: it must be from 60 to 21,600")


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A function, as the simulator takes it. A profile of a real one gives this by `profile.simulated()`.

    warm           seconds that the handler runs
    init           seconds of a cold start's init, before the handler runs; with `snap_start`, give `restore`
    restore        seconds in which a snapshot is restored, instead of init
    first          seconds that the handler then runs, its first time: often longer. None: as `warm`
    cold           instead of init and first: the whole of a cold invocation, where only that is known
    error_share    share of invocations that the function fails
    outside_s      seconds that request and answer are on their way: part of the latency, and of nothing else
    keep_alive_s   how long an idle environment is kept: a number of seconds, or a distribution from which each
                   environment draws anew whenever it falls idle
    keep_alive     instead: a policy that learns (`simulator.policies`), such as `HybridHistogram`, or a Python function
                   of the idle times so far, in seconds. The kernel then runs uncompiled, some 100 times slower
    reserved       concurrency of its own; None: it shares the account's unreserved
    provisioned    environments that are kept initialised, which no keep-alive ends
    event          it is invoked by events, which wait in a queue and are retried; None: synchronously
    mapping        it is invoked with batches by an event source mapping: `warm` is then of a batch, the stream of
                   records. It has the account to itself, and no provisioned concurrency, policy or `event`

    A handler that runs for `timeout_s` is ended by its timeout, and its environment with it.
    """

    warm: LawLike
    name: str = "function"
    memory_mb: int = 128
    init: LawLike | None = None
    restore: LawLike | None = None
    first: LawLike | None = None
    cold: LawLike | None = None
    error_share: float = 0.0
    outside_s: float = 0.0
    keep_alive_s: LawLike = 600.0
    keep_alive: type[Policy] | Decision | None = None
    reserved: int | None = None
    provisioned: int = 0
    event: EventInvocations | None = None
    mapping: StreamMapping | QueueMapping | None = None
    snap_start: bool = False
    timeout_s: float = 900.0
    tmp_mb: int = 512
    architecture: str = "x86_64"

    def __post_init__(self) -> None:
        for attribute in ("warm", "init", "restore", "first", "cold", "keep_alive_s"):
            value = getattr(self, attribute)
            if value is not None:
                law(value, self._what(attribute))
        if isinstance(self.keep_alive, type) and not is_policy(self.keep_alive):
            raise ValueError(
                f"{self._what('keep_alive')} is {self.keep_alive!r}: a policy's class has observe and window"
            )
        if self.keep_alive is not None and not callable(self.keep_alive):
            raise ValueError(
                f"{self._what('keep_alive')} is {self.keep_alive!r}: it must be a policy's class or a function of the "
                "idle times; a number of seconds or a law is given as keep_alive_s"
            )
        if self.cold is not None and any(each is not None for each in (self.init, self.restore, self.first)):
            raise ValueError(f"{self._what('cold')} is the whole of a cold invocation: give it or init, not both")
        if self.snap_start and self.restore is None:
            raise ValueError(f"{self._what('restore')} is not given: SnapStart restores a snapshot instead of init")
        if not (is_number(self.error_share) and 0 <= self.error_share <= 1):
            raise ValueError(f"{self._what('error_share')} is {self.error_share!r}: it must be from 0 to 1")
        if not (is_number(self.outside_s) and 0 <= self.outside_s < math.inf):
            raise ValueError(f"{self._what('outside_s')} is {self.outside_s!r}: it must be a finite number from 0")
        longest_s = TODAY.timeout_s.maximum
        if not (is_number(self.timeout_s) and 0 < self.timeout_s <= longest_s):
            raise ValueError(
                f"{self._what('timeout_s')} is {self.timeout_s!r}: it must be more than 0, and at most {longest_s} s"
            )
        for attribute, limit in (("memory_mb", TODAY.memory_mb), ("tmp_mb", TODAY.tmp_mb)):
            value = getattr(self, attribute)
            if value not in limit:
                raise ValueError(f"{self._what(attribute)} is {value!r}: it must be a whole number, {limit.range}")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"{self._what('architecture')} is {self.architecture!r}: it must be one of {', '.join(ARCHITECTURES)}"
            )
        for attribute in ("reserved", "provisioned"):
            value = getattr(self, attribute)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise ValueError(f"{self._what(attribute)} is {value!r}: it must be a whole number from 0")
        if self.reserved is not None and self.provisioned > self.reserved:
            raise ValueError(
                f"{self._what('provisioned')} is {self.provisioned}, more than the {self.reserved} reserved"
            )
        if self.event is not None and not isinstance(self.event, EventInvocations):
            raise ValueError(f"{self._what('event')} is {self.event!r:.80}: it must be an EventInvocations")
        if self.mapping is not None:
            self._check_mapping()

    @property
    def warm_law(self) -> Law:
        """What the handler's duration is drawn from."""
        return law(self.warm, self._what("warm"))

    @property
    def start_law(self) -> Law:
        """What a cold start takes before the handler runs."""
        value = self.restore if self.snap_start else self.init
        return law(0.0 if value is None else value, self._what("init"))

    @property
    def first_law(self) -> Law | None:
        """What the handler of a cold start takes; None: as a warm one."""
        value = self.first if self.cold is None else self.cold
        return None if value is None else law(value, self._what("first"))

    @property
    def keep_alive_law(self) -> Law:
        """What the keep-alive is drawn from; `Fixed` for a number."""
        return law(self.keep_alive_s, self._what("keep_alive_s"))

    def new_policy(self) -> Policy | None:
        """A keep-alive policy that knows nothing yet, if it has any."""
        if self.keep_alive is None:
            return None
        if isinstance(self.keep_alive, type):
            try:
                return cast(Policy, self.keep_alive())
            except Exception as error:
                raise KeepAlivePolicyError(
                    f"{self.name}: keep_alive {self.keep_alive.__qualname__}() raised {type(error).__name__}: {error}. "
                    "Each run makes one of its own, without arguments"
                ) from error
        return OwnPolicy(self.keep_alive)

    def _check_mapping(self) -> None:
        if not isinstance(self.mapping, StreamMapping | QueueMapping):
            raise ValueError(
                f"{self._what('mapping')} is {self.mapping!r:.80}: it must be a StreamMapping or a QueueMapping"
            )
        for attribute in ("event", "keep_alive", "provisioned"):
            value = getattr(self, attribute)
            if value is not None and value != 0:
                raise ValueError(
                    f"{self._what(attribute)} is {value!r:.60}: with a mapping it isn't simulated; leave one out"
                )

    def _what(self, attribute: str) -> str:
        return f"{self.name}: {attribute}"
