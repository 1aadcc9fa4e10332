"""A load test whose requests change while it runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from doors import HELD, until
from loaders import loaders_of

import lambdanb
from lambdanb.analysis.load_run import LoadRun
from lambdanb.analysis.load_table import (
    ANSWERED,
    CHANGED,
    CHANGED_S,
    PLANNED,
    SENT,
    LoadTable,
    create_memory,
    table_bytes,
)

NEVER_S = 300.0


def test_other_requests_take_the_place_of_those_to_come(home: Path) -> None:
    function = lambdanb.deploy("changed", HELD)
    with LoadRun(function, np.array([0.0, NEVER_S]), [b"{}"], 3.0, room=10) as run:
        until(lambda: run.table.head[ANSWERED] == 1)
        run.change(run.now_s, np.array([run.now_s, run.now_s, run.now_s]))
        assert run.wait(20)
        result = run.result()
    assert list(result.records["status"]) == ["ok"] * 4
    assert result.stopped is None
    assert loaders_of(os.getpid()) == []


def test_a_stopped_run_is_not_changed_any_more(home: Path) -> None:
    function = lambdanb.deploy("stopped", HELD)
    with LoadRun(function, np.array([0.0, NEVER_S]), [b"{}"], NEVER_S + 1, room=10) as run:
        until(lambda: run.table.head[SENT] == 1)
        run.stop()
        run.change(run.now_s, np.array([run.now_s]))
        assert run.wait(20)
        assert run.result().stopped is not None
        assert len(run.result().records) == 1


def test_it_stays_for_what_may_be_planned_yet(home: Path) -> None:
    function = lambdanb.deploy("stays", HELD)
    with LoadRun(function, np.empty(0), [b"{}"], 1.0, room=10) as run:
        until(lambda: run.now_s > 0)
        run.change(0.9, np.array([0.9]))
        assert run.wait(20)
        assert list(run.result().records["status"]) == ["ok"]


def table_with(due_s: list[float], room: int) -> LoadTable:
    memory_fd = create_memory(table_bytes(room))
    table = LoadTable(memory_fd, room)
    os.close(memory_fd)
    table.due_s[: len(due_s)] = memoryview(np.array(due_s))
    table.head[PLANNED] = len(due_s)
    return table


def change(table: LoadTable, from_s: float, due_s: list[float], sent: int) -> list[float]:
    table.changed_s[: len(due_s)] = memoryview(np.array(due_s))
    table.head[CHANGED_S], table.head[CHANGED] = from_s, len(due_s)
    table.take_change(sent)
    return list(table.due_s[: int(table.head[PLANNED])])


def test_what_is_due_before_the_change_stays() -> None:
    assert change(table_with([1.0, 2.0, 3.0, 4.0], 8), 2.5, [2.6, 2.7], sent=0) == [1.0, 2.0, 2.6, 2.7]


def test_what_was_sent_stays_though_the_change_comes_late() -> None:
    assert change(table_with([1.0, 2.0, 3.0, 4.0], 8), 1.5, [1.6, 5.0], sent=3) == [1.0, 2.0, 3.0, 1.6, 5.0]


def test_there_is_no_more_than_there_is_room_for() -> None:
    assert change(table_with([1.0, 2.0], 3), 1.5, [2.0, 3.0, 4.0], sent=0) == [1.0, 2.0, 3.0]
