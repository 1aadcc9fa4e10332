"""The kernel run as plain Python is the reference: compiled, it does the same, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from plain_streams import GivenTimes, PoissonArrivals

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.simulate import simulate
from lambdanb.model import billing, histogram
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY
from lambdanb.simulator import counting, run
from lambdanb.simulator.buckets import bucket
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Exponential, LogNormal
from lambdanb.simulator.state import FIRST_BUCKET


def assert_same(one: Forecast, other: Forecast) -> None:
    for a, b in zip(one.runs, other.runs, strict=True):
        assert_frame_equal(a.outcome.windows, b.outcome.windows, check_exact=True)
        assert_frame_equal(a.functions, b.functions, check_exact=True)
        assert a.outcome.latency == b.outcome.latency
        assert a.outcome.latency_by_window == b.outcome.latency_by_window
        assert a.outcome.duration == b.outcome.duration
        assert (a.outcome.billed_ms, a.outcome.cost) == (b.outcome.billed_ms, b.outcome.cost)
        assert a.usages == b.usages
        assert (a.ended, a.life_span_s) == (b.ended, b.life_span_s)


BUSY_ACCOUNT = [
    Simulated(
        name="plain",
        warm=Exponential(0.4),
        init=LogNormal(0.3, 0.5),
        first=Exponential(0.8),
        keep_alive_s=3.0,
        error_share=0.1,
    ),
    Simulated(name="reserved", warm=Exponential(1.0), cold=Exponential(2.0), reserved=8, timeout_s=2.0),
    Simulated(
        name="provisioned",
        warm=LogNormal(0.2, 1.0),
        init=1.0,
        restore=0.1,
        snap_start=True,
        provisioned=3,
        keep_alive_s={"law": "exponential", "mean_s": 2.0},
    ),
]


@pytest.mark.parametrize("outside_s", [0.0, 0.7])
@pytest.mark.parametrize("reuse", ["most-recently-used", "newest-created"])
@pytest.mark.parametrize("rules", [replace(TODAY, growth_per_10s=20), PREVIEW_2014])
def test_compiled_and_uncompiled_agree_bit_for_bit(reuse: str, rules: object, outside_s: float) -> None:
    """With what is outside of one function's environments too: then the counting is another compiled function."""
    account = [replace(BUSY_ACCOUNT[0], outside_s=outside_s), *BUSY_ACCOUNT[1:]]
    streams = [PoissonArrivals(rate) for rate in (15.0, 7.0, 20.0)]
    one, other = (
        simulate(
            account,
            streams,
            seconds=60,
            concurrency=26,
            reuse=reuse,
            rules=rules,  # type: ignore[arg-type]
            compiled=compiled,
        )
        for compiled in (True, False)
    )
    assert one.outcome.count("throttled") > 0
    assert one.runs[0].functions["timeouts"]["reserved"] > 0
    assert_same(one, other)


def test_places_and_draws_run_out_in_the_middle_of_a_chunk() -> None:
    """The kernel comes back for more of either, compiled or not, and nothing is counted twice."""
    model = Simulated(warm=10.0, keep_alive_s=0.0)
    times = np.arange(5_000) * 1e-3
    one, other = (
        simulate(model, GivenTimes(times), seconds=30, concurrency=20_000, rules=FREE, compiled=compiled)
        for compiled in (True, False)
    )
    assert_same(one, other)
    assert one.outcome.count("arrivals") == one.outcome.count("cold") == one.runs[0].ended == 5_000
    assert one.outcome.mean("environments") == pytest.approx(5_000 * 10 / 30)


def test_the_same_seed_gives_the_same_on_one_and_two_threads() -> None:
    streams = [PoissonArrivals(rate) for rate in (15.0, 7.0, 20.0)]
    one, two = (simulate(BUSY_ACCOUNT, streams, seconds=500, runs=4, seed=7, threads=threads) for threads in (1, 2))
    assert_same(one, two)
    assert len({run.outcome.billed_ms for run in one.runs}) == 4, "replications differ from each other"


def test_how_a_stream_is_cut_changes_nothing() -> None:
    times = np.sort(np.random.default_rng(1).random(3_000) * 100)
    model = Simulated(warm=0.2, init=0.5, keep_alive_s=1.0)
    whole, cut = (simulate(model, GivenTimes(times, chunk), seconds=100) for chunk in (65_536, 7))
    assert_same(whole, cut)


def test_a_rate_that_changes_a_thousandfold_changes_the_ring_only() -> None:
    """Departures stay what they are while the ring is rebuilt under them."""
    random = np.random.default_rng(2)
    parts = [start + np.sort(random.random(70_000)) * width for start, width in ((0, 10), (10, 10_000), (10_010, 10))]
    times = np.concatenate(parts)
    model = Simulated(warm=Exponential(3.0), keep_alive_s=0.0)
    found = simulate(model, GivenTimes(times), seconds=10_060, concurrency=100_000, rules=FREE)
    assert found.outcome.count("cold") == len(times)
    # Nothing but durations: the time that environments were busy is what was billed.
    busy_s = found.outcome.mean("busy_cold") * 10_060
    assert busy_s == pytest.approx(found.outcome.billed_ms / 1000, rel=1e-3)
    assert found.runs[0].ended == pytest.approx(len(times), abs=5)


def test_memory_follows_environments_and_not_invocations() -> None:
    replication = run.Replication(
        [Simulated(warm=0.01)],
        TODAY,
        concurrency=1000,
        seconds=10_000,
        windows=10,
        newest_created_first=False,
        seed=0,
    )
    replication.run((times, np.zeros(len(times), np.int32)) for times in PoissonArrivals(50).chunks(0, 10_000))
    assert replication.functions.invoked[0] > 490_000
    assert len(replication.environments.link) == run.FIRST_PLACES


FREE = replace(TODAY, growth_per_10s=None, requests_per_environment_per_s=None)


@given(st.floats(0, 1000))
def test_billed_durations_are_those_of_the_billing(seconds: float) -> None:
    for rules in RULES.values():
        # Half of a hundredth of a millisecond may be rounded either way: floats don't tell.
        allowed = {billing.billed_ms(seconds * 1000 + off, rules) for off in (-1e-9, 0.0, 1e-9)}
        assert counting.billed(seconds, float(rules.billing_step_ms)) in allowed


@given(st.floats(0, 80_000))
def test_buckets_are_those_of_the_records(seconds: float) -> None:
    assert bucket(seconds, int(np.float64(seconds).view(np.int64))) + FIRST_BUCKET == histogram.bucket(seconds * 1000)


def test_what_is_longer_than_a_day_is_in_the_last_bucket() -> None:
    seconds = np.array([1e9, 2e5])
    assert len({bucket(each, bits) for each, bits in zip(seconds, seconds.view(np.int64), strict=True)}) == 1
