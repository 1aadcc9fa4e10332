"""A forecast that is shown as if it ran."""

from __future__ import annotations

import numpy as np
import pytest

from lambdanb.analysis.forecast_view import ForecastView
from lambdanb.simulator.function_model import Simulated

SECONDS = 100.0


def view_of(due_s: np.ndarray, speed: float) -> ForecastView:
    return ForecastView(Simulated(warm=0.5, init=0.25, name="f"), due_s, SECONDS, speed=speed)


def test_all_of_it_is_shown_once() -> None:
    due_s = np.arange(0.5, SECONDS, 1.0)
    view = view_of(due_s, speed=1e9)
    points = view.look()
    assert view.ended
    assert view.look() == {}
    assert len(points["arrivals"][0]) == 100
    assert points["cost"][1][-1] == pytest.approx(view.result().outcome.cost)
    assert np.array(points["environments"]).shape[0] == 4
    # One environment, which is level 0 from its cold start on.
    assert set(np.array(points["environments"])[0]) == {0.0}


def test_a_change_leaves_the_past_as_it_was() -> None:
    view = view_of(np.arange(0.5, SECONDS, 1.0), speed=1e-9)
    before = view.result().outcome.windows
    view.change(50.0, np.arange(50.0, SECONDS, 0.25))
    after = view.result().outcome.windows
    assert (before[before.index < 50] == after[after.index < 50]).all(axis=None)
    assert after["arrivals"].sum() == 50 + 200


def test_what_was_stopped_ends_there() -> None:
    view = view_of(np.arange(0.5, SECONDS, 1.0), speed=1e-9)
    assert not view.ended
    view.stop()
    assert view.ended
    assert view.result().outcome.seconds < SECONDS
