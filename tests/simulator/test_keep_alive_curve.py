"""The one-pass curve agrees with a plain simulation of each keep-alive, and with the exact law."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lambdanb.simulator import keep_alive_curve as module
from lambdanb.simulator.keep_alive_curve import KeepAliveCurve, keep_alive_curve
from lambdanb.simulator.theory import keep_alive_law

Floats = NDArray[np.float64]


def simulated(
    arrivals: list[float], durations: list[float], keep_alive_s: float, seconds: float | None = None
) -> tuple[int, float]:
    """(cold starts, idle seconds) of one keep-alive, environment by environment."""
    horizon = max(a + d for a, d in zip(arrivals, durations, strict=True)) if seconds is None else seconds
    busy: list[float] = []
    idle: list[float] = []
    cold, idle_s = 0, 0.0

    def fall_idle(until: float) -> None:
        for end in sorted(end for end in busy if end <= until):
            busy.remove(end)
            idle.append(end)

    for arrival, duration in zip(arrivals, durations, strict=True):
        fall_idle(arrival)
        expired = [since for since in idle if arrival - since > keep_alive_s]
        idle_s += keep_alive_s * len(expired)
        idle[:] = idle[len(expired) :]
        if idle:
            idle_s += arrival - idle.pop()
        else:
            cold += 1
        busy.append(arrival + duration)
    fall_idle(horizon)
    return cold, idle_s + sum(min(horizon - since, keep_alive_s) for since in idle)


@dataclass
class PoissonOf:
    """As the streams are: chunks of ascending times."""

    rate: float

    def chunks(self, seed: int = 0, until_s: float = math.inf) -> Iterator[Floats]:
        random = np.random.default_rng(seed)
        now = 0.0
        while now < until_s:
            times = now + np.cumsum(random.exponential(1 / self.rate, 10_000))
            now = times[-1]
            yield times[times < until_s]


def exponential(mean: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda random, n: random.exponential(mean, n)


whole_times = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=40)


@given(whole_times, st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_small_runs_are_exact(invocations: list[tuple[int, int]], keep_alive: int) -> None:
    """Whole seconds: ends and arrivals at the same instant, and gaps of exactly the keep-alive."""
    invocations.sort()
    arrivals, durations = [float(a) for a, _ in invocations], [float(d) for _, d in invocations]
    cold, idle_s = simulated(arrivals, durations, keep_alive, seconds=60)
    curve = keep_alive_curve(arrivals, durations, seconds=60)
    assert curve.cold_starts(keep_alive) == cold
    assert curve.idle_s(keep_alive) == pytest.approx(idle_s)
    assert curve.environments(keep_alive) == pytest.approx((sum(durations) + idle_s) / 60)


@pytest.mark.parametrize("seed", range(16))
def test_every_step_of_the_curve_is_exact(seed: int) -> None:
    random = np.random.default_rng(seed)
    arrivals, durations = np.cumsum(random.exponential(1, 200)), random.lognormal(0, 1, 200)
    curve = keep_alive_curve(arrivals, durations)
    for keep_alive in [0.0, *curve.keep_alives_s[::7], curve.keep_alives_s[-1], 1000.0]:
        cold, idle_s = simulated(list(arrivals), list(durations), float(keep_alive))
        assert curve.cold_starts(keep_alive) == cold
        assert curve.idle_s(keep_alive) == pytest.approx(idle_s)


def test_between_steps_it_is_within_the_bin() -> None:
    """Ten thousand gaps of much the same length: at most 1 % of the keep-alive beside the plain simulation."""
    random = np.random.default_rng(3)
    arrivals = np.cumsum(random.uniform(99, 101, 10_000))
    curve = keep_alive_curve(arrivals, 0.0)
    gaps = np.diff(arrivals)
    for keep_alive in (99.3, 100.0, 100.6):
        lower, upper = np.sum(gaps > keep_alive * 1.01), np.sum(gaps > keep_alive / 1.01)
        assert lower <= curve.cold_starts(keep_alive) - 1 <= upper
        assert curve.idle_s(keep_alive) == pytest.approx(np.minimum(gaps, keep_alive).sum(), rel=0.01)


def test_calls_by_the_clock() -> None:
    """Every 300 s for a second: idle 299 s between; a keep-alive of exactly that keeps all but the first warm."""
    curve = keep_alive_curve(np.arange(0, 3000, 300), 1)
    assert (curve.cold_starts(298.9), curve.cold_starts(299)) == (10, 1)
    assert curve.idle_s([0, 100, 299, 600]).tolist() == [0, 900, 2691, 2691]
    assert curve.cold_share(np.array([[298.9], [299]])).tolist() == [[1.0], [0.1]]
    assert (curve.peak, curve.busy_s, curve.seconds) == (1, 10, 2701)


def test_the_run_ends_at_its_seconds() -> None:
    """Idle from 2 s, cut at 5; an invocation from 4 to 40 s runs one second of it; what comes at 5 s isn't in it."""
    curve = keep_alive_curve([0, 0, 4, 5], [2, 2, 36, 1], seconds=5)
    assert (curve.invocations, curve.busy_s) == (3, 5)
    assert curve.idle_s(100) == 3 + 2
    assert curve.idle_s(1) == 1 + 1


