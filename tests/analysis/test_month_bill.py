"""The bill of a month: its lines are the bill, its examples AWS's, and what can't be is refused by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdanb.analysis.bill_table import bills_table, dollars, side_by_side
from lambdanb.analysis.cost_curve import cost_curve
from lambdanb.analysis.month_bill import CHARGES, Month, month_bill
from lambdanb.model.billing import EXACT
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY

SLIDES = Month(requests=3_000_000, duration_ms=1000, memory_mb=512)


def test_the_first_example_of_2014() -> None:
    bill = month_bill(SLIDES, PREVIEW_2014)
    cents = bill.cents()
    assert cents is not None
    assert (cents.requests, cents.duration, cents.total) == (Decimal("0.40"), Decimal("18.34"), Decimal("18.74"))
    assert [(line.charge, line.item, line.quantity, line.price) for line in bill.lines] == [
        ("requests", "free tier", 1_000_000, 0),
        ("requests", "on demand", 2_000_000, Decimal("0.0000002")),
        ("duration", "free tier", 400_000, 0),
        ("duration", "on demand", 1_100_000, Decimal("0.00001667")),
    ]


def test_provisioned_concurrency() -> None:
    """AWS's example: 1,000 environments of 1 GB for 2 h, on which 1.2 million requests of 1 s run."""
    month = Month(
        requests=1_200_000, duration_ms=1000, memory_mb=1024, provisioned=1000, provisioned_hours=2, free_tier=False
    )
    cents = month_bill(month).cents()
    assert cents is not None
    assert (cents.provisioned, cents.duration, cents.requests) == (Decimal("30.00"), Decimal("11.67"), Decimal("0.24"))


def test_only_cold_starts_pay_for_init_and_only_today() -> None:
    month = Month(requests=1000, duration_ms=100, memory_mb=1024, cold_share=0.1, init_ms=400, free_tier=False)
    assert [line.quantity for line in month_bill(month).lines] == [1000, Decimal("140")]
    assert [line.quantity for line in month_bill(month, PREVIEW_2014).lines] == [1000, Decimal("100")]


def test_snap_start_restores_what_would_have_been_an_init() -> None:
    month = Month(
        requests=1000, duration_ms=100, memory_mb=1024, cold_share=0.1, init_ms=400, snap_start=True, free_tier=False
    )
    bill = month_bill(month)
    found = {line.item: line.quantity for line in bill.lines}
    assert found == {"on demand": 100, "snapshot kept": 730 * 3600, "restores": 100}
    assert "For Java it costs nothing" in bill.notes[0]


months = st.builds(
    Month,
    requests=st.integers(0, 10**11),
    duration_ms=st.floats(0, 60_000),
    memory_mb=st.integers(128, 1024),
    architecture=st.sampled_from(["x86_64", "arm64"]),
    cold_share=st.floats(0, 1),
    init_ms=st.floats(0, 10_000),
    provisioned=st.integers(0, 10_000),
    provisioned_hours=st.floats(0, 744),
    provisioned_share=st.floats(0, 1),
    free_tier=st.booleans(),
)


@given(month=months, name=st.sampled_from(sorted(RULES)), tmp_mb=st.integers(512, 10_240), snap=st.booleans())
def test_the_lines_sum_up_to_the_bill(month: Month, name: str, tmp_mb: int, snap: bool) -> None:
    if name == "today":
        month = replace(month, provisioned=0, snap_start=True) if snap else replace(month, tmp_mb=tmp_mb)
    bill = month_bill(month, RULES[name])
    assert bill.bill is not None
    with localcontext(EXACT):
        for charge in CHARGES:
            lines = sum((line.amount for line in bill.lines if line.charge == charge), Decimal(0))
            assert lines == getattr(bill.bill, charge)
    assert bill.bill.streaming == 0


