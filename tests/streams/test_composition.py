"""The laws of composed streams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdanb.streams import Burst, Constant, Diurnal, MarkovModulated, Poisson, Replay, SelfSimilar, Steps
from lambdanb.streams.stream import merged

TIMES = st.lists(st.floats(0, 100), max_size=40)


@given(TIMES, TIMES)
def test_a_sum_is_all_times_in_order(first: list[float], second: list[float]) -> None:
    both = (Replay(first) + Replay(second)).times(1000)
    assert both.tolist() == sorted(first + second)


@given(st.lists(TIMES, max_size=5), st.integers(1, 7))
def test_merging_keeps_every_time_however_it_is_cut(parts: list[list[float]], size: int) -> None:
    def cut(times: list[float]):  # type: ignore[no-untyped-def]
        ordered = np.sort(np.array(times, float))
        return iter([ordered[start : start + size] for start in range(0, len(ordered), size)])

    out = list(merged([cut(part) for part in parts]))
    assert [time for chunk in out for time in chunk] == sorted(time for part in parts for time in part)


def test_a_stream_and_itself_are_two_copies() -> None:
    both = (Poisson(20) + Poisson(20)).times(100, seed=3)
    assert np.unique(both).size == both.size


def test_parts_are_independent() -> None:
    """Were they not, the variance of the sum's counts would be twice that of Poisson."""
    stream = Poisson(30) + Poisson(30)
    counts = np.array([stream.times(1, seed).size for seed in range(2000)])
    assert counts.var(ddof=1) / counts.mean() == pytest.approx(1, abs=3 * math.sqrt(2 / 2000))


def test_sums_are_flat_and_work_with_sum() -> None:
    parts = [Poisson(rate) for rate in range(1, 501)]
    total = sum(parts[1:], parts[0])
    assert total == sum(parts)
    assert total.parts == tuple(parts)
    assert (Poisson(1) + (Poisson(2) + Poisson(3))).mean_rate(1) == 6
    assert abs(total.times(0.05).size - 501 * 12.5) < 4 * math.sqrt(501 * 12.5)


def test_the_order_of_rates_in_a_product_does_not_matter() -> None:
    assert 2 * Poisson(3) == Poisson(3) * 2 == Poisson(6)


def test_a_factor_multiplies_rates_and_keeps_the_course() -> None:
    assert 2 * Diurnal(100, 10) == Diurnal(200, 20)
    assert 3 * Burst(1, 5, 10, 20) == Burst(3, 15, 10, 20)
    assert 2 * Steps([1, 2], 10) == Steps([2, 4], 10)
    assert 2 * MarkovModulated([1, 2], [3, 4]) == MarkovModulated([2, 4], [3, 4])
    assert 2 * SelfSimilar(4, 0.7) == SelfSimilar(8, 0.7)
    assert 2 * (Poisson(1).then(Constant(2), 5) + Poisson(3)).thinned(0.5).shifted(9) == (
        Poisson(2).then(Constant(4), 5) + Poisson(6)
    ).thinned(0.5).shifted(9)


def test_a_factor_compresses_known_times() -> None:
    assert (2 * Replay([1, 4, 10])).times(100).tolist() == [0.5, 2, 5]
    assert (2 * (0.5 * Replay([1, 4, 10]))).times(100).tolist() == [1, 4, 10]
    # Poisson at twice the rate and Poisson compressed are one: the times are the same too.
    assert (2 * Poisson(3)).times(50, seed=7) == pytest.approx(Poisson(3).times(100, seed=7) / 2)


@given(TIMES, st.floats(0, 1e6))
def test_a_shift_moves_every_time(times: list[float], seconds: float) -> None:
    shifted = Replay(times).shifted(seconds).times(1e9)
    assert shifted.tolist() == [time + seconds for time in sorted(times)]


@given(TIMES, TIMES, st.floats(0, 100), st.floats(0, 300))
def test_then_is_one_stream_until_the_time_and_the_other_from_there(
    first: list[float], second: list[float], at_s: float, until_s: float
) -> None:
    joined = Replay(first).then(Replay(second), at_s).times(until_s)
    expected = [time for time in sorted(first) if time < at_s] + [time + at_s for time in sorted(second)]
    assert joined.tolist() == [time for time in expected if time < until_s]


def test_a_stream_that_never_ends_can_be_followed() -> None:
    assert Constant(1).then(Constant(2), 3).times(5).tolist() == [0, 1, 2, 3, 3.5, 4, 4.5]


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_thinning_keeps_some_of_the_very_same_times(keep: float, seed: int) -> None:
    stream = Constant(100)
    kept = stream.thinned(keep).times(10, seed)
    assert np.isin(kept, stream.times(10)).all()
    assert stream.thinned(1).times(10, seed).size == 1000


def test_thinning_the_same_stream_twice_is_independent() -> None:
    stream = Constant(1000).thinned(0.5).thinned(0.5)
    sizes = [stream.times(1, seed).size for seed in range(32)]
    assert abs(np.mean(sizes) - 250) < 3 * math.sqrt(1000 * 0.25 * 0.75 / 32)


def test_only_streams_can_be_added() -> None:
    with pytest.raises(TypeError):
        Poisson(1) + 5  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 + Poisson(1)  # type: ignore[operator]


def test_who_gets_a_chunk_may_write_to_it() -> None:
    stream = Replay([1.0, 2.0])
    for chunk in stream.chunks():
        chunk += 5
    assert stream.times(10).tolist() == [1, 2]
