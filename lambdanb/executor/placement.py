"""Placement: may this invocation run now? Lambda's rules of concurrency, growth and rate, and this machine's memory.

Pure bookkeeping, no processes: what is asked here is answered from counters. The rules' source is
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html and .../invocation-scaling.html.

- Each function with reserved concurrency has it to itself; all the others share what the account has left.
- Provisioned concurrency is taken out of that share, in use or not.
- A function may grow by `growth_per_10s` environments in 10 s, refilled continuously and never accumulated past that.
- Synchronous requests are limited to `requests_per_environment_per_s` times the concurrency.
- The environments' memory settings together never pass what the machine carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lambdanb.model.errors import TooManyRequestsException
from lambdanb.model.rules import Rules


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved up; starts full."""

    __slots__ = ("burst", "rate", "tokens", "updated_s")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.updated_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token: 0.0, or the seconds until there will be one."""
        self.tokens = min(self.burst, self.tokens + (now_s - self.updated_s) * self.rate)
        self.updated_s = now_s
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.rate


@dataclass(slots=True)
class FunctionShare:
    """What one function, all its versions together, uses and may use."""

    in_flight: int = 0
    reserved: int | None = None
    provisioned: int = 0
    growth: TokenBucket | None = None
    requests: TokenBucket | None = None

    @property
    def taken(self) -> int:
        """Of the account's unreserved concurrency."""
        return 0 if self.reserved is not None else max(self.in_flight, self.provisioned)


@dataclass
class Placement:
    """The account's counters. `memory_mb` is what this machine carries, for all environments together."""

    rules: Rules
    concurrency: int
    memory_mb: int
    now_s: float
    used_memory_mb: int = 0
    unreserved_taken: int = 0
    reserved: int = 0
    shares: dict[str, FunctionShare] = field(default_factory=dict)
    account_requests: TokenBucket | None = None

    def __post_init__(self) -> None:
        self.account_requests = self._request_bucket(self.concurrency, self.now_s)

    def share(self, name: str) -> FunctionShare:
        """The function's counters, made at first use."""
        share = self.shares.get(name)
        if share is None:
            growth = self.rules.growth_per_10s
            bucket = None if growth is None else TokenBucket(growth / 10, growth, self.now_s)
            share = self.shares[name] = FunctionShare(growth=bucket)
        return share

    def reserve(self, name: str, reserved: int | None, now_s: float) -> None:
        """Set or, with None, take away a function's reserved concurrency."""
        share = self.share(name)
        self.unreserved_taken -= share.taken
        self.reserved += (reserved or 0) - (share.reserved or 0)
        share.reserved = reserved
        self.unreserved_taken += share.taken
        share.requests = None if reserved is None else self._request_bucket(reserved, now_s)

    def provision(self, name: str, environments: int) -> None:
        """Set how many environments of the function are provisioned, over all its versions."""
        share = self.share(name)
        self.unreserved_taken -= share.taken
        share.provisioned = environments
        self.unreserved_taken += share.taken

    def forget(self, name: str) -> None:
        """The function was deleted. What it still runs is given back as it ends."""
        self.reserve(name, None, self.now_s)
        self.provision(name, 0)

    def enter(self, name: str, now_s: float, *, synchronous: bool) -> None:
        """Count an invocation in, or raise TooManyRequestsException with AWS's reason."""
        share = self.share(name)
        if synchronous:
            self._check_rate(share, now_s)
        if share.reserved is not None:
            if share.in_flight >= share.reserved:
                raise TooManyRequestsException(
                    "Rate Exceeded.",
                    reason="ReservedFunctionConcurrentInvocationLimitExceeded",
                    retry_after_s=1 if share.reserved else None,
                    hint="" if share.reserved else "A reserved concurrency of 0 stops the function; configure another.",
                )
            share.in_flight += 1
            return
        if share.in_flight >= share.provisioned:
            if self.unreserved_taken >= self.concurrency - self.reserved:
                raise TooManyRequestsException(
                    "Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded", retry_after_s=1
                )
            self.unreserved_taken += 1
        share.in_flight += 1

    def room(self, name: str) -> int:
        """How many invocations of the function may be let in now."""
        share = self.share(name)
        if share.reserved is not None:
            return share.reserved - share.in_flight
        return max(share.provisioned - share.in_flight, 0) + self.concurrency - self.reserved - self.unreserved_taken

    def leave(self, name: str) -> None:
        """Count an invocation out."""
        share = self.shares[name]
        if share.reserved is None and share.in_flight > share.provisioned:
            self.unreserved_taken -= 1
        share.in_flight -= 1

    def change_rules(self, rules: Rules, concurrency: int) -> None:
        """Other rules hold from now on, for what comes; what is under way stays counted."""
        self.rules = rules
        self.concurrency = concurrency
        self.account_requests = self._request_bucket(concurrency, self.now_s)
        growth = rules.growth_per_10s
        for share in self.shares.values():
            share.growth = None if growth is None else TokenBucket(growth / 10, growth, self.now_s)
            share.requests = None if share.reserved is None else self._request_bucket(share.reserved, self.now_s)

    def grow(self, name: str, now_s: float) -> None:
        """Count a new environment against the function's growth, or raise TooManyRequestsException."""
        bucket = self.share(name).growth
        if bucket is not None:
            wait_s = bucket.take(now_s)
            if wait_s:
                raise TooManyRequestsException(
                    "Rate Exceeded.", reason="FunctionInvocationRateLimitExceeded", retry_after_s=max(1, round(wait_s))
                )

    def fits(self, memory_mb: int) -> bool:
        """Whether the machine carries one more environment of this size."""
        return self.used_memory_mb + memory_mb <= self.memory_mb

    def _check_rate(self, share: FunctionShare, now_s: float) -> None:
        own = share.requests
        bucket = own if own is not None else self.account_requests
        if bucket is None or not bucket.take(now_s):
            return
        reason = "FunctionInvocationRateLimitExceeded" if own is None else "ReservedFunctionInvocationRateLimitExceeded"
        raise TooManyRequestsException("Rate Exceeded.", reason=reason, retry_after_s=1)

    def _request_bucket(self, concurrency: int, now_s: float) -> TokenBucket | None:
        per_environment = self.rules.requests_per_environment_per_s
        if per_environment is None or concurrency == 0:
            return None
        return TokenBucket(per_environment * concurrency, per_environment * concurrency, now_s)


def carried_memory_mb() -> int:
    """What this machine carries: 90 % of its memory, or of the cgroup's limit that this process lives under."""
    total = _meminfo_mb()
    for path in _cgroup_limits():
        try:
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text) // 1048576)
    return int(total * 0.9)


def _meminfo_mb() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) // 1024
    raise OSError("/proc/meminfo doesn't tell MemTotal")


def _cgroup_limits() -> list[str]:
    """The memory limits of this process's own cgroup, version 1 and 2."""
    paths = ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            _, controllers, path = line.strip().split(":", 2)
            if controllers == "memory":
                paths.append(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")
            elif controllers == "":
                paths.append(f"/sys/fs/cgroup{path}/memory.max")
    return paths