def test_what_2014_could_not_run() -> None:
    month = Month(memory_mb=2048, duration_ms=61_000, tmp_mb=1024)
    bill = month_bill(month, PREVIEW_2014)
    assert (bill.bill, bill.cents(), bill.lines) == (None, None, ())
    assert bill.refused == (
        "memory of 2,048 MB: these rules have at most 1,024 MB",
        "/tmp of 1,024 MB: these rules have at most 512 MB",
        "duration of 61 s: these rules have at most 60 s",
    )
    assert month_bill(month, TODAY).bill is not None


def test_what_2014_did_not_sell() -> None:
    month = Month(architecture="arm64", provisioned=5, cold_share=0.1, init_ms=100)
    bill = month_bill(month, PREVIEW_2014)
    assert bill.bill == month_bill(Month(), PREVIEW_2014).bill
    assert " ".join(bill.notes).count("was not ") == 3
    assert "SnapStart was not sold: left out." in month_bill(Month(snap_start=True), PREVIEW_2014).notes


def test_more_at_a_time_than_the_account_may() -> None:
    month = Month(requests=100_000_000, duration_ms=1000)
    assert "38 invocations run at a time on average" in month_bill(month, PREVIEW_2014).notes[0]
    assert month_bill(month).notes == ()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"requests": -1}, "requests is -1"),
        ({"requests": 1.5}, r"requests is 1\.5: it must be a whole number"),
        ({"duration_ms": 900_001}, "duration_ms is 900001: it must be a number from 0 to 900,000 ms"),
        ({"duration_ms": float("nan")}, "duration_ms is nan"),
        ({"memory_mb": 64}, "memory_mb is 64: .* 128 to 10,240 MB"),
        ({"tmp_mb": 511}, "tmp_mb is 511"),
        ({"architecture": "riscv"}, "architecture is 'riscv': it must be x86_64 or arm64"),
        ({"cold_share": 2}, "cold_share is 2: it must be a number from 0 to 1"),
        ({"init_ms": -5}, "init_ms is -5"),
        ({"provisioned": "many"}, "provisioned is 'many'"),
        ({"provisioned_hours": 800}, "provisioned_hours is 800"),
        ({"snap_start": True, "provisioned": 1}, "not both"),
        ({"snap_start": True, "tmp_mb": 1024}, "only with a /tmp of 512 MB"),
    ],
)
def test_what_can_not_be_is_named(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Month(**wrong)  # type: ignore[arg-type]


def test_side_by_side() -> None:
    month = replace(SLIDES, requests=30_000_000_000)
    rows = side_by_side([month_bill(month, rules) for rules in RULES.values()])
    labels = [row.label for row in rows]
    assert labels == [
        "Requests", "free tier", "on demand",
        "Duration", "free tier", "on demand", "on demand, past 6 billion GB-s",
        "Total for the month",
    ]  # fmt: skip
    today, preview = rows[6].cells
    assert today == ("8,999,600,000 GB-s", "$0.0000150000", "$134,994.0000")
    assert preview == ("-", "-", "-")
    assert (rows[1].note, rows[6].note) == ("1,000,000 a month", "x86_64")


def test_the_table_as_text() -> None:
    text = bills_table([month_bill(replace(SLIDES, memory_mb=2048), rules) for rules in RULES.values()]).text()
    assert text.startswith("Computed from list prices; not a bill of AWS's.")
    assert "preview-2014: could not run: memory of 2,048 MB: these rules have at most 1,024 MB." in text
    assert "today: prices from AWS's price list, us-east-1." in text
    (total,) = (line for line in text.splitlines() if line.startswith("Total"))
    assert total.split()[-2:] == ["$93.73", "-"]


def test_dollars() -> None:
    assert [dollars(Decimal(amount)) for amount in ("0", "0.004", "0.005", "1234.5")] == [
        "$0.00", "< $0.01", "$0.00", "$1,234.50",
    ]  # fmt: skip
    assert dollars(Decimal("0.00001"), 4) == "< $0.0001"


def test_cost_over_requests() -> None:
    curve = cost_curve(Month(memory_mb=2048))
    assert curve.month_usd["today"][0] == 0, "free"
    assert np.isnan(curve.month_usd["preview-2014"]).all()
    assert (np.diff(curve.month_usd["today"]) >= 0).all()
