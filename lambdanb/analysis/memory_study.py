"""Time and cost at every memory size: of a function that was tuned, or of a law of how memory speeds it up.

    study = memory_study(MemoryLaw(duration_ms=200, cpu_share=0.8), requests=10_000_000)
    study = memory_study(lambdanb.tune(function, event), requests=10_000_000)
    study.table                        # a DataFrame: one row per size, a month's cost under both sets of rules
    study.cheapest("today")            # MB

Processor time comes in proportion to memory: 1,769 MB is one vCPU. So what is bound by the processor runs in
inverse proportion, until it has all the vCPUs that it can use; waiting takes as long at any size. (Amdahl's law.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lambdanb.analysis.tuning import Tuning
from lambdanb.model.billing import billed_ms, monthly_cost, total_ms
from lambdanb.model.rules import RULES, TODAY, Rules, cpu_share

if TYPE_CHECKING:
    from pandas import DataFrame

Floats: TypeAlias = NDArray[np.float64]

_PROBABILITIES = (np.arange(400) + 0.5) / 400
_NORMAL_P99 = 2.3263478740408408
# As many sizes as a line needs; each is a whole number of MB, and those that people choose are among them.
_CHOSEN_MB = (128, 256, 512, 1024, 1769, 2048, 3008, 4096, 5120, 8192, 10_240)
SIZES_MB = tuple(sorted({*(round(mb) for mb in np.geomspace(128, 10_240, 90)), *_CHOSEN_MB}))


class Times(Protocol):
    """What a study is made of."""

    measured: bool

    def sizes_mb(self) -> tuple[int, ...]: ...

    def samples_ms(self, memory_mb: int) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, kw_only=True)
class MemoryLaw:
    """A function by a law. ValueError names the value that can't be, and what is allowed.

    duration_ms   the mean at 1,769 MB, one vCPU
    cpu_share     of that time, 0 to 1: bound by the processor; the rest waits, for a network, say
    threads       how many vCPUs the processor's part can use: at more memory than they need it gets no faster
    p99_ratio     the 99th percentile by the median, from 1 (always the same): the times are lognormal
    needs_mb      the memory that it uses: sizes below can't run it
    """

    duration_ms: float = 200.0
    cpu_share: float = 0.8
    threads: int = 1
    p99_ratio: float = 1.0
    needs_mb: int = 64

    measured = False

    def __post_init__(self) -> None:
        _need("duration_ms", self.duration_ms, 0.01, 900_000)
        _need("cpu_share", self.cpu_share, 0, 1)
        _need("threads", self.threads, 1, 6)
        _need("p99_ratio", self.p99_ratio, 1, 100)
        _need("needs_mb", self.needs_mb, 0, TODAY.memory_mb.maximum)

    def mean_ms(self, memory_mb: int) -> float:
        """The mean duration at a size."""
        vcpus = min(cpu_share(memory_mb), float(self.threads))
        return self.duration_ms * (self.cpu_share / vcpus + 1 - self.cpu_share)

    def sizes_mb(self) -> tuple[int, ...]:
        """Sizes that can run it."""
        return tuple(size for size in SIZES_MB if size >= self.needs_mb)

    def samples_ms(self, memory_mb: int) -> tuple[Floats, Floats]:
        """(times, their weights): evenly spaced quantiles of the lognormal law, with its mean."""
        if self.p99_ratio == 1:
            return np.array([self.mean_ms(memory_mb)]), np.ones(1)
        from scipy.special import ndtri

        times = np.exp(math.log(self.p99_ratio) / _NORMAL_P99 * ndtri(_PROBABILITIES))
        return times * (self.mean_ms(memory_mb) / times.mean()), np.full(len(times), 1 / len(times))


@dataclass(frozen=True)
class Tuned:
    """A function as `tune` measured it: its warm invocations, each event by its weight. Without sizes that failed."""

    tuning: Tuning
    measured = True

    def sizes_mb(self) -> tuple[int, ...]:
        """Sizes at which nothing failed. ValueError if there is none."""
        table = self.tuning.table
        fit = table[(table["failed"] == 0) & table["duration_ms"].notna()]
        if fit.empty:
            raise ValueError(f"tuning: no size of {self.tuning.function} ran without failing: nothing to show")
        return tuple(int(size) for size in fit["memory_mb"])

    def samples_ms(self, memory_mb: int) -> tuple[Floats, Floats]:
        """(times, their weights)."""
        good = [one for one in self.tuning.tried if one.memory_mb == memory_mb and not one.cold and one.error is None]
        each = np.bincount([one.event for one in good], minlength=len(self.tuning.weights))
        weights = np.array([self.tuning.weights[one.event] / each[one.event] for one in good])
        return np.array([one.duration_ms for one in good]), weights


@dataclass(frozen=True, eq=False)
class MemoryStudy:
    """What `memory_study` gives. Arrays are beside `memory_mb`, ascending.

    mean_ms, p99_ms   duration of an invocation
    month_usd         by rules ("today", "preview-2014"): a month's cost in dollars; NaN where the rules have no such
                      size or duration
    """

    measured: bool
    requests: int
    memory_mb: NDArray[np.int64]
    mean_ms: Floats
    p99_ms: Floats
    month_usd: dict[str, Floats]

    @property
    def table(self) -> DataFrame:
        """One row per size: `memory_mb`, `vcpus`, `mean_ms`, `p99_ms`, and a month's cost in dollars by rules."""
        from pandas import DataFrame

        costs = {f"month_usd {name}": cost for name, cost in self.month_usd.items()}
        vcpus = [cpu_share(int(size)) for size in self.memory_mb]
        times = {"mean_ms": self.mean_ms, "p99_ms": self.p99_ms}
        return DataFrame({"memory_mb": self.memory_mb, "vcpus": vcpus, **times, **costs})

    def cheapest(self, rules: str) -> int | None:
        """The size in MB that costs least, the fastest of them if several do; None if these rules have none."""
        costs = self.month_usd[rules]
        if np.isnan(costs).all():
            return None
        least = np.flatnonzero(costs <= np.nanmin(costs) + 1e-12)
        return int(self.memory_mb[least[np.argmin(self.mean_ms[least])]])

    def fastest(self) -> int:
        """The smallest size in MB at which the mean is within 1 % of the least."""
        return int(self.memory_mb[np.argmax(self.mean_ms <= 1.01 * self.mean_ms.min())])

    def nearest(self, memory_mb: float) -> int:
        """The place in the arrays of the size nearest to this one."""
        return int(np.argmin(np.abs(self.memory_mb - memory_mb)))


