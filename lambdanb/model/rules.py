"""AWS Lambda's limits as data, in two sets: `TODAY` and `PREVIEW_2014`.

A `Limit` is a setting that a function chooses within a range. The numbers of `Rules` hold for every function. Where
the slides of the 2014 preview say nothing of a limit, `PREVIEW_2014` has today's value; what had no counterpart then
(a growth rate, a floor of unreserved concurrency) is None or 0.

Sources: "Lambda quotas" and "Configure Lambda function memory" in the AWS Lambda developer guide; for 2014, the slides
that introduced the preview.
"""

from __future__ import annotations

from dataclasses import dataclass

MB = 1024 * 1024
LARGEST_INTEGER = 2**31 - 1
"""Of AWS's API: the maximum of a setting for which it states none."""


@dataclass(frozen=True)
class Limit:
    """A setting's range: from `minimum` to `maximum` in steps of `step`, all in `unit`; `default` if nothing is said.

    `member` is AWS's name for it in the API, as its validation errors write it. A limit that nobody can choose has
    minimum = maximum = default.
    """

    name: str
    unit: str
    minimum: int
    maximum: int
    default: int
    step: int = 1
    member: str = ""

    def __contains__(self, value: object) -> bool:
        """Whether a value is one of the range."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.minimum <= value <= self.maximum and (value - self.minimum) % self.step == 0

    @property
    def range(self) -> str:
        """The range in words, such as "128 to 10,240 MB"."""
        if self.minimum == self.maximum:
            return f"{self.maximum:,} {self.unit}".rstrip()
        if self.maximum == LARGEST_INTEGER:
            return f"{self.minimum:,} {self.unit}".rstrip() + " or more"
        step = f" in steps of {self.step:,}" if self.step != 1 else ""
        return f"{self.minimum:,} to {self.maximum:,} {self.unit}".rstrip() + step


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One set of rules. Change a number with `dataclasses.replace(TODAY, concurrency=50)`.

    processes                        processes and threads of one environment, counted together
    files                            open file descriptors of one process
    connections                      outbound connections of one environment at a time; None: no limit stated
    concurrency                      invocations of the account under way at a time (AWS raises it on request)
    unreserved_minimum               concurrency that reserving must leave to the functions that reserve none
    growth_per_10s                   new environments of one function per 10 s; None: no limit
    requests_per_environment_per_s   synchronous requests per environment of concurrency; None: no limit
    billing_step_ms                  duration is billed in steps of this, rounded up
    init_billed                      whether a cold start's init counts into the billed duration
    payload_bytes                    a synchronous invocation's event
    async_payload_bytes              an event invocation's event
    response_bytes                   a function's answer
    environment_bytes                names and values of environment variables together
    zip_bytes, unzipped_bytes        a deployment package
    policy_bytes                     a resource-based policy
    init_timeout_s                   the init phase outside of an invocation
    metrics_days                     how long metrics are kept
    full_vcpu_mb                     memory that comes with the whole of one vCPU
    retry_attempts, event_age_s      of event invocations, as a function may choose them
    """

    name: str
    memory_mb: Limit
    timeout_s: Limit
    tmp_mb: Limit
    retry_attempts: Limit
    event_age_s: Limit
    processes: int
    files: int
    connections: int | None
    concurrency: int
    unreserved_minimum: int
    growth_per_10s: int | None
    requests_per_environment_per_s: int | None
    billing_step_ms: int
    init_billed: bool
    metrics_days: int
    payload_bytes: int = 6 * MB
    async_payload_bytes: int = MB
    # 100 bytes over 6 MB: the number in AWS's own message.
    response_bytes: int = 6 * MB + 100
    environment_bytes: int = 4 * 1024
    layers: int = 5
    zip_bytes: int = 50 * MB
    unzipped_bytes: int = 250 * MB
    policy_bytes: int = 20 * 1024
    init_timeout_s: int = 10
    full_vcpu_mb: int = 1769


_RETRY_ATTEMPTS = Limit("retry attempts", "", 0, 2, 2, 1, "maximumRetryAttempts")
_EVENT_AGE_S = Limit("event age", "s", 60, 21_600, 21_600, 1, "maximumEventAgeInSeconds")

