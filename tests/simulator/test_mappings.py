"""Event source mappings as the simulator has them: closed forms, by hand, and the uncompiled reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from plain_streams import GivenTimes, PoissonArrivals

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.simulate import simulate
from lambdanb.simulator.function_model import EventInvocations, Simulated
from lambdanb.simulator.laws import Exponential
from lambdanb.simulator.mapped_run import FIRST_ROOM, MappedReplication, MappingFigures
from lambdanb.simulator.mappings import QueueMapping, StreamMapping


def told(found: Forecast) -> MappingFigures:
    mapping = found.runs[0].mapping
    assert mapping is not None
    return mapping


def test_without_a_window_slow_records_are_each_a_batch() -> None:
    model = Simulated(warm=0.1, init=0.2, mapping=StreamMapping(shards=4))
    found = simulate(model, GivenTimes(np.arange(50.0)), seconds=60)
    mapping = told(found)
    assert (mapping.records, mapping.batches, mapping.mean_batch_size, mapping.max_age_ms) == (50, 50, 1, 0)
    assert found.outcome.count("cold") == 1
    assert found.outcome.billed_ms == 50 * 100 + 200


def test_a_saturated_lane_takes_full_batches_one_after_the_other() -> None:
    """Lanes x size / duration = 4 x 10 / 0.5 = 80 records a second, where 400 come."""
    model = Simulated(warm=0.5, mapping=StreamMapping(shards=2, parallelization_factor=2, batch_size=10))
    mapping = told(simulate(model, PoissonArrivals(400), seconds=1000))
    taken = mapping.records - mapping.waiting
    assert taken / 1000 == pytest.approx(80, rel=0.002)
    assert mapping.mean_batch_size == pytest.approx(10, rel=0.01)


def test_a_window_collects_what_comes_within_it() -> None:
    """10 records a second; a window of 2 s from the first: that one, and those up to and at its end."""
    model = Simulated(warm=0.01, mapping=StreamMapping(batching_window_s=2.05))
    mapping = told(simulate(model, GivenTimes(np.arange(2100) / 10), seconds=300))
    assert (mapping.batches, mapping.mean_batch_size, mapping.waiting) == (100, 21, 0)
    assert mapping.age_ms(50) == pytest.approx(50, rel=0.02)


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    model = Simulated(warm=0.01, mapping=StreamMapping(batch_size=5, batching_window_s=300.0))
    mapping = told(simulate(model, GivenTimes(np.arange(12.0)), seconds=100))
    assert (mapping.batches, mapping.mean_batch_size, mapping.waiting, mapping.max_age_ms) == (2, 5, 2, 0)


def test_iterator_age_of_a_lane_meets_pollaczek_and_khinchine() -> None:
    """M/D/1 with batches of one: the mean wait is rate duration² / 2 (1 - load)."""
    rate, duration_s = 7.0, 0.1
    model = Simulated(warm=duration_s, mapping=StreamMapping(batch_size=1))
    found = simulate(model, PoissonArrivals(rate), seconds=5_000, runs=16)
    means = np.array([run.mapping.mean_age_ms for run in found.runs if run.mapping is not None])
    expected = rate * duration_s**2 / (2 * (1 - rate * duration_s)) * 1000
    error = means.std(ddof=1) / 4
    assert abs(means.mean() - expected) < 3 * error
    assert error < 0.05 * expected


def test_per_record_time_is_added_for_each_record() -> None:
    model = Simulated(warm=1.0, mapping=StreamMapping(per_record_s=0.5))
    found = simulate(model, GivenTimes([0.0, 0.0, 0.0]), seconds=10)
    assert told(found).batches == 1
    assert found.outcome.billed_ms == 2500


def test_a_failed_batch_blocks_its_lane_until_it_is_given_up() -> None:
    """Three attempts of 1 s each; what comes at 0.5 s begins at 3 s."""
    model = Simulated(warm=1.0, error_share=1.0, mapping=StreamMapping(maximum_retry_attempts=2))
    found = simulate(model, GivenTimes([0.0, 0.5]), seconds=20, windows=20)
    mapping = told(found)
    assert (mapping.batches, mapping.retried, mapping.given_up) == (6, 4, 2)
    assert mapping.windows["batches"].tolist()[:7] == [1, 1, 1, 1, 1, 1, 0]
    assert mapping.windows["max_age_ms"].tolist()[3:6] == [2500, 3500, 4500]
    assert found.outcome.count("errors") == 6


def test_lanes_wait_for_concurrency() -> None:
    """Many lanes and one environment: one batch after the other, nothing throttled."""
    model = Simulated(warm=1.0, reserved=1, mapping=StreamMapping(shards=50, batch_size=1))
    found = simulate(model, GivenTimes([0.0] * 10), seconds=20)
    assert (told(found).max_age_ms, told(found).batches) == (9000, 10)
    assert (found.outcome.count("throttled"), found.outcome.mean("environments")) == (0, 1)


def test_without_any_concurrency_everything_waits() -> None:
    for mapping in (StreamMapping(), QueueMapping()):
        model = Simulated(warm=1.0, reserved=0, mapping=mapping)
        assert told(simulate(model, GivenTimes([0.0] * 10), seconds=20)).waiting == 10


def test_an_environment_is_kept_and_ends() -> None:
    model = Simulated(warm=1.0, init=1.0, keep_alive_s=5.0, mapping=StreamMapping())
    run = simulate(model, GivenTimes([0.0, 6.0, 20.0]), seconds=100).runs[0]
    assert (run.outcome.count("cold"), run.ended, run.life_span_s) == (2, 2, (12 + 7) / 2)


def test_pollers_of_a_queue_scale_from_five_by_five_a_second() -> None:
    model = Simulated(warm=1000.0, timeout_s=900, mapping=QueueMapping(batch_size=1))
    mapping = told(simulate(model, GivenTimes([0.0] * 1000), seconds=100, windows=100))
    batches = np.cumsum(mapping.windows["batches"])
    for second in (1, 10, 100):
        # One is added every 0.2 s, from 0.2 s on; that of the last instant by its rounding.
        assert batches[second - 1.0] == pytest.approx(5 * second + 4, abs=1)


def test_a_queue_keeps_to_its_maximum_concurrency() -> None:
    model = Simulated(warm=1.0, mapping=QueueMapping(batch_size=10, maximum_concurrency=2))
    found = simulate(model, PoissonArrivals(100), seconds=100)
    assert told(found).batches == pytest.approx(200, abs=3)
    assert found.outcome.mean("environments") <= 2


MIXED = [
    StreamMapping(shards=3, parallelization_factor=2, batch_size=20, batching_window_s=0.3, per_record_s=0.01),
    QueueMapping(batch_size=10, maximum_concurrency=12, maximum_retry_attempts=1),
]


@pytest.mark.parametrize("mapping", MIXED)
@pytest.mark.parametrize("reuse", ["most-recently-used", "newest-created"])
def test_compiled_uncompiled_and_threads_agree(mapping: StreamMapping | QueueMapping, reuse: str) -> None:
    model = Simulated(
        warm=Exponential(0.3), init=Exponential(0.2), keep_alive_s=Exponential(1.0), error_share=0.1, mapping=mapping
    )
    first, *others = [
        simulate(model, PoissonArrivals(100), seconds=60, concurrency=5, runs=2, reuse=reuse, **more)
        for more in ({}, {"compiled": False}, {"threads": 1})
    ]
    for other in others:
        for a, b in zip(first.runs, other.runs, strict=True):
            assert_frame_equal(a.outcome.windows, b.outcome.windows, check_exact=True)
            assert a.outcome.latency == b.outcome.latency
            assert a.usages == b.usages and a.life_span_s == b.life_span_s
            assert a.mapping is not None and b.mapping is not None
            assert_frame_equal(a.mapping.windows, b.mapping.windows, check_exact=True)
            assert a.mapping.age == b.mapping.age and a.mapping.mean_age_ms == b.mapping.mean_age_ms
            assert a.mapping.records == a.mapping.waiting + a.mapping.windows["records"].sum()
    assert told(first).retried > 0


@pytest.mark.parametrize("mapping", [StreamMapping(batch_size=7, batching_window_s=0.2), QueueMapping()])
def test_how_the_stream_is_cut_into_chunks_changes_nothing(mapping: StreamMapping | QueueMapping) -> None:
    times = np.sort(np.random.default_rng(3).random(3000) * 60)
    model = Simulated(warm=Exponential(0.1), init=0.3, keep_alive_s=0.2, error_share=0.1, mapping=mapping)
    whole, cut = (told(simulate(model, GivenTimes(times, chunk), seconds=70)) for chunk in (65_536, 11))
    assert_frame_equal(whole.windows, cut.windows, check_exact=True)
    assert whole.age == cut.age


def test_memory_is_in_proportion_to_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[int] = []
    figures = MappedReplication.figures

    def noting(self: MappedReplication) -> MappingFigures:
        rooms.append(len(self._lanes.record_s))
        return figures(self)

    monkeypatch.setattr(MappedReplication, "figures", noting)
    for warm_s in (0.01, 1.0):
        simulate(Simulated(warm=warm_s, mapping=StreamMapping(batch_size=10)), PoissonArrivals(500), seconds=200)
    assert rooms[0] == FIRST_ROOM
    assert 98_000 < rooms[1] <= 4 * 98_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StreamMapping(shards=0), "shards is 0: it must be a whole number from 1 to 1,000"),
        (lambda: StreamMapping(parallelization_factor=11), "parallelization_factor is 11"),
        (lambda: StreamMapping(batch_size=10_001), "batch_size is 10001: it must be a whole number from 1 to 10,000"),
        (lambda: StreamMapping(batching_window_s=301), "batching_window_s is 301: it must be from 0 to 300"),
        (lambda: StreamMapping(maximum_retry_attempts=-1), "maximum_retry_attempts is -1"),
        (lambda: StreamMapping(per_record_s=float("nan")), "per_record_s is nan"),
        (lambda: QueueMapping(batch_size=11), "a batch_size over 10 needs at least 1"),
        (lambda: QueueMapping(maximum_concurrency=1), "maximum_concurrency is 1"),
        (lambda: Simulated(warm=1.0, mapping="kinesis"), "mapping is 'kinesis': it must be a StreamMapping or"),  # type: ignore[arg-type]
        (lambda: Simulated(warm=1.0, mapping=StreamMapping(), provisioned=2), "provisioned is 2: with a mapping"),
        (lambda: Simulated(warm=1.0, mapping=StreamMapping(), event=EventInvocations()), "event is EventInvoc"),
    ],
)
def test_bad_input_is_told(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_such_a_function_is_forecast_alone() -> None:
    models = [Simulated(warm=1.0, mapping=StreamMapping()), Simulated(warm=1.0)]
    with pytest.raises(ValueError, match="forecast alone"):
        simulate(models, [PoissonArrivals(1)] * 2, seconds=10)