def memory_study(
    function: MemoryLaw | Tuning, *, requests: int = 1_000_000, architecture: str = "x86_64", free_tier: bool = True
) -> MemoryStudy:
    """Time, and a month's cost under both sets of rules, at every size: requests and duration, all warm.

    `requests` are a month's. ValueError for a number that can't be, and a tuning of which nothing succeeded.
    """
    _need("requests", requests, 0, 10**15)
    times: Times = Tuned(function) if isinstance(function, Tuning) else function
    sizes = times.sizes_mb()
    samples = {size: times.samples_ms(size) for size in sizes}
    months = {
        name: np.array([_month(*samples[size], size, requests, architecture, free_tier, rules) for size in sizes])
        for name, rules in RULES.items()
    }
    return MemoryStudy(
        measured=times.measured,
        requests=requests,
        memory_mb=np.array(sizes),
        mean_ms=np.array([float(values @ weights) for values, weights in samples.values()]),
        p99_ms=np.array([_quantile(values, weights, 0.99) for values, weights in samples.values()]),
        month_usd=months,
    )


def _month(
    values: Floats, weights: Floats, memory_mb: int, requests: int, architecture: str, free_tier: bool, rules: Rules
) -> float:
    """Dollars: each time billed in the rules' steps; NaN for what these rules have not."""
    if memory_mb not in rules.memory_mb or values.max() > 1000 * rules.timeout_s.maximum:
        return math.nan
    billed = _mean_billed_ms(values, weights, rules)
    usage = total_ms(requests, round(requests * billed), memory_mb, rules=rules, architecture=architecture)
    return float(monthly_cost(usage, rules, free_tier=free_tier).total)


def _mean_billed_ms(values: Floats, weights: Floats, rules: Rules) -> float:
    """`billing.billed_ms` of each, on average: over many at once, as a slider has no time for one by one."""
    if len(values) == 1:
        return billed_ms(float(values[0]), rules)
    step = rules.billing_step_ms
    return float(weights @ np.maximum(np.ceil(np.round(values, 2) / step), 1)) * step


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """The value that this share of the weight doesn't pass (the nearest rank)."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share - 1e-12)), len(values) - 1)])


def _need(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value!r}: it must be a number from {least:,} to {most:,}")