TODAY = Rules(
    name="today",
    memory_mb=Limit("memory", "MB", 128, 10_240, 128, 1, "memorySize"),
    timeout_s=Limit("timeout", "s", 1, 900, 3, 1, "timeout"),
    tmp_mb=Limit("/tmp", "MB", 512, 10_240, 512, 1, "ephemeralStorage.size"),
    retry_attempts=_RETRY_ATTEMPTS,
    event_age_s=_EVENT_AGE_S,
    processes=1024,
    files=1024,
    connections=None,
    concurrency=1000,
    unreserved_minimum=100,
    growth_per_10s=1000,
    requests_per_environment_per_s=10,
    billing_step_ms=1,
    init_billed=True,
    metrics_days=455,
)

PREVIEW_2014 = Rules(
    name="preview-2014",
    memory_mb=Limit("memory", "MB", 128, 1024, 128, 1, "memorySize"),
    timeout_s=Limit("timeout", "s", 1, 60, 3, 1, "timeout"),
    tmp_mb=Limit("/tmp", "MB", 512, 512, 512, 1, "ephemeralStorage.size"),
    retry_attempts=_RETRY_ATTEMPTS,
    event_age_s=_EVENT_AGE_S,
    processes=256,
    files=1024,
    connections=10,
    concurrency=25,
    unreserved_minimum=0,
    growth_per_10s=None,
    requests_per_environment_per_s=None,
    billing_step_ms=100,
    init_billed=False,
    metrics_days=30,
)

RULES: dict[str, Rules] = {rules.name: rules for rules in (TODAY, PREVIEW_2014)}


def limits(rules: Rules) -> tuple[Limit, ...]:
    """Every limit of a rule set, also those that nobody can choose, for tables. What the set lacks is left out."""
    fixed = (
        ("processes and threads", "", rules.processes),
        ("file descriptors", "", rules.files),
        ("outbound connections", "", rules.connections),
        ("concurrency", "", rules.concurrency),
        ("unreserved concurrency, at least", "", rules.unreserved_minimum or None),
        ("new environments per 10 s", "", rules.growth_per_10s),
        ("requests per environment and second", "", rules.requests_per_environment_per_s),
        ("billing step", "ms", rules.billing_step_ms),
        ("init", "s", rules.init_timeout_s),
        ("payload", "bytes", rules.payload_bytes),
        ("payload of an event invocation", "bytes", rules.async_payload_bytes),
        ("response", "bytes", rules.response_bytes),
        ("environment variables", "bytes", rules.environment_bytes),
        ("layers", "", rules.layers),
        ("deployment package", "bytes", rules.zip_bytes),
        ("deployment package, unzipped", "bytes", rules.unzipped_bytes),
        ("resource-based policy", "bytes", rules.policy_bytes),
        ("metrics kept", "days", rules.metrics_days),
    )
    chosen = (rules.memory_mb, rules.timeout_s, rules.tmp_mb, rules.retry_attempts, rules.event_age_s)
    return chosen + tuple(Limit(name, unit, n, n, n) for name, unit, n in fixed if n is not None)


def cpu_share(memory_mb: int, rules: Rules = TODAY) -> float:
    """The processor time that comes with an amount of memory, in vCPUs: 1.0 at 1,769 MB, 0.072 at 128 MB.

    AWS published no figure in 2014, only "in proportion to memory"; the preview's share is today's line, which keeps
    figures of the two sets comparable (at its largest, 1 GB, it is 0.58 vCPUs).
    """
    return memory_mb / rules.full_vcpu_mb


_VCPU_STEPS = ((3_008, 2), (5_307, 3), (7_076, 4), (8_845, 5))


def visible_vcpus(memory_mb: int) -> int:
    """How many processors a function of this memory sees (`os.cpu_count()`): 2 up to 3,008 MB, 6 over 8,845 MB."""
    for up_to_mb, vcpus in _VCPU_STEPS:
        if memory_mb <= up_to_mb:
            return vcpus
    return 6
