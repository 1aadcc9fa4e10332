"""Time and cost over memory: by a law and as measured; each size costs what its bill says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lambdanb.analysis.memory_study import MemoryLaw, memory_study
from lambdanb.analysis.month_bill import Month, month_bill
from lambdanb.analysis.tuning import Tried, Tuning
from lambdanb.model.rules import PREVIEW_2014, RULES


def tried(memory_mb: int, duration_ms: float, event: int = 0, error: str | None = None, cold: bool = False) -> Tried:
    return Tried(
        memory_mb=memory_mb, event=event, at_s=0.0, cold=cold, error=error, duration_ms=duration_ms,
        init_ms=9.0 if cold else None, max_memory_mb=40, cost=1e-6,
    )  # fmt: skip


def test_the_processors_part_takes_as_long_as_its_share_allows() -> None:
    law = MemoryLaw(duration_ms=100, cpu_share=0.5)
    assert law.mean_ms(1769) == pytest.approx(100)
    assert law.mean_ms(8000) == pytest.approx(100), "one thread has no use for a second vCPU"
    assert law.mean_ms(884) == pytest.approx(50 + 50 * 1769 / 884)
    assert MemoryLaw(duration_ms=100, cpu_share=1, threads=4).mean_ms(2 * 1769) == pytest.approx(50)
    assert MemoryLaw(duration_ms=100, cpu_share=0).mean_ms(128) == pytest.approx(100)


@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
def test_a_size_costs_what_its_bill_says(rules) -> None:  # type: ignore[no-untyped-def]
    study = memory_study(MemoryLaw(duration_ms=123.4, cpu_share=0), requests=7_000_000)
    at = study.nearest(512)
    assert study.memory_mb[at] == 512
    bill = month_bill(Month(requests=7_000_000, duration_ms=123.4, memory_mb=512), rules).bill
    assert bill is not None
    assert study.month_usd[rules.name][at] == float(bill.total)


def test_2014_ends_at_1_gb_and_60_s() -> None:
    study = memory_study(MemoryLaw(duration_ms=20_000, cpu_share=1))
    cost = study.month_usd["preview-2014"]
    assert np.isnan(cost[study.memory_mb > 1024]).all()
    assert np.isnan(cost[0]), "128 MB takes longer than 60 s"
    assert not np.isnan(cost[study.nearest(1024)])
    assert not np.isnan(study.month_usd["today"]).any()


def test_times_that_spread_are_billed_each_by_itself() -> None:
    """31 ms on average: in steps of 100 ms a spread costs more, as some take two steps."""
    always = memory_study(MemoryLaw(duration_ms=31, cpu_share=0), requests=10**8, free_tier=False)
    spread = memory_study(MemoryLaw(duration_ms=31, cpu_share=0, p99_ratio=8), requests=10**8, free_tier=False)
    assert spread.mean_ms == pytest.approx(always.mean_ms)
    assert (spread.p99_ms > 3 * spread.mean_ms).all()
    requests = 20.0
    ratios = {name: (spread.month_usd[name][0] - requests) / (always.month_usd[name][0] - requests) for name in RULES}
    assert 1.03 < ratios["preview-2014"] < 1.2
    assert 1.01 < ratios["today"] < 1.02, "half a millisecond is rounded up, of 31"


def test_the_cheapest_and_the_fastest() -> None:
    study = memory_study(MemoryLaw(duration_ms=200, cpu_share=1), requests=10**8, free_tier=False)
    assert study.fastest() == 1769
    assert study.cheapest("today") <= 1769  # type: ignore[operator]
    waits = memory_study(MemoryLaw(duration_ms=200, cpu_share=0), requests=10**8)
    assert (waits.cheapest("today"), waits.fastest()) == (128, 128)
    assert memory_study(MemoryLaw(needs_mb=2000)).cheapest("preview-2014") is None
    assert memory_study(MemoryLaw(needs_mb=2000)).memory_mb[0] >= 2000


def test_a_tuned_function() -> None:
    tuning = Tuning(
        "resize",
        [3.0, 1.0],
        [
            tried(128, 40), tried(128, 60), tried(128, 250, event=1), tried(128, 900, cold=True),
            tried(512, 10), tried(512, 50, event=1),
            tried(1024, 10, error="Runtime.ExitError: killed"), tried(1024, 5), tried(1024, 5, event=1),
        ],
        interrupted=False,
    )  # fmt: skip
    study = memory_study(tuning, requests=1_000_000, free_tier=False)
    assert study.measured
    assert study.memory_mb.tolist() == [128, 512], "1,024 MB failed"
    assert study.mean_ms == pytest.approx([0.75 * 50 + 0.25 * 250, 0.75 * 10 + 0.25 * 50])
    billed_ms = 0.75 * 100 + 0.25 * 300
    bill = month_bill(Month(requests=1_000_000, duration_ms=0, memory_mb=128, free_tier=False), PREVIEW_2014).bill
    assert bill is not None
    expected = 0.2 + float(bill.duration) * billed_ms / 100
    assert study.month_usd["preview-2014"][0] == pytest.approx(expected)
    assert list(study.table["memory_mb"]) == [128, 512]
    failed = Tuning("resize", [1.0], [tried(128, 1, error="boom")], interrupted=False)
    with pytest.raises(ValueError, match="no size of resize ran without failing"):
        memory_study(failed)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"duration_ms": 0}, "duration_ms is 0: it must be a number from 0.01 to 900,000"),
        ({"cpu_share": 1.1}, "cpu_share is 1.1"),
        ({"threads": 0}, "threads is 0"),
        ({"p99_ratio": 0.5}, "p99_ratio is 0.5"),
        ({"needs_mb": 20_000}, "needs_mb is 20000"),
        ({"duration_ms": math.nan}, "duration_ms is nan"),
    ],
)
def test_what_can_not_be_is_named(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MemoryLaw(**wrong)  # type: ignore[arg-type]


def test_a_negative_number_of_requests() -> None:
    with pytest.raises(ValueError, match="requests is -1"):
        memory_study(MemoryLaw(), requests=-1)


def test_figures() -> None:
    study = memory_study(MemoryLaw())
    from lambdanb.analysis.figures import memory_study_panels

    time, cost = memory_study_panels(study, 512)
    assert time.get_ylabel() == "duration (ms)"
    assert "$" in cost.get_ylabel()
    assert len(memory_study_panels(memory_study(MemoryLaw(needs_mb=2000)))[1].lines) == 1, "nothing of 2014"
