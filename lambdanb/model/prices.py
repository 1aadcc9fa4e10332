"""Price books: AWS Lambda's list prices in us-east-1, exact, in dollars.

GB is 1,024 MB of memory, as AWS counts it. Source: the pricing page of AWS Lambda; for 2014, its first form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from lambdanb.model.rules import PREVIEW_2014, TODAY, Rules

ZERO = Decimal(0)
Tiers = tuple[tuple[Decimal | None, Decimal], ...]


@dataclass(frozen=True, kw_only=True)
class DurationPrices:
    """Prices per GB-s that differ between architectures.

    on_demand             tiers as (up to so many GB-s a month, price of one GB-s); None: without end
    provisioned           keeping provisioned concurrency ready
    provisioned_duration  running on it
    """

    on_demand: Tiers
    provisioned: Decimal = ZERO
    provisioned_duration: Decimal = ZERO


@dataclass(frozen=True, kw_only=True)
class PriceBook:
    """All prices of one set of rules. What was not sold costs 0.

    request, free_requests       one request; so many a month are free
    duration, free_gb_s          per architecture; so many GB-s a month are free, of on-demand duration
    storage_gb_s                 /tmp over `free_tmp_mb`
    provisioned_step_s           provisioned concurrency is billed in steps of this, rounded up
    snap_cache_gb_s              SnapStart: keeping a snapshot, for at least `snap_cache_least_s`
    snap_restore_gb              SnapStart: one restore
    streamed_gb                  response streaming past the first `free_stream_bytes` of each response
    """

    request: Decimal
    free_requests: int
    duration: dict[str, DurationPrices] = field(hash=False)
    free_gb_s: Decimal
    free_tmp_mb: int = 512
    storage_gb_s: Decimal = ZERO
    provisioned_step_s: int = 300
    snap_cache_gb_s: Decimal = ZERO
    snap_cache_least_s: int = 10_800
    snap_restore_gb: Decimal = ZERO
    streamed_gb: Decimal = ZERO
    free_stream_bytes: int = 6 * 1024 * 1024

    def prices(self, architecture: str) -> DurationPrices:
        """The duration prices of an architecture. In 2014 there was one; any other is billed as it."""
        return self.duration.get(architecture) or self.duration["x86_64"]


def _tiers(*steps: tuple[str | None, str]) -> Tiers:
    return tuple((None if upto is None else Decimal(upto), Decimal(price)) for upto, price in steps)


TODAY_PRICES = PriceBook(
    request=Decimal("0.0000002"),
    free_requests=1_000_000,
    duration={
        "x86_64": DurationPrices(
            on_demand=_tiers(("6e9", "0.0000166667"), ("15e9", "0.0000150000"), (None, "0.0000133334")),
            provisioned=Decimal("0.0000041667"),
            provisioned_duration=Decimal("0.0000097222"),
        ),
        "arm64": DurationPrices(
            on_demand=_tiers(("7.5e9", "0.0000133334"), ("18.75e9", "0.0000120001"), (None, "0.0000106667")),
            provisioned=Decimal("0.0000033334"),
            provisioned_duration=Decimal("0.0000077778"),
        ),
    },
    free_gb_s=Decimal(400_000),
    storage_gb_s=Decimal("0.0000000309"),
    snap_cache_gb_s=Decimal("0.0000015046"),
    snap_restore_gb=Decimal("0.0001397998"),
    streamed_gb=Decimal("0.008"),
)

PREVIEW_2014_PRICES = PriceBook(
    request=Decimal("0.0000002"),
    free_requests=1_000_000,
    duration={"x86_64": DurationPrices(on_demand=_tiers((None, "0.00001667")))},
    free_gb_s=Decimal(400_000),
)

PRICES: dict[str, PriceBook] = {TODAY.name: TODAY_PRICES, PREVIEW_2014.name: PREVIEW_2014_PRICES}


def price_book(rules: Rules) -> PriceBook:
    """The prices that go with a set of rules, by its name."""
    return PRICES[rules.name]
