"""The bill meets AWS's worked examples to the cent, and the float of a record meets the bill."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdanb.model import billing
from lambdanb.model.billing import (
    Bill,
    Usage,
    billed_ms,
    invocation_cost,
    invocations,
    monthly_cost,
    provisioned_concurrency,
    snap_start,
    streaming,
    total_ms,
)
from lambdanb.model.prices import PRICES
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY

GB = 1024


def test_first_example_of_2014() -> None:
    """512 MB, 3 million invocations of 1 s: $18.34 + $0.40 = $18.74."""
    usage = invocations(3_000_000, 1000, 512, rules=PREVIEW_2014)
    bill = monthly_cost(usage, PREVIEW_2014)
    assert usage.gb_s == 1_500_000
    assert bill.duration == Decimal("18.337")
    assert bill.cents() == Bill(requests=Decimal("0.40"), duration=Decimal("18.34"))
    assert bill.cents().total == Decimal("18.74")


def test_provisioned_concurrency_kept_ready() -> None:
    """1,000 environments of 1 GB for 2 hours: $30.00."""
    bill = monthly_cost(provisioned_concurrency(1000, 7200, GB))
    assert bill.cents().provisioned == Decimal("30.00")
    assert bill.cents().total == Decimal("30.00")


def test_duration_under_provisioned_concurrency() -> None:
    """1.2 million invocations of 1 s and 1 GB: $11.67, and $0.24 for the requests, as there is no free tier."""
    bill = monthly_cost(invocations(1_200_000, 1000, GB, provisioned=True)).cents()
    assert (bill.duration, bill.requests) == (Decimal("11.67"), Decimal("0.24"))


def test_both_roundings() -> None:
    """A million invocations of 31 ms at 128 MB: $0.208 in steps of 100 ms, $0.0646 in steps of 1 ms."""
    coarse = monthly_cost(invocations(1_000_000, billed_ms(31, PREVIEW_2014), 128), free_tier=False).duration
    fine = monthly_cost(invocations(1_000_000, billed_ms(31, TODAY), 128), free_tier=False).duration
    assert coarse == Decimal("0.20833375")
    assert fine == Decimal("0.0645834625")


@pytest.mark.parametrize(
    ("duration_ms", "today", "preview"),
    [
        (0.0, 1, 100),
        (0.004, 1, 100),
        (1.0, 1, 100),
        (1.01, 2, 100),
        (100.0, 100, 100),
        (100.001, 100, 100),
        (100.01, 101, 200),
        (0.1 + 0.2, 1, 100),
        (3000.0, 3000, 3000),
        (899_999.5, 900_000, 900_000),
    ],
)
def test_billed_duration_is_rounded_up_to_the_step(duration_ms: float, today: int, preview: int) -> None:
    assert (billed_ms(duration_ms, TODAY), billed_ms(duration_ms, PREVIEW_2014)) == (today, preview)


def test_init_is_billed_today_and_was_not_in_2014() -> None:
    assert billed_ms(10.5, TODAY, init_ms=200.6) == 212
    assert billed_ms(10.5, PREVIEW_2014, init_ms=200.6) == 100


@given(
    duration_ms=st.floats(0, 900_000),
    memory_mb=st.integers(128, 10_240),
    tmp_mb=st.integers(512, 10_240),
    architecture=st.sampled_from(["x86_64", "arm64"]),
    name=st.sampled_from(sorted(RULES)),
)
def test_the_float_of_a_record_is_the_bill(
    duration_ms: float, memory_mb: int, tmp_mb: int, architecture: str, name: str
) -> None:
    rules = RULES[name]
    billed = billed_ms(duration_ms, rules)
    usage = invocations(1, billed, memory_mb, rules=rules, tmp_mb=tmp_mb, architecture=architecture)
    exact = monthly_cost(usage, rules, free_tier=False).total
    cost = invocation_cost(billed, memory_mb, rules, tmp_mb, architecture)
    assert cost == pytest.approx(float(exact), rel=1e-12)


def test_free_tier() -> None:
    assert monthly_cost(invocations(1_000_000, 400, GB)).total == 0
    one_more = monthly_cost(total_ms(1_000_001, 400_000_001, GB))
    assert one_more.requests == Decimal("0.0000002")
    assert one_more.duration == Decimal("0.001") * Decimal("0.0000166667")
    assert monthly_cost(invocations(1_000_000, 400, GB), free_tier=False).requests == Decimal("0.2")


def test_free_tier_is_the_accounts() -> None:
    both = [invocations(1_000_000, 300, GB), invocations(1_000_000, 300, GB, architecture="arm64")]
    bill = monthly_cost(both)
    assert bill.requests == Decimal("0.2")
    assert bill.duration == 200_000 * Decimal("0.0000133334")


@pytest.mark.parametrize(
    ("architecture", "gb_s", "dollars"),
    [
        ("x86_64", 6_000_000_000, "100000.2"),
        ("x86_64", 6_000_000_001, "100000.200015"),
        ("x86_64", 15_000_000_000, "235000.2"),
        ("x86_64", 15_000_000_001, "235000.2000133334"),
        ("arm64", 7_500_000_000, "100000.5"),
        ("arm64", 18_750_000_000, "235001.625"),
        ("arm64", 18_750_000_001, "235001.6250106667"),
    ],
)
def test_tiers(architecture: str, gb_s: int, dollars: str) -> None:
    usage = Usage(architecture=architecture, gb_s=Decimal(gb_s))
    assert monthly_cost(usage, free_tier=False).duration == Decimal(dollars)


def test_provisioned_concurrency_is_rounded_up_to_five_minutes() -> None:
    assert provisioned_concurrency(1, 1, GB).provisioned_gb_s == 300
    assert provisioned_concurrency(1, 300, GB).provisioned_gb_s == 300
    assert provisioned_concurrency(1, 300.5, GB).provisioned_gb_s == 600
    arm = monthly_cost(provisioned_concurrency(10, 3600, GB, architecture="arm64"))
    assert arm.provisioned == 36_000 * Decimal("0.0000033334")


def test_storage_over_512_mb() -> None:
    assert invocations(1000, 1000, 128, tmp_mb=512).storage_gb_s == 0
    usage = invocations(1_500_000, 120_000, 128, tmp_mb=512 + 9728)
    assert usage.storage_gb_s == 180_000_000 * Decimal("9.5")
    assert monthly_cost(usage).storage == Decimal("52.839")


def test_snap_start() -> None:
    usage = snap_start(GB, cached_s=86_400, restores=1_000_000)
    assert monthly_cost(usage).snap_start == 86_400 * Decimal("0.0000015046") + Decimal("139.7998")
    assert snap_start(GB, cached_s=1).snap_cache_gb_s == 10_800
    assert snap_start(GB, restores=1).snap_cache_gb_s == 0


def test_response_streaming() -> None:
    six_mb = 6 * 1024 * 1024
    assert monthly_cost(streaming(1000, six_mb)).streaming == 0
    assert monthly_cost(streaming(1000, six_mb + 1024**3)).streaming == 8


def test_usages_of_one_architecture_sum_up() -> None:
    parts = [
        invocations(3, 7, 129),
        invocations(5, 11, 131, tmp_mb=513),
        provisioned_concurrency(2, 10, 256),
        snap_start(200, cached_s=20_000, restores=3),
        streaming(2, 10**8),
    ]
    together = sum(parts, Usage())
    assert together.requests == 8
    assert monthly_cost(parts) == monthly_cost(together)
    with pytest.raises(ValueError, match="different prices"):
        together + Usage(architecture="arm64")


def test_bills_stay_exact_at_any_scale() -> None:
    """A hundred times the largest account, to a thousandth of a millisecond's price: no digit is lost."""
    usage = total_ms(10**14, 10**18 + 1, 10_239, tmp_mb=10_239)
    bill = monthly_cost(usage, free_tier=False)
    whole = monthly_cost(total_ms(10**14, 10**18, 10_239, tmp_mb=10_239), free_tier=False)
    assert bill.duration - whole.duration == Decimal(10_239) / 1_024_000 * Decimal("0.0000133334")


def test_a_price_book_for_each_rule_set() -> None:
    assert PRICES.keys() == RULES.keys()


def test_a_configuration_is_priced_once() -> None:
    invocation_cost(10, 1234)
    before = dict(billing._per_ms)
    assert invocation_cost(20, 1234) > invocation_cost(10, 1234)
    assert billing._per_ms == before
