"""Execution environments as boxes, by the records and states that come in."""

from __future__ import annotations

import math

from lambdanb.analysis.environment_boxes import BUSY, IDLE, WARMING, EnvironmentBoxes, LevelBoxes


def lasting(boxes: list[tuple[float, float, float, float]]) -> set[tuple[float, float, float | None, float]]:
    """Boxes that have a length, with None for an end that is still to come."""
    return {
        (row, start_s, None if math.isnan(end_s) else end_s, kind)
        for row, start_s, end_s, kind in boxes
        if end_s != start_s
    }


def test_a_cold_and_a_warm_run() -> None:
    boxes = EnvironmentBoxes(merge_s=0.1)
    boxes.ran("a", start_s=1.0, init_s=0.5, duration_s=2.0)
    boxes.ran("a", start_s=5.0, init_s=0.0, duration_s=1.0)
    boxes.now(7.0, {"a": "idle"})
    assert lasting(boxes.changed()) == {
        (0, 1.0, None, IDLE),
        (0, 1.0, 1.5, WARMING),
        (0, 1.5, 3.5, BUSY),
        (0, 5.0, 6.0, BUSY),
    }
    assert boxes.changed() == []


def test_runs_that_nobody_could_tell_apart_are_one_box() -> None:
    boxes = EnvironmentBoxes(merge_s=0.1)
    for start_s in (1.0, 2.05, 3.1):
        boxes.ran("a", start_s, 0.0, 1.0)
    assert (0, 1.0, 4.1, BUSY) in lasting(boxes.changed())


def test_what_is_under_way_is_open_until_its_record_comes() -> None:
    boxes = EnvironmentBoxes(merge_s=0.0)
    boxes.now(2.0, {"a": "busy"})
    assert lasting(boxes.changed()) == {(0, 2.0, None, IDLE), (0, 2.0, None, BUSY)}
    boxes.ran("a", start_s=1.9, init_s=0.0, duration_s=1.0)
    boxes.now(3.0, {"a": "idle"})
    changed = boxes.changed()
    assert (0, 1.9, 2.9, BUSY) in changed
    assert (0, 1.9) in {(row, start_s) for row, start_s, _, kind in changed if kind == IDLE}
    # The open ones have no length any more.
    assert (0, 2.0, 2.0, BUSY) in changed
    assert (0, 2.0, 2.0, IDLE) in changed


def test_a_row_is_free_again_when_its_environment_is_gone() -> None:
    boxes = EnvironmentBoxes(merge_s=0.0)
    boxes.now(1.0, {"a": "idle", "b": "idle"})
    boxes.now(2.0, {"b": "idle"})
    boxes.now(3.0, {"b": "idle", "c": "initialising"})
    found = lasting(boxes.changed())
    assert {(0, 1.0, 2.0, IDLE), (0, 3.0, None, IDLE), (0, 3.0, None, WARMING), (1, 1.0, None, IDLE)} == found


def test_levels_of_a_forecast() -> None:
    boxes = LevelBoxes()
    assert boxes.window(0.0, 1.0, cold=1.0, busy=2.0, environments=3.0) == [
        (0, 0.0, 1.0, BUSY),
        (1, 0.0, 1.0, WARMING),
        (2, 0.0, 1.0, IDLE),
    ]
    # A level that does what it did is one box, which grows; one that is gone isn't told.
    assert boxes.window(1.0, 2.0, cold=0.0, busy=1.0, environments=2.0) == [(0, 0.0, 2.0, BUSY), (1, 1.0, 2.0, IDLE)]
    assert boxes.window(2.0, 3.0, cold=0.0, busy=0.0, environments=3.0)[2] == (2, 2.0, 3.0, IDLE)
