"""Chores wait for a quiet moment, but not for ever, and one that fails doesn't keep the others."""

from __future__ import annotations

import time

import pytest

from lambdanb.executor.chores import LONGEST_S, QUIET_S, Chores
from lambdanb.executor.loop import Loop


def test_in_order_when_nothing_starts() -> None:
    loop = Loop()
    done: list[int] = []
    chores = Chores(loop, lambda: False)
    begun = time.monotonic()
    chores.add(lambda: done.append(1))
    chores.add(lambda: done.append(2))
    chores.add(loop.stop)
    loop.run()
    assert done == [1, 2]
    assert time.monotonic() - begun >= QUIET_S


def test_not_for_ever() -> None:
    loop = Loop()
    chores = Chores(loop, lambda: True)
    begun = time.monotonic()
    chores.add(loop.stop)
    loop.run()
    assert time.monotonic() - begun >= LONGEST_S


def test_one_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    loop = Loop()
    chores = Chores(loop, lambda: False)
    chores.add(lambda: 1 / 0)
    chores.add(loop.stop)
    loop.run()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_finished_at_the_end() -> None:
    done: list[int] = []
    chores = Chores(Loop(), lambda: True)
    chores.add(lambda: done.append(1))
    chores.finish()
    assert done == [1]
