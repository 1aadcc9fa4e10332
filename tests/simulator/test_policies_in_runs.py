"""Keep-alive policies in `simulate`: as replayed alone, counted right, and named when they fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from plain_streams import GivenTimes, PoissonArrivals

from lambdanb.analysis.simulate import simulate
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Exponential
from lambdanb.simulator.policies import (
    HybridHistogram,
    KeepAlivePolicyError,
    OwnPolicy,
    Policy,
    Window,
    replay_policy,
)


def ten_seconds(idle_times_s: Sequence[float]) -> float:
    return 10.0


def test_a_policy_that_always_says_the_same_is_a_fixed_keep_alive() -> None:
    fixed, own = (
        simulate(
            Simulated(warm=Exponential(2.0), init=0.5, **more),  # type: ignore[arg-type]
            PoissonArrivals(1.0),
            seconds=1000,
        )
        for more in ({"keep_alive_s": 10.0}, {"keep_alive": ten_seconds})
    )
    for column in ("cold", "warm", "busy_warm"):
        assert fixed.outcome.windows[column].tolist() == own.outcome.windows[column].tolist()
    np.testing.assert_allclose(fixed.outcome.windows["environments"], own.outcome.windows["environments"])
    assert fixed.runs[0].ended == own.runs[0].ended
    assert fixed.runs[0].life_span_s == pytest.approx(own.runs[0].life_span_s)


def test_the_hybrid_histogram_loads_before_the_next_call() -> None:
    """Calls every 30 minutes: cold twice, then it learns; the same cold starts as replayed alone."""
    times = np.arange(1, 200) * 1800.0
    seconds = float(times[-1] + 1)
    model = Simulated(warm=1.0, keep_alive=HybridHistogram)
    found = simulate(model, GivenTimes(times), seconds=seconds)
    replayed = replay_policy(HybridHistogram(), times, 1.0)
    assert found.outcome.count("cold") == replayed.cold_starts
    idle_s = (found.outcome.mean("environments") * seconds) - len(times)
    assert idle_s == pytest.approx(replayed.idle_s, rel=1e-6)
    assert idle_s < 0.3 * seconds, "most of the time it is unloaded"


def test_a_window_that_begins_later_by_hand() -> None:
    """Loaded 10 s after falling idle, for 5 s: a call after 4 s starts another in its place, one after 11 s is warm."""
    model = Simulated(warm=1.0, keep_alive=lambda idle_times_s: Window(10.0, 5.0))
    found = simulate(model, GivenTimes([0.0, 5.0, 17.0]), seconds=40, windows=40)
    assert (found.outcome.count("cold"), found.outcome.count("warm")) == (2, 1)
    environments = found.outcome.windows["environments"]
    assert environments[environments > 0].index.tolist() == [0, 5, 16, 17, 28, 29, 30, 31, 32]
    assert environments.max() == 1


def test_several_environments_that_are_loaded_later() -> None:
    """Two calls at a time, every 12 s: both environments are there again each time."""
    model = Simulated(warm=1.0, keep_alive=lambda idle_times_s: Window(10.0, 5.0))
    times = np.repeat(np.arange(10) * 12.0, 2)
    found = simulate(model, GivenTimes(times), seconds=120, windows=120)
    assert (found.outcome.count("cold"), found.outcome.count("warm")) == (2, 18)
    environments = found.outcome.windows["environments"]
    assert environments.max() == 2
    assert environments.sum() == 2 * 10 + 2 * 10, "a second of running each, and a second of waiting after 10"


def test_each_run_learns_anew() -> None:
    model = Simulated(warm=1.0, keep_alive=HybridHistogram)
    one, two = (
        simulate(model, PoissonArrivals(0.01), seconds=50_000, runs=2, seed=3, threads=threads) for threads in (1, 2)
    )
    for a, b in zip(one.runs, two.runs, strict=True):
        assert a.outcome.windows.equals(b.outcome.windows)


def test_many_environments_agree_with_the_replay() -> None:
    times = np.sort(np.random.default_rng(4).random(2_000) * 2_000)
    found = simulate(Simulated(warm=3.0, keep_alive=ten_seconds), GivenTimes(times), seconds=2_100)
    assert found.outcome.count("cold") == replay_policy(OwnPolicy(ten_seconds), times, 3.0).cold_starts


def test_a_policy_that_raises_is_told_with_the_time() -> None:
    def learner(idle_times_s: Sequence[float]) -> float:
        return 60.0 / len(idle_times_s)

    with pytest.raises(KeepAlivePolicyError) as caught:
        simulate(Simulated(name="thumbnails", warm=1.0, keep_alive=learner), GivenTimes([4.0, 9.0]), seconds=20)
    assert "thumbnails, 5 s after the start: keep-alive policy" in str(caught.value)
    assert "learner" in str(caught.value)
    assert "raised ZeroDivisionError" in str(caught.value)


def test_simulate_takes_a_policy_for_all_functions() -> None:
    models = [Simulated(name=name, warm=1.0, keep_alive_s=0.0) for name in ("one", "two")]
    times = GivenTimes([0.0, 5.0, 10.0])
    assert simulate(models, [times, times], seconds=20).outcome.count("cold") == 6
    assert simulate(models, [times, times], seconds=20, keep_alive=ten_seconds).outcome.count("cold") == 2


def test_what_is_no_policy_is_told() -> None:
    with pytest.raises(ValueError, match="keep_alive is 300: it must be a policy's class or a function"):
        Simulated(warm=1.0, keep_alive=300)  # type: ignore[arg-type]


class Observes:
    """A policy whose learning fails."""

    def observe(self, idle_s: float) -> None:
        raise LookupError("no bin for it")

    def window(self) -> Window:
        return Window(0.0, 10.0)


class GivesSeconds:
    """A policy that gives what `OwnPolicy` takes, a number."""

    def observe(self, idle_s: float) -> None:
        pass

    def window(self) -> Window:
        return 5.0  # type: ignore[return-value]


class WantsSeconds(GivesSeconds):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Observes, r"thumbnails, 9 s after the start: Observes.observe\(\) raised LookupError: no bin for it"),
        (GivesSeconds, r"thumbnails, 5 s after the start: GivesSeconds.window\(\) gave 5.0: it must give a Window"),
        (WantsSeconds, r"thumbnails: keep_alive WantsSeconds\(\) raised TypeError: .*without arguments"),
    ],
)
def test_a_policys_class_that_fails_is_told_as_a_function_is(policy: type[Policy], told: str) -> None:
    with pytest.raises(KeepAlivePolicyError, match=told):
        simulate(Simulated(name="thumbnails", warm=1.0, keep_alive=policy), GivenTimes([4.0, 9.0]), seconds=20)


def test_a_policy_that_fails_is_told_by_the_replay() -> None:
    with pytest.raises(KeepAlivePolicyError, match=r"Observes.observe\(\) raised LookupError"):
        replay_policy(Observes(), [1.0, 2.0, 30.0], 1.0)
    with pytest.raises(KeepAlivePolicyError, match=r"GivesSeconds.window\(\) gave 5.0"):
        replay_policy(GivesSeconds(), [1.0, 2.0, 30.0], 1.0)
    with pytest.raises(ValueError, match="is no keep-alive policy, which has observe and window"):
        replay_policy(HybridHistogram, [1.0], 1.0)  # type: ignore[arg-type]


def test_a_class_that_is_no_policy_is_told() -> None:
    with pytest.raises(ValueError, match="keep_alive is <class 'int'>: a policy's class has observe and window"):
        Simulated(warm=1.0, keep_alive=int)  # type: ignore[arg-type]
