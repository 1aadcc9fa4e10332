"""AWS's worked examples come out to the cent from records of invocations, too."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arrivals import At
from doors import until

import lambdanb
from lambdanb.analysis.bill_of_records import bill_of
from lambdanb.analysis.load import load
from lambdanb.client.connection import Executor
from lambdanb.model.billing import billed_ms, invocation_cost, provisioned_concurrency
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY, Rules

GB = 1024
SLEEPER = "import time\ndef lambda_handler(event, context): time.sleep(0.1)\n"


def records(count: int, duration_ms: float, memory_mb: int, rules: Rules) -> pd.DataFrame:
    """As many warm invocations, with what the executor writes of each: no two of quite the same duration."""
    durations_ms = duration_ms - np.arange(count) % 90 / 100
    billed = [billed_ms(each, rules) for each in durations_ms[:90]]
    frame = pd.DataFrame({"billed_ms": np.resize(billed, count), "memory_mb": memory_mb, "provisioned": False})
    frame["cost"] = frame["billed_ms"].map({each: invocation_cost(each, memory_mb, rules) for each in set(billed)})
    return frame


def test_first_example_of_2014() -> None:
    """512 MB, 3 million invocations of 1 s: $18.34 + $0.40 = $18.74."""
    bill = bill_of(records(3_000_000, 1000, 512, PREVIEW_2014), PREVIEW_2014).cents()
    assert (bill.duration, bill.requests, bill.total) == (Decimal("18.34"), Decimal("0.40"), Decimal("18.74"))


@pytest.mark.parametrize(("rules", "duration"), [(PREVIEW_2014, Decimal("0.208375")), (TODAY, Decimal("0.0645834625"))])
def test_both_roundings(rules: Rules, duration: Decimal) -> None:
    """A million invocations of 31 ms at 128 MB: $0.208 in steps of 100 ms, $0.0646 in steps of 1 ms."""
    frame = records(1_000_000, 31, 128, rules)
    bill = bill_of(frame, rules, free_tier=False)
    assert bill.duration == duration
    assert float(bill.total) == pytest.approx(frame["cost"].sum())


def test_a_month_at_several_memory_sizes_with_what_costs_nothing() -> None:
    """The free tier is the account's; throttled invocations are billed 0 ms, lost ones have no record."""
    frame = pd.concat(
        [
            records(1_000_000, 200, GB, TODAY),
            records(1_000_000, 600, GB // 2, TODAY),
            pd.DataFrame({"billed_ms": [0, np.nan], "memory_mb": [128, np.nan], "provisioned": False}),
        ]
    )
    bill = bill_of(frame)
    assert (bill.requests, bill.duration) == (Decimal("0.20"), Decimal("0.0000166667") * 100_000)
    assert bill_of(frame, free_tier=False).duration == Decimal("0.0000166667") * 500_000


def test_provisioned_concurrency() -> None:
    """1,000 environments of 1 GB kept for 2 hours, 1.2 million invocations of 1 s in them: $30.00 + $11.67 + $0.24."""
    frame = records(1_200_000, 1000, GB, TODAY).assign(provisioned=True)
    kept = provisioned_concurrency(1_000, 7_200, GB)
    bill = bill_of(frame, kept=kept).cents()
    assert (bill.provisioned, bill.duration, bill.requests) == (Decimal("30.00"), Decimal("11.67"), Decimal("0.24"))


def test_no_records() -> None:
    assert bill_of(pd.DataFrame({"billed_ms": [], "memory_mb": [], "provisioned": []})).total == 0


@pytest.fixture(scope="module")
def executor(shared_home: Path) -> Iterator[Executor]:
    yield Executor.of(shared_home)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_load_test_is_billed_by_the_rules_it_ran_under(executor: Executor, name: str) -> None:
    executor.ask("settings", rules=name)
    function = lambdanb.deploy("echo", "def lambda_handler(event, context): return event\n", memory=512)
    result = load(function, At((0.0, 0.1, 0.2)), 1)
    rules = RULES[name]
    assert result.rules is rules
    assert len(result.records) == 3
    wanted = [
        billed_ms(each.duration_ms, rules, each.init_ms if each.cold else None) for each in result.records.itertuples()
    ]
    assert list(result.records["billed_ms"]) == wanted
    bill = result.cost()
    assert bill.requests == 3 * Decimal("0.0000002")
    assert float(bill.total) == pytest.approx(result.records["cost"].sum(), rel=1e-12)
    assert bill == bill_of(function.records()[-3:], rules, free_tier=False)
    function.delete()


def test_a_load_test_of_a_provisioned_version(executor: Executor) -> None:
    """What ran in provisioned environments is billed at their price, what spilled over on demand, and the keeping."""
    function = lambdanb.deploy("ready", SLEEPER, memory=GB, provisioned_concurrency=1)
    version = lambdanb.get("ready", next(iter(function.description["provisioned_concurrency"])))
    until(lambda: version.description["provisioned_ready"] == {version.qualifier: 1})
    result = load(version, At((0.0, 0.01, 0.5)), 1)
    ran = result.records
    assert list(ran["provisioned"]) == [True, False, True]
    bill = result.cost()
    gb_s = ran.groupby("provisioned")["billed_ms"].sum() / 1000
    assert float(bill.duration) == pytest.approx(gb_s[False] * 0.0000166667 + gb_s[True] * 0.0000097222)
    assert bill.provisioned == 300 * Decimal("0.0000041667")
    assert float(bill.total - bill.provisioned) == pytest.approx(ran["cost"].sum(), rel=1e-12)
    function.delete()
