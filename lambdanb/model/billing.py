"""What invocations cost.

Two kinds of arithmetic, for two uses:

- `billed_ms` and `invocation_cost` are for the record of one invocation, on the executor's hot path: floats, a price
  per millisecond that is worked out once per (rules, memory, /tmp, architecture), about a microsecond a call. No free
  tier and the first tier's price, as those depend on the rest of the month. Good to 15 digits; don't sum them up into
  a bill.
- `Usage` and `monthly_cost` are for bills: exact decimals (an inexact result would raise), with free tier, tiers,
  and each of AWS's roundings.

Source: the pricing page of AWS Lambda and its worked examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, localcontext

from lambdanb.model.prices import ZERO, PriceBook, Tiers, price_book
from lambdanb.model.rules import TODAY, Rules

# Wide enough for every product of prices and quantities; were it not, that should be known.
EXACT = Context(prec=100, traps=[Inexact])
_CENT = Decimal("0.01")


def billed_ms(duration_ms: float, rules: Rules, init_ms: float | None = None) -> int:
    """Billed Duration: rounded up to the billing step, at least one step.

    Init counts where the rules bill it (since 1 August 2025). Times count as REPORT shows them, to 0.01 ms: a Duration
    of 100.00 ms is never billed as 101.
    """
    if init_ms is not None and rules.init_billed:
        duration_ms += init_ms
    step = rules.billing_step_ms
    return max(step, int(-(-round(duration_ms, 2) // step)) * step)


_per_ms: dict[tuple[str, int, int, str, bool], tuple[float, float]] = {}


def invocation_cost(
    billed_ms: int,
    memory_mb: int,
    rules: Rules = TODAY,
    tmp_mb: int = 512,
    architecture: str = "x86_64",
    provisioned: bool = False,
) -> float:
    """Dollars of one invocation at list price: the request, its duration, and /tmp over 512 MB.

    For records (see above). `billed_ms` is what the function of that name gives; `provisioned`: in a provisioned
    environment, whose being kept ready is billed besides.
    """
    key = (rules.name, memory_mb, tmp_mb, architecture, provisioned)
    rates = _per_ms.get(key)
    if rates is None:
        rates = _per_ms[key] = _rates(memory_mb, rules, tmp_mb, architecture, provisioned)
    return rates[0] + billed_ms * rates[1]


def _rates(memory_mb: int, rules: Rules, tmp_mb: int, architecture: str, provisioned: bool) -> tuple[float, float]:
    """Dollars per request and per billed millisecond."""
    book = price_book(rules)
    prices = book.prices(architecture)
    gb_s = (prices.provisioned_duration if provisioned else prices.on_demand[0][1]) * memory_mb
    storage = book.storage_gb_s * max(0, tmp_mb - book.free_tmp_mb)
    return float(book.request), float((gb_s + storage) / (1024 * 1000))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What was used in a month, of one architecture, in the units of the price list. `+` sums usages up.

    requests, gb_s                   on demand
    provisioned_requests, provisioned_duration_gb_s  on provisioned concurrency, which has no free tier
    provisioned_gb_s                 provisioned concurrency kept ready
    storage_gb_s                     /tmp over 512 MB
    snap_cache_gb_s, snap_restore_gb  SnapStart
    streamed_gb                      streamed past the first 6 MB of each response
    """

    architecture: str = "x86_64"
    requests: int = 0
    gb_s: Decimal = ZERO
    provisioned_requests: int = 0
    provisioned_duration_gb_s: Decimal = ZERO
    provisioned_gb_s: Decimal = ZERO
    storage_gb_s: Decimal = ZERO
    snap_cache_gb_s: Decimal = ZERO
    snap_restore_gb: Decimal = ZERO
    streamed_gb: Decimal = ZERO

    def __add__(self, other: Usage) -> Usage:
        if self.architecture != other.architecture:
            raise ValueError(
                f"{self.architecture} and {other.architecture} have different prices: "
                "give monthly_cost the two usages side by side"
            )
        quantities = [each.name for each in fields(Usage) if each.name != "architecture"]
        with localcontext(EXACT):
            sums = {name: getattr(self, name) + getattr(other, name) for name in quantities}
        return Usage(architecture=self.architecture, **sums)


def invocations(
    count: int,
    billed_ms: int,
    memory_mb: int,
    *,
    rules: Rules = TODAY,
    tmp_mb: int = 512,
    architecture: str = "x86_64",
    provisioned: bool = False,
) -> Usage:
    """The usage of `count` invocations that were billed `billed_ms` each."""
    return total_ms(
        count,
        count * billed_ms,
        memory_mb,
        rules=rules,
        tmp_mb=tmp_mb,
        architecture=architecture,
        provisioned=provisioned,
    )


def total_ms(
    count: int,
    billed_ms: int,
    memory_mb: int,
    *,
    rules: Rules = TODAY,
    tmp_mb: int = 512,
    architecture: str = "x86_64",
    provisioned: bool = False,
) -> Usage:
    """The usage of `count` invocations that were billed `billed_ms` together."""
    extra_mb = max(0, tmp_mb - price_book(rules).free_tmp_mb)
    with localcontext(EXACT):
        gb_s = Decimal(billed_ms * memory_mb) / (1024 * 1000)
        storage = Decimal(billed_ms * extra_mb) / (1024 * 1000)
    if provisioned:
        return Usage(
            architecture=architecture,
            provisioned_requests=count,
            provisioned_duration_gb_s=gb_s,
            storage_gb_s=storage,
        )
    return Usage(architecture=architecture, requests=count, gb_s=gb_s, storage_gb_s=storage)