@pytest.mark.parametrize(("rate", "service", "keep_alive"), [(1, 2, 10), (5, 0.3, 30), (10, 2, 60)])
def test_the_exact_law(rate: float, service: float, keep_alive: float) -> None:
    """Poisson arrivals, exponential service, 16 seeds: within 3 standard errors, from a tenth of the run on."""
    law = keep_alive_law(rate, service, keep_alive)
    seconds = 300_000 / rate
    shares, environments = [], []
    for seed in range(16):
        start, whole = (
            keep_alive_curve(PoissonOf(rate), exponential(service), seconds=length, seed=seed)
            for length in (seconds / 10, seconds)
        )
        cold = whole.cold_starts(keep_alive) - start.cold_starts(keep_alive)
        shares.append(cold / (whole.invocations - start.invocations))
        environments.append((10 * whole.environments(keep_alive) - start.environments(keep_alive)) / 9)
    for measured, expected in [(shares, law.cold_share), (environments, law.environments)]:
        error = np.std(measured, ddof=1) / math.sqrt(len(measured))
        assert abs(np.mean(measured) - float(expected)) < 3 * error


def test_the_whole_curve_follows_the_law() -> None:
    keep_alives = np.geomspace(0.1, 100, 60)
    curve = keep_alive_curve(PoissonOf(2), exponential(1), seconds=500_000)
    law = keep_alive_law(2, 1, keep_alives)
    assert curve.cold_share(keep_alives) == pytest.approx(law.cold_share, rel=0.05, abs=1e-4)
    assert curve.environments(keep_alives) == pytest.approx(law.environments, rel=0.01)


def test_a_great_burst() -> None:
    """More at once than there was room for: 5,000 in the same instant, twice."""
    curve = keep_alive_curve([0.0] * 5000 + [10.0] * 5000, 1.0)
    assert curve.peak == 5000
    assert curve.cold_share([8.9, 9]).tolist() == [1, 0.5]


def test_compiled_and_uncompiled_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = keep_alive_curve(PoissonOf(5), exponential(3), seconds=1000)
    monkeypatch.setattr(module, "_pass", module._pass.py_func)
    plain = keep_alive_curve(PoissonOf(5), exponential(3), seconds=1000)
    assert [list(each) for each in arrays(compiled)] == [list(each) for each in arrays(plain)]


def arrays(curve: KeepAliveCurve) -> list[Floats]:
    keep_alives = np.geomspace(0.01, 1000, 100)
    return [curve.keep_alives_s, curve.cold_starts(keep_alives), curve.idle_s(keep_alives)]


def test_the_same_seed_gives_the_same_curve() -> None:
    first, again, other = (
        keep_alive_curve(PoissonOf(5), exponential(3), seconds=1000, seed=seed).keep_alives_s for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_run_without_arrivals() -> None:
    curve = keep_alive_curve([], [], seconds=10)
    assert (curve.cold_starts(5), curve.cold_share(5), curve.environments(5)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: keep_alive_curve([0, 2, 1], 1), "arrival 2 is at 1 s, after one at 2 s"),
        (lambda: keep_alive_curve([-1, 2], 1), "arrival 0 is at -1 s"),
        (lambda: keep_alive_curve([0, math.nan], 1), "arrival 1 is at nan s"),
        (lambda: keep_alive_curve([0, 1], [1, -2]), "duration 1 is -2 s: it must be a finite number from 0"),
        (lambda: keep_alive_curve([0, 1], [1, 2, 3]), r"durations_s has the shape \(3,\), arrivals \(2,\)"),
        (lambda: keep_alive_curve([[0, 1]], 1), "an array of one dimension; it has 2"),
        (lambda: keep_alive_curve([], []), "there are no arrivals: give seconds"),
        (lambda: keep_alive_curve([1], 1, seconds=0), "seconds is 0: it must be a finite number above 0"),
        (lambda: keep_alive_curve(PoissonOf(1), 1), "seconds must be given with a stream"),
        (lambda: keep_alive_curve(PoissonOf(1), [1, 2], seconds=9), "durations_s of a stream must be a number or"),
        (lambda: keep_alive_curve(PoissonOf(1), lambda r, n: np.ones(3), seconds=9), r"of the shape \(3,\) when asked"),
        (lambda: keep_alive_curve([1], 1).cold_share(-5), "keep_alive_s is -5: it must be a finite number from 0"),
    ],
)
def test_what_is_refused(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
