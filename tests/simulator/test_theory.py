"""The closed forms give the published numbers, and agree with each other and with a matrix exponential."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from lambdanb.simulator import theory


@pytest.mark.parametrize(
    ("servers", "load", "lost"),
    [(20, 20, 0.158892), (25, 20, 0.050222), (100, 100, 0.075700), (1000, 2016, 0.504455), (0, 5, 1.0), (3, 0, 0.0)],
)
def test_erlang_b(servers: int, load: float, lost: float) -> None:
    assert theory.erlang_b(servers, load) == pytest.approx(lost, abs=5e-7)


def test_erlang_b_is_the_ratio_of_its_definition() -> None:
    terms = [12.5**n / math.factorial(n) for n in range(18)]
    assert theory.erlang_b(17, 12.5) == pytest.approx(terms[17] / sum(terms), rel=1e-13)


def test_erlang_b_of_a_hundred_thousand_servers() -> None:
    """Near c = a it is close to sqrt(2 / (pi c)), where factorials have long overflowed."""
    assert theory.erlang_b(100_000, 100_000) == pytest.approx(math.sqrt(2 / (math.pi * 100_000)), rel=0.01)


def test_arrays_broadcast() -> None:
    table = theory.erlang_b(np.array([[20], [25]]), [10.0, 20.0])
    assert table.shape == (2, 2)
    assert table[1, 1] == theory.erlang_b(25, 20)
    assert np.shape(theory.erlang_c([25, 30], 20)) == (2,)
    assert isinstance(theory.erlang_b(25, 20), float)


def test_erlang_c() -> None:
    assert theory.erlang_c(25, 20) == pytest.approx(0.20910, abs=5e-6)
    assert theory.erlang_c(1, 0.3) == pytest.approx(0.3)
    assert theory.erlang_c(4, 0) == 0


def test_load_and_little() -> None:
    assert theory.offered_load(10, 2) == 20.0
    assert theory.little([0.5, 1], 600) == pytest.approx([300, 600])


@pytest.mark.parametrize("load", [0.0, 1.7919, 20.0, 5000.0])
def test_occupancy_is_a_distribution_with_the_load_as_mean(load: float) -> None:
    busy = np.arange(int(load + 12 * math.sqrt(load)) + 20)
    chances = theory.occupancy(load, busy)
    assert chances.sum() == pytest.approx(1, abs=1e-9)
    assert (chances * busy).sum() == pytest.approx(load, abs=1e-6)


def test_occupancy_of_a_few() -> None:
    assert theory.occupancy(2, 0) == pytest.approx(math.exp(-2))
    assert theory.occupancy(2, 3) == pytest.approx(math.exp(-2) * 8 / 6)


def test_a_concurrency_of_one() -> None:
    assert theory.cold_share_of_one(0.01, 300) == pytest.approx(math.exp(-3))
    assert theory.loss_of_one(1, 2, 2, 10) == pytest.approx(2 / 3)
    es = math.exp(-1) * 3 + (1 - math.exp(-1)) * 2
    assert theory.loss_of_one(0.1, 2, 3, 10) == pytest.approx(0.1 * es / (1 + 0.1 * es))
    assert theory.loss_of_one(0.1, 2, 2, 10) == pytest.approx(theory.erlang_b(1, 0.2))


TABLE = [
    (0.9, 1.991, 600, 1.32931e-3, 7.6919),
    (10, 2, 60, 3.76059e-3, 32.7980),
    (1, 2, 10, 9.96998e-2, 4.5312),
    (5, 0.3, 30, 4.95036e-3, 6.1912),
]


@pytest.mark.parametrize(("rate", "service", "keep_alive", "cold_share", "environments"), TABLE)
def test_the_keep_alive_law(
    rate: float, service: float, keep_alive: float, cold_share: float, environments: float
) -> None:
    law = theory.keep_alive_law(rate, service, keep_alive)
    assert law.cold_share == pytest.approx(cold_share, rel=5e-6)
    assert law.environments == pytest.approx(environments, abs=5e-5)
    assert law.busy == rate * service
    assert theory.little(rate * law.cold_share, law.life_span_s) == pytest.approx(law.environments)


@pytest.mark.parametrize(
    ("rate", "service", "keep_alive"), [(1, 2, 0.001), (1, 2, 5000), (20, 1.5, 7), (0.01, 0.1, 300)]
)
def test_the_keep_alive_law_is_that_of_the_matrix_exponential(rate: float, service: float, keep_alive: float) -> None:
    law = theory.keep_alive_law(rate, service, keep_alive)
    cold_share, idle = by_matrix_exponential(rate, service, keep_alive)
    assert law.cold_share == pytest.approx(cold_share, abs=1e-12)
    assert law.idle == pytest.approx(idle, abs=1e-10)


def by_matrix_exponential(rate: float, service: float, keep_alive: float) -> tuple[float, float]:
    """(P(cold), mean number idle), each first passage from the generator of the chain below its level."""
    load = rate * service
    pi, cold, idle = math.exp(-load), 0.0, 0.0
    for k in range(1, int(load + 12 * math.sqrt(load) + 20)):
        states = np.arange(k)
        generator = np.diag(-(rate + states / service)) + np.diag([rate] * (k - 1), 1)
        generator += np.diag(states[1:] / service, -1)
        tail = expm(generator * keep_alive)
        cold += pi * tail[k - 1].sum()
        idle += rate * pi * np.linalg.solve(generator, (tail - np.eye(k)).sum(axis=1))[k - 1]
        pi *= load / k
    return cold, idle


def test_the_keep_alive_law_of_many_keep_alives_at_a_large_load() -> None:
    keep_alives = np.geomspace(0.01, 3600, 50)
    law = theory.keep_alive_law(1000, 2.016, keep_alives)
    assert np.all(np.diff(law.cold_share) < 0)
    assert np.all(np.diff(law.idle) > 0)
    assert law.cold_share[20] == pytest.approx(theory.keep_alive_law(1000, 2.016, keep_alives[20]).cold_share)


def test_the_keep_alive_law_at_its_ends() -> None:
    none = theory.keep_alive_law(1, 2, 0)
    assert (none.cold_share, none.idle, none.life_span_s) == (1, 0, 2)
    instant = theory.keep_alive_law(0.5, 0, 4)
    assert (instant.cold_share, instant.idle) == (pytest.approx(math.exp(-2)), pytest.approx(1 - math.exp(-2)))
    assert 0 < theory.keep_alive_law(10, 2, 1e9).cold_share < 1e-9


def test_the_cold_share_against_the_interval() -> None:
    shares = theory.cold_share_by_interval([60, 600, 6000], 600)
    assert shares == pytest.approx(np.exp([-10, -1, -0.1]))
    assert theory.cold_share_by_interval(1, 10, service_s=2) == pytest.approx(9.96998e-2, rel=5e-6)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: theory.erlang_b(2.5, 1), "servers is 2.5: it must be a whole number from 0"),
        (lambda: theory.erlang_b([1, -2], 1), "servers is -2: it must be a finite number from 0"),
        (lambda: theory.erlang_b(2, "many"), "load is 'many': it must be a number"),
        (lambda: theory.erlang_c([30, 20], 20), "a load of 20 on 20 servers has no steady state"),
        (lambda: theory.offered_load(-1, 2), "rate_per_s is -1: it must be a finite number from 0"),
        (lambda: theory.occupancy(1, 0.5), "busy is 0.5: it must be a whole number"),
        (lambda: theory.keep_alive_law(0, 2, 10), "rate_per_s is 0: there must be arrivals"),
        (lambda: theory.keep_alive_law(1, 2, math.inf), "keep_alive_s is inf: it must be a finite number"),
        (lambda: theory.cold_share_by_interval([1, 0], 10), "interval_s is 0 somewhere"),
    ],
)
def test_what_is_refused(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
