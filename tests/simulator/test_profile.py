"""A profile holds what was measured, draws from it faithfully, and says what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pandas import DataFrame

from lambdanb.model.records import COLUMNS, Record, Report
from lambdanb.simulator.laws import Law
from lambdanb.simulator.profile import Profile


def record(duration_ms: float = 20.0, init_ms: float | None = None, status: str = "ok", **more: Any) -> Record:
    values = {
        "request_id": "r", "function": "thumbnail", "version": "$LATEST", "environment_id": "e", "arrived_ms": 1.7e12,
        "queued_ms": 0.3, "billed_ms": 1, "memory_mb": 128, "max_memory_mb": 40, "cpu_ms": 1.0,
    }  # fmt: skip
    return Record(
        **(
            values
            | {"duration_ms": duration_ms, "init_ms": init_ms, "cold": init_ms is not None, "status": status}
            | more
        )
    )


def frame(*records: Record) -> DataFrame:
    """As `Function.records()` gives it."""
    table = DataFrame([each.to_json() for each in records], columns=list(COLUMNS))
    table.insert(0, "arrived", table["arrived_ms"])
    return table


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_what_was_measured() -> None:
    profile = Profile.from_records(
        frame(
            record(50, 300, max_memory_mb=55),
            record(22),
            record(20),
            record(5, status="error", error_type="KeyError"),
            record(3000, status="timeout"),
            record(70, status="crashed"),
            record(0, status="throttled"),
            record(0, status="failed"),
            record(9, 200, memory_mb=512),
            record(8, memory_mb=512),
        )
    )
    small, large = profile.at(128), profile.at(512)
    assert (profile.name, profile.memory_mb, profile.invocations) == ("thumbnail", 512, 8)
    assert profile.at() is large
    assert small.warm_ms.tolist() == [5, 20, 22]
    assert small.cold_ms.tolist() == [50]
    assert small.init_ms.tolist() == [300]
    assert (small.invocations, small.errors, small.timeouts, small.max_memory_mb) == (6, 2, 1, 55)
    assert (small.error_share, small.timeout_share) == (2 / 6, 1 / 6)
    assert (large.warm_ms.tolist(), large.init_ms.tolist(), large.error_share) == ([8], [200], 0)
    assert repr(profile) == "<Profile thumbnail: 128 MB (6 invocations), 512 MB (2 invocations)>"


def test_a_function_for_the_simulator() -> None:
    """A cold start takes an init and a first time of the handler's; who ran into the timeout does so again."""
    records = frame(record(50, 300), record(20), record(21), record(3010, status="timeout"))
    profile = Profile.from_records(records, keep_alive_s=7, timeout_s=3, tmp_mb=1024, architecture="arm64")
    simulated = profile.simulated()
    assert simulated.first_law is not None
    warm, init, first = drawn(simulated.warm_law), drawn(simulated.start_law), drawn(simulated.first_law)
    assert (warm[0], warm[-1]) == (0.02, 3.0)
    assert (warm == 3.0).mean() == pytest.approx(0.5 / 3, rel=0.05)
    assert (set(init), set(first)) == ({0.3}, {0.05})
    assert (simulated.keep_alive_s, simulated.timeout_s, simulated.tmp_mb) == (7, 3, 1024)
    assert simulated.architecture == "arm64"
    assert profile.simulated(keep_alive_s=60).keep_alive_s == 60


def test_a_profile_without_settings_takes_the_simulator_s() -> None:
    simulated = Profile.from_records(frame(record(20), record(3010, status="timeout"))).simulated()
    assert (simulated.keep_alive_s, simulated.timeout_s, simulated.first) == (600, 900, None)
    assert set(drawn(simulated.warm_law)) == {0.02}


def test_a_setting_that_is_none() -> None:
    with pytest.raises(TypeError, match="unknown setting memory; there are keep_alive_s, timeout_s"):
        Profile.from_records(frame(record()), memory=128)


def drawn(law: Law) -> np.ndarray[Any, Any]:
    """Seconds, ascending."""
    seconds = np.empty(10_000)
    law.draw(generator(), seconds)
    return np.sort(seconds)


def test_all_warm_records_have_no_init_at_all() -> None:
    """Their column is of None only."""
    profile = Profile.from_records(frame(record(10), record(30)))
    assert set(profile.sample_cold(generator(), 100)) <= set(profile.sample_warm(generator(), 100))
    with pytest.raises(ValueError, match=r"no cold start of thumbnail was measured at 128 MB.* at no memory size"):
        profile.sample_init(generator(), 5)


def test_all_cold_records_serve_for_warm_ones() -> None:
    profile = Profile.from_records(frame(record(10, 100), record(10, 300)))
    assert profile.sample_warm(generator(), 3).tolist() == [10, 10, 10]
    assert 100 <= profile.sample_init(generator(), 1)[0] <= 300


def test_a_memory_size_that_was_not_measured() -> None:
    profile = Profile.from_records(frame(record(10, 100), record(10, memory_mb=512)))
    with pytest.raises(
        ValueError, match=r"thumbnail was not measured at 1024 MB, only at 128 MB \(1 invocations\), 512"
    ):
        profile.sample_warm(generator(), 1, 1024)
    with pytest.raises(ValueError, match=r"no cold start of thumbnail was measured at 512 MB.* some at 128 MB"):
        profile.sample_init(generator(), 1)


def test_timeouts_only() -> None:
    profile = Profile.from_records(frame(record(3000, status="timeout"), record(3000, status="timeout")))
    assert profile.at().timeout_share == 1
    with pytest.raises(ValueError, match="duration is unknown: of 2, 2 ran into the timeout and 0 crashed"):
        profile.sample_warm(generator(), 1)