def provisioned_concurrency(
    concurrency: int, seconds: float, memory_mb: int, *, rules: Rules = TODAY, architecture: str = "x86_64"
) -> Usage:
    """The usage of keeping so many environments ready for so long, rounded up to 5 minutes."""
    step = price_book(rules).provisioned_step_s
    billed_s = int(-(-seconds // step)) * step
    with localcontext(EXACT):
        gb_s = Decimal(concurrency * billed_s * memory_mb) / 1024
    return Usage(architecture=architecture, provisioned_gb_s=gb_s)


def snap_start(
    memory_mb: int, *, cached_s: int = 0, restores: int = 0, rules: Rules = TODAY, architecture: str = "x86_64"
) -> Usage:
    """The usage of one version's snapshot: kept for `cached_s` (billed for 3 hours at least) and its restores."""
    if cached_s:
        cached_s = max(cached_s, price_book(rules).snap_cache_least_s)
    with localcontext(EXACT):
        cache = Decimal(cached_s * memory_mb) / 1024
        restored = Decimal(restores * memory_mb) / 1024
    return Usage(architecture=architecture, snap_cache_gb_s=cache, snap_restore_gb=restored)


def streaming(count: int, response_bytes: int, *, rules: Rules = TODAY, architecture: str = "x86_64") -> Usage:
    """The usage of `count` streamed responses of `response_bytes` each, of which the first 6 MB are free."""
    billed = max(0, response_bytes - price_book(rules).free_stream_bytes)
    with localcontext(EXACT):
        return Usage(architecture=architecture, streamed_gb=Decimal(count * billed) / 1024**3)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A month's cost in dollars, exact. `total` is the sum; `cents()` gives a bill as AWS prints it."""

    requests: Decimal = ZERO
    duration: Decimal = ZERO
    provisioned: Decimal = ZERO
    storage: Decimal = ZERO
    snap_start: Decimal = ZERO
    streaming: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """The sum of all lines."""
        with localcontext(EXACT):
            return sum((getattr(self, each.name) for each in fields(self)), ZERO)

    def cents(self) -> Bill:
        """Each line rounded to cents, half a cent up; the total is then the sum of the rounded lines."""
        rounded = {each.name: getattr(self, each.name).quantize(_CENT, ROUND_HALF_UP) for each in fields(self)}
        return Bill(**rounded)


def monthly_cost(usages: Usage | Iterable[Usage], rules: Rules = TODAY, *, free_tier: bool = True) -> Bill:
    """The bill of one account and month.

    Give it the usages of all functions together: free tier and tiers are the account's. Each architecture has tiers of
    its own; the free GB-s go to x86_64 first, then to arm64.
    """
    by_architecture: dict[str, Usage] = {}
    for usage in [usages] if isinstance(usages, Usage) else usages:
        so_far = by_architecture.get(usage.architecture)
        by_architecture[usage.architecture] = so_far + usage if so_far else usage
    book = price_book(rules)
    free_requests = book.free_requests if free_tier else 0
    free_gb_s = book.free_gb_s if free_tier else ZERO
    with localcontext(EXACT):
        requests = sum(usage.requests for usage in by_architecture.values())
        provisioned_requests = sum(usage.provisioned_requests for usage in by_architecture.values())
        duration = provisioned = ZERO
        for architecture in sorted(by_architecture, reverse=True):
            usage = by_architecture[architecture]
            free = min(free_gb_s, usage.gb_s)
            free_gb_s -= free
            prices = book.prices(architecture)
            duration += _tiered(usage.gb_s - free, prices.on_demand)
            duration += usage.provisioned_duration_gb_s * prices.provisioned_duration
            provisioned += usage.provisioned_gb_s * prices.provisioned
        return Bill(
            requests=(max(0, requests - free_requests) + provisioned_requests) * book.request,
            duration=duration,
            provisioned=provisioned,
            storage=sum((usage.storage_gb_s for usage in by_architecture.values()), ZERO) * book.storage_gb_s,
            snap_start=sum((_snap_start(usage, book) for usage in by_architecture.values()), ZERO),
            streaming=sum((usage.streamed_gb for usage in by_architecture.values()), ZERO) * book.streamed_gb,
        )


def tier_parts(gb_s: Decimal, tiers: Tiers) -> list[tuple[Decimal, Decimal]]:
    """The parts of a quantity that fall into each tier, from the first on, and the price of each."""
    parts = []
    start = ZERO
    for upto, price in tiers:
        end = gb_s if upto is None else min(gb_s, upto)
        if end > start:
            parts.append((end - start, price))
            start = end
    return parts


def _tiered(gb_s: Decimal, tiers: Tiers) -> Decimal:
    """The price of a quantity, each part of it at the price of the tier it falls into."""
    return sum((part * price for part, price in tier_parts(gb_s, tiers)), ZERO)


def _snap_start(usage: Usage, book: PriceBook) -> Decimal:
    return usage.snap_cache_gb_s * book.snap_cache_gb_s + usage.snap_restore_gb * book.snap_restore_gb
