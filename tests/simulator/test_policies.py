"""Each policy decides as worked out by hand, and a policy of one's own that fails is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from lambdanb.simulator.keep_alive_curve import keep_alive_curve
from lambdanb.simulator.policies import (
    Distribution,
    Fixed,
    HybridHistogram,
    KeepAlivePolicyError,
    OwnPolicy,
    Policy,
    Window,
    policy_of,
    replay_policy,
)

RANGE = Window(0, 4 * 3600)


def told(idle_times_s: Sequence[float]) -> HybridHistogram:
    policy = HybridHistogram()
    for idle_s in idle_times_s:
        policy.observe(idle_s)
    return policy


def test_replay_by_hand() -> None:
    """Calls of 1 s at 0, 10, 30 and 100 s: idle 9, 19 and 69 s between."""
    calls = [0, 10, 30, 100]
    assert replay_policy(Fixed(20), calls, 1) == (2, 9 + 19 + 20)
    assert replay_policy(Fixed(19), calls, 1) == (2, 9 + 19 + 19)
    assert replay_policy(Fixed(18), calls, 1) == (3, 9 + 18 + 18)
    assert replay_policy(Fixed(0), calls, 1) == (4, 0)


def test_replay_of_concurrent_calls() -> None:
    """Two at 0 s, of 1 and 2 s; the next at 3 s reuses the one that ended at 2, and ends at 4, as all do."""
    assert replay_policy(Fixed(10), [0, 0, 3], [1, 2, 1]) == (2, 1 + 3)


def test_a_pre_warmed_environment_is_idle_only_from_its_loading() -> None:
    """Unloaded for 40 s, then kept 20 s. Idle 50 s: warm, 10 s of it loaded. Idle 30 and 70 s: cold, 0 and 20 s."""
    policy = OwnPolicy(lambda idle_times_s: Window(40, 20))
    assert replay_policy(policy, [0, 51], 1) == (1, 10)
    assert replay_policy(policy, [0, 31], 1) == (2, 0)
    assert replay_policy(policy, [0, 71], 1) == (2, 20)


@pytest.mark.parametrize("seed", range(4))
def test_the_fixed_policy_agrees_with_the_keep_alive_curve(seed: int) -> None:
    random = np.random.default_rng(seed)
    arrivals, durations = np.cumsum(random.exponential(1, 2000)), random.exponential(3, 2000)
    curve = keep_alive_curve(arrivals, durations)
    for keep_alive in (0.0, curve.keep_alives_s[5], curve.keep_alives_s[-20], 500.0):
        cold_starts, idle_s = replay_policy(Fixed(keep_alive), arrivals, durations)
        assert cold_starts == curve.cold_starts(keep_alive)
        assert idle_s == pytest.approx(curve.idle_s(keep_alive))


def test_a_distribution_is_drawn_anew_each_time() -> None:
    policy = Distribution({"law": "uniform", "low_s": 300, "high_s": 420}, seed=1)
    kept = [policy.window().keep_alive_s for _ in range(1000)]
    assert min(kept) >= 300
    assert max(kept) <= 420
    assert np.mean(kept) == pytest.approx(360, abs=5)
    again = Distribution({"law": "uniform", "low_s": 300, "high_s": 420}, seed=1)
    assert [again.window().keep_alive_s for _ in range(3)] == kept[:3]


def test_a_distribution_makes_its_share_cold() -> None:
    """Idle 99 s each time, kept uniformly from 0 to 198 s: half of them are cold."""
    policy = Distribution({"law": "uniform", "low_s": 0, "high_s": 198})
    cold_starts, _ = replay_policy(policy, np.arange(2000) * 100.0, 1)
    assert cold_starts == pytest.approx(1000, abs=3 * math.sqrt(2000 / 4))


def test_an_environment_that_outlasts_a_younger_one_serves() -> None:
    """Two fall idle at 1 and 2 s, kept 100 and 1 s: at 10 s the older one is still there."""
    kept = iter([100.0, 1.0, 0.0])
    assert replay_policy(OwnPolicy(lambda idle_times_s: next(kept)), [0, 0, 10], [1, 2, 1]) == (2, 9 + 1)


def test_nothing_seen_is_kept_for_the_whole_range() -> None:
    assert HybridHistogram().window() == RANGE


def test_a_pattern_is_met_from_head_to_tail() -> None:
    """All idle times in the 11th minute, 600 to 660 s: loaded from 600 - 10 % until 660 + 10 %."""
    window = told([630] * 20).window()
    assert window.pre_warm_s == pytest.approx(540)
    assert window.end_s == pytest.approx(726)


def test_head_and_tail_are_the_5th_and_99th_percentiles() -> None:
    """Of 100: 4 in minute 2, 95 in minute 20, 1 in minute 60: the 5th and the 99th smallest are in minute 20."""
    window = told([130] * 4 + [1230] * 95 + [3610]).window()
    assert (window.pre_warm_s, window.end_s) == (pytest.approx(1200 * 0.9), pytest.approx(1260 * 1.1))
    window = told([130] * 5 + [1230] * 93 + [3610] * 2).window()
    assert (window.pre_warm_s, window.end_s) == (pytest.approx(120 * 0.9), pytest.approx(3660 * 1.1))


def test_a_head_in_the_first_minute_keeps_it_loaded() -> None:
    window = told([5] * 10 + [130] * 10).window()
    assert window.pre_warm_s == 0
    assert window.keep_alive_s == pytest.approx(180 * 1.1)


def test_counts_that_are_too_even_make_no_pattern() -> None:
    """n of 240 bins filled equally have a coefficient of variation of sqrt(240 / n - 1): 2 at 48."""
    filled = told([60 * minute + 30 for minute in range(48)])
    assert filled.variation() == pytest.approx(2)
    assert told([30]).variation() == pytest.approx(math.sqrt(239))
    even = told([60 * minute + 30 for minute in range(49)])
    assert even.variation() < 2
    assert even.window() == RANGE
    assert told([60 * minute + 30 for minute in range(40)]).window() != RANGE


def test_mostly_out_of_bounds_makes_no_pattern() -> None:
    assert told([630] * 5 + [5 * 3600] * 6).window() == RANGE
    assert told([630] * 6 + [5 * 3600] * 6).window() != RANGE
    assert told([4 * 3600]).window() == RANGE


def test_the_hybrid_histogram_beats_a_fixed_keep_alive_on_calls_by_the_clock() -> None:
    """A call of 1 s every hour, idle 3,599 s between: once it is known, warm for some 6 minutes of idle time each."""
    arrivals = np.arange(200) * 3600.0
    fixed = replay_policy(Fixed(600), arrivals, 1)
    hybrid = replay_policy(HybridHistogram(), arrivals, 1)
    assert fixed == (200, 199 * 600)
    assert hybrid.cold_starts == 1
    assert hybrid.idle_s == pytest.approx(3599 + 198 * (3599 - 0.9 * 59 * 60))


def test_a_function_of_ones_own_sees_the_idle_times() -> None:
    seen = []

    def decide(idle_times_s: Sequence[float]) -> float:
        seen.append(list(idle_times_s))
        return 2 * max(idle_times_s, default=10)

    assert replay_policy(OwnPolicy(decide), [0, 10, 40, 50], 1) == (2, 9 + 18 + 9)
    assert seen == [[], [9], [9, 29], [9, 29, 9]]


def test_a_function_that_raises_is_named() -> None:
    def careless(idle_times_s: Sequence[float]) -> float:
        return 1 / (idle_times_s[-1] - 29)

    with pytest.raises(KeepAlivePolicyError) as caught:
        replay_policy(OwnPolicy(careless), [0, 30], 1)
    assert "careless" in str(caught.value)
    assert f"{__file__}:{careless.__code__.co_firstlineno}" in str(caught.value)
    assert "no idle times yet, raised IndexError: list index out of range" in str(caught.value)
    assert isinstance(caught.value.__cause__, IndexError)

    policy = OwnPolicy(careless)
    policy.observe(29)
    with pytest.raises(KeepAlivePolicyError, match="1 idle times, the last 29 s, raised ZeroDivisionError"):
        policy.window()


@pytest.mark.parametrize("answer", [None, -1, math.inf, math.nan, "600", True])
def test_a_function_that_gives_no_time_is_named(answer: object) -> None:
    with pytest.raises(KeepAlivePolicyError, match=r"lambda.* gave .*: it must give a finite number of seconds from 0"):
        OwnPolicy(lambda idle_times_s: answer).window()  # type: ignore[arg-type, return-value]


def test_the_policy_that_a_keep_alive_stands_for() -> None:
    policies: list[Policy] = [policy_of(600), policy_of({"law": "exponential", "mean_s": 0}), policy_of(lambda _: 7)]
    assert [policy.window() for policy in policies] == [Window(0, 600), Window(0, 0), Window(0, 7)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Fixed(-1), "keep_alive_s is -1: it must be a finite number of seconds from 0"),
        (lambda: Window(math.inf, 1), "pre_warm_s is inf"),
        (lambda: Distribution({"law": "normal"}), "must have one of the laws exponential, uniform, lognormal"),
        (lambda: OwnPolicy(600), "must be a function of the idle times, not 600"),
        (lambda: replay_policy(Fixed(1), [2, 1], 1), "arrival 1 is at 1 s"),
        (lambda: replay_policy(Fixed(1), [1, 2], [1, -1]), "duration 1 is -1 s"),
        (lambda: replay_policy(Fixed(1), [1, 2], [1]), r"durations_s has the shape \(1,\), arrivals_s \(2,\)"),
    ],
)
def test_what_is_refused(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


def test_no_arrivals() -> None:
    assert replay_policy(Fixed(600), [], []) == (0, 0)
