"""Both rule sets hold the numbers that they were written from."""

from __future__ import annotations

import pytest

from lambdanb.model import mapping_limits
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY, Limit, Rules, cpu_share, limits, visible_vcpus


def bounds(limit: Limit) -> tuple[int, int, int, int]:
    return limit.minimum, limit.maximum, limit.default, limit.step


def test_settings_of_today() -> None:
    assert bounds(TODAY.memory_mb) == (128, 10_240, 128, 1)
    assert bounds(TODAY.timeout_s) == (1, 900, 3, 1)
    assert bounds(TODAY.tmp_mb) == (512, 10_240, 512, 1)
    assert bounds(TODAY.retry_attempts) == (0, 2, 2, 1)
    assert bounds(TODAY.event_age_s) == (60, 21_600, 21_600, 1)


def test_settings_of_the_preview() -> None:
    assert bounds(PREVIEW_2014.memory_mb) == (128, 1024, 128, 1)
    assert bounds(PREVIEW_2014.timeout_s) == (1, 60, 3, 1)
    assert bounds(PREVIEW_2014.tmp_mb) == (512, 512, 512, 1)


@pytest.mark.parametrize(
    ("name", "today", "preview"),
    [
        ("processes", 1024, 256),
        ("files", 1024, 1024),
        ("connections", None, 10),
        ("concurrency", 1000, 25),
        ("unreserved_minimum", 100, 0),
        ("growth_per_10s", 1000, None),
        ("requests_per_environment_per_s", 10, None),
        ("billing_step_ms", 1, 100),
        ("init_billed", True, False),
        ("metrics_days", 455, 30),
        ("payload_bytes", 6_291_456, 6_291_456),
        ("async_payload_bytes", 1_048_576, 1_048_576),
        ("response_bytes", 6_291_556, 6_291_556),
        ("environment_bytes", 4096, 4096),
        ("layers", 5, 5),
        ("zip_bytes", 52_428_800, 52_428_800),
        ("unzipped_bytes", 262_144_000, 262_144_000),
        ("policy_bytes", 20_480, 20_480),
        ("init_timeout_s", 10, 10),
    ],
)
def test_numbers(name: str, today: int | None, preview: int | None) -> None:
    assert (getattr(TODAY, name), getattr(PREVIEW_2014, name)) == (today, preview)


def test_rule_sets_are_found_by_name() -> None:
    assert RULES == {"today": TODAY, "preview-2014": PREVIEW_2014}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_every_default_is_in_its_range(rules: Rules) -> None:
    for limit in limits(rules):
        assert limit.default in limit, limit
        assert limit.name and limit.range


def test_limits_leave_out_what_a_set_lacks() -> None:
    today = {limit.name for limit in limits(TODAY)}
    preview = {limit.name for limit in limits(PREVIEW_2014)}
    assert preview - today == {"outbound connections"}
    assert today - preview == {
        "new environments per 10 s",
        "requests per environment and second",
        "unreserved concurrency, at least",
    }


def test_limits_of_event_source_mappings() -> None:
    def ranges(limits: tuple[Limit, ...]) -> list[tuple[str, int, int, int]]:
        return [(limit.member, limit.minimum, limit.maximum, limit.default) for limit in limits]

    assert ranges(mapping_limits.STREAM) == [
        ("batchSize", 1, 10_000, 100),
        ("maximumBatchingWindowInSeconds", 0, 300, 0),
        ("parallelizationFactor", 1, 10, 1),
        ("maximumRetryAttempts", -1, 10_000, -1),
        ("maximumRecordAgeInSeconds", -1, 604_800, -1),
        ("tumblingWindowInSeconds", 0, 900, 0),
    ]
    assert ranges(mapping_limits.QUEUE) == [
        ("batchSize", 1, 10_000, 10),
        ("maximumBatchingWindowInSeconds", 0, 300, 0),
        ("scalingConfig.maximumConcurrency", 2, 1000, 1000),
    ]
    assert ranges(mapping_limits.FIFO_QUEUE)[0] == ("batchSize", 1, 10, 10)


def test_a_limit_knows_its_range_and_step() -> None:
    limit = Limit("size", "MB", 64, 256, 128, 64)
    assert [value for value in range(300) if value in limit] == [64, 128, 192, 256]
    assert limit.range == "64 to 256 MB in steps of 64"
    assert TODAY.memory_mb.range == "128 to 10,240 MB"
    assert PREVIEW_2014.tmp_mb.range == "512 MB"
    assert True not in Limit("flag", "", 0, 1, 0)
    assert 128.0 not in TODAY.memory_mb


def test_cpu_follows_memory() -> None:
    assert cpu_share(1769) == 1.0
    assert cpu_share(128) == pytest.approx(0.07236, abs=1e-5)
    assert cpu_share(10_240) == pytest.approx(5.788, abs=1e-3)
    assert cpu_share(1024, PREVIEW_2014) == cpu_share(1024)


@pytest.mark.parametrize(
    ("memory_mb", "vcpus"),
    [(128, 2), (3008, 2), (3009, 3), (5307, 3), (5308, 4), (7076, 4), (7077, 5), (8845, 5), (8846, 6), (10_240, 6)],
)
def test_visible_vcpus(memory_mb: int, vcpus: int) -> None:
    assert visible_vcpus(memory_mb) == vcpus