@pytest.mark.parametrize("seed", range(16))
def test_draws_follow_the_samples(seed: int) -> None:
    """Mean within 3.5 standard errors for each of 16 seeds; quantiles as NumPy's by Hazen's positions."""
    measured = generator(seed).lognormal(3, 0.6, 200)
    profile = Profile.from_records(frame(*(record(float(each)) for each in measured)))
    drawn = profile.sample_warm(generator(seed + 100), 200_000)
    assert abs(drawn.mean() - measured.mean()) < 3.5 * drawn.std() / math.sqrt(len(drawn))
    assert (drawn.min(), drawn.max()) == (measured.min(), measured.max())
    chances = [0.1, 0.5, 0.9, 0.95]
    expected = np.quantile(measured, chances, method="hazen")
    assert np.quantile(drawn, chances) == pytest.approx(expected, rel=0.03)
    assert len(np.unique(drawn)) > 100_000


def test_the_same_generator_gives_the_same_draws() -> None:
    profile = Profile.from_records(frame(record(10), record(30)))
    assert profile.sample_warm(generator(7), 50).tolist() == profile.sample_warm(generator(7), 50).tolist()


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (frame(), "there are no records: invoke the function first"),
        (frame(record(status="throttled"), record(status="throttled")), "thumbnail is of an invocation .* 2 throttled"),
        (frame(record(), record(function="b")), r"records of 2 functions \(thumbnail, b\): choose one"),
        (frame(record()).drop(columns=["init_ms", "status"]), "no columns init_ms, status"),
        (frame(record(), record(math.nan, request_id="r7")), r"record 1 of thumbnail \(r7\) has duration_ms nan"),
        (frame(record(1, -5)), r"record 0 of thumbnail \(r\) has .* init_ms -5"),
    ],
)
def test_records_that_make_no_profile(records: DataFrame, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Profile.from_records(records)


def test_a_profile_from_a_log(tmp_path: Path) -> None:
    path = tmp_path / "thumbnail.log.txt"
    reports = [
        Report("a", 50, 350, 128, 40, init_ms=300),
        Report("b", 20, 20, 128, 44),
        Report("c", 60, 90, 128, 40, restore_ms=110, billed_restore_ms=30),
        Report("d", 3000, 3000, 128, 40, status="timeout"),
        Report("e", 8, 8, 128, 40, status="error", error_type="Runtime.ExitError"),
    ]
    path.write_text("\n".join(each.line() for each in reports))
    profile = Profile.from_report_log(path)
    size = profile.at()
    assert profile.name == "thumbnail"
    assert (size.warm_ms.tolist(), size.cold_ms.tolist(), size.init_ms.tolist()) == ([8, 20], [50, 60], [110, 300])
    assert (size.invocations, size.errors, size.timeouts, size.max_memory_mb) == (5, 1, 1, 44)
    assert Profile.from_report_log([reports[1].line()], "f").name == "f"


def test_a_log_with_broken_lines_warns_and_without_reports_fails() -> None:
    good = Report("b", 20, 20, 128, 44).line()
    with pytest.warns(UserWarning, match="1 REPORT lines of 2 lines; 1 couldn't be read"):
        Profile.from_report_log([good, good[:60]])
    with pytest.raises(ValueError, match=r"to learn function from: .* 0 REPORT lines of 1 lines"):
        Profile.from_report_log(["hello"])


@pytest.mark.parametrize(
    ("law", "mean", "quantiles"),
    [
        ({"law": "exponential", "mean_ms": 2000}, 2000, {0.5: 2000 * math.log(2), 0.99: 2000 * math.log(100)}),
        ({"law": "lognormal", "median_ms": 20, "p99_ms": 90}, None, {0.5: 20, 0.99: 90}),
        ({"law": "gamma", "mean_ms": 30, "shape": 1}, 30, {0.5: 30 * math.log(2)}),
        ({"law": "gamma", "mean_ms": 30, "shape": 400}, 30, {0.5: 30, 0.8413: 31.5}),
        ({"law": "constant", "ms": 12}, 12, {0.01: 12, 0.99: 12}),
        (12, 12, {0.5: 12}),
    ],
)
def test_a_law(law: Any, mean: float | None, quantiles: dict[float, float]) -> None:
    profile = Profile.of_law("f", warm=law, init=300, memory_mb=256)
    samples = profile.at(256).warm_ms
    if mean is not None:
        assert samples.mean() == pytest.approx(mean)
    for chance, expected in quantiles.items():
        assert np.quantile(samples, chance, method="hazen") == pytest.approx(expected, rel=0.005)
    assert profile.sample_init(generator(), 2).tolist() == [300, 300]
    assert np.mean(profile.sample_warm(generator(), 100_000)) == pytest.approx(samples.mean(), rel=0.02)
    assert (profile.memory_mb, profile.invocations, profile.at().error_share) == (256, 0, 0)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: Profile.of_law(warm={"law": "normal"}, init=1),
            "warm has the law 'normal': it must be one of constant",
        ),
        (lambda: Profile.of_law(warm={"law": "gamma", "mean_ms": 1}, init=1), "warm: .* mean_ms, shape, not mean_ms"),
        (
            lambda: Profile.of_law(warm=5, init=-1),
            "init: ms of the law constant is -1: it must be a finite number from 0",
        ),
        (lambda: Profile.of_law(warm="fast", init=1), "warm: ms of the law constant is 'fast'"),  # type: ignore[arg-type]
        (
            lambda: Profile.of_law(warm={"law": "lognormal", "median_ms": 9, "p99_ms": 3}, init=1),
            "warm: p99_ms is 3, less than median_ms, 9",
        ),
    ],
)
def test_laws_that_are_none(call: Callable[[], Profile], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
