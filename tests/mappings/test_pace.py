"""How often a source is asked, and how many batches of a queue run at a time; no clock."""

from __future__ import annotations

from lambdanb.sources.pace import Concurrency, pause_s


def test_a_busy_source_is_asked_often_an_idle_one_seldom() -> None:
    assert pause_s(0.0, local=True) == 0.02
    assert pause_s(4.0, local=True) == 0.2
    assert pause_s(3600.0, local=True) == 0.5
    assert pause_s(0.0, local=False) == pause_s(3600.0, local=False) == 1.0


def test_five_at_first_and_300_more_a_minute_while_all_are_busy() -> None:
    concurrency = Concurrency(None)
    assert concurrency.allowed(0, 0.0) == 5
    assert concurrency.allowed(5, 0.0) == 5
    assert concurrency.allowed(5, 1.0) == 10
    assert concurrency.allowed(9, 2.0) == 10  # not all were busy
    assert concurrency.allowed(10, 3.0) == 10
    assert concurrency.allowed(10, 5.0) == 20
    for second in range(6, 400):
        concurrency.allowed(1000, float(second))
    assert concurrency.allowed(1000, 400.0) == 1000
    assert concurrency.allowed(0, 401.0) == 5


def test_never_over_the_maximum() -> None:
    concurrency = Concurrency(2)
    assert concurrency.allowed(0, 0.0) == 2
    concurrency.allowed(2, 0.0)
    assert concurrency.allowed(2, 100.0) == 2
    for _ in range(10):
        concurrency.succeeded()
    assert concurrency.allowed(2, 101.0) == 2


def test_failures_make_it_less_and_successes_give_it_back() -> None:
    concurrency = Concurrency(None)
    for _ in range(20):
        concurrency.failed()
    assert concurrency.allowed(0, 0.0) == 1
    for _ in range(4):
        concurrency.succeeded()
    assert concurrency.allowed(0, 0.0) == 5
