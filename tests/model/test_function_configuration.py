"""Configurations, names and keep-alives."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from lambdanb.model import keep_alive
from lambdanb.model.configuration import Configuration
from lambdanb.model.names import ACCOUNT, function_arn, is_version, split_qualifier

ROOT = Path(__file__).parents[2]
GOOD = Configuration(function_name="f", environment={"A1": "b"}, keep_alive_s={"law": "exponential", "mean_s": 60})


def test_a_configuration_survives_json() -> None:
    assert Configuration.from_json(json.loads(json.dumps(GOOD.to_json()))) == GOOD


def test_homes_of_other_versions_are_read() -> None:
    data = {**GOOD.to_json(), "from_the_future": 1}
    del data["architecture"]
    assert Configuration.from_json(data) == GOOD


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        GOOD.memory_mb = 256  # type: ignore[misc]
    json_form = GOOD.to_json()
    json_form["environment"]["B"] = "c"
    assert GOOD.environment == {"A1": "b"}
    assert replace(GOOD, memory_mb=256).function_name == "f"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("f", ("f", None)),
        ("f:live", ("f", "live")),
        ("f:$LATEST", ("f", "$LATEST")),
        ("function", ("function", None)),
        (f"{ACCOUNT}:function:f:3", ("f", "3")),
        (f"{ACCOUNT}:f", ("f", None)),
        (function_arn("f"), ("f", None)),
        (function_arn("f", "live"), ("f", "live")),
    ],
)
def test_ways_to_write_a_function(text: str, parts: tuple[str, str | None]) -> None:
    assert split_qualifier(text) == parts


@pytest.mark.parametrize("text", ["", ":", "f:", "f:a:b:c", "a b", "arn:aws:s3:::bucket", "f\n", "f:$NEWEST"])
def test_what_is_no_function(text: str) -> None:
    with pytest.raises(ValueError, match="is not a function"):
        split_qualifier(text)


def test_versions_and_aliases() -> None:
    assert is_version("$LATEST") and is_version("12")
    assert not is_version("live") and not is_version("") and not is_version("\u0661")


def test_keep_alive_is_a_number_or_drawn_from_its_law() -> None:
    generator = random.Random(7)

    def draws(law: dict[str, object]) -> list[float]:
        assert keep_alive.flaw(law) is None
        return [keep_alive.draw(law, generator) for _ in range(20_000)]

    assert keep_alive.draw(600, generator) == 600.0
    assert keep_alive.draw(0.5, generator) == 0.5
    assert statistics.mean(draws({"law": "exponential", "mean_s": 600})) == pytest.approx(600, rel=0.03)
    uniform = draws({"law": "uniform", "low_s": 300, "high_s": 420})
    assert min(uniform) >= 300 and max(uniform) <= 420
    assert statistics.mean(uniform) == pytest.approx(360, rel=0.01)
    lognormal = draws({"law": "lognormal", "median_s": 600, "sigma": 0.5})
    assert statistics.median(lognormal) == pytest.approx(600, rel=0.03)
    assert statistics.mean(lognormal) == pytest.approx(600 * 2.718281828 ** (0.5**2 / 2), rel=0.03)
    assert set(draws({"law": "exponential", "mean_s": 0})) == {0.0}
    assert set(draws({"law": "lognormal", "median_s": 0, "sigma": 2})) == {0.0}


def test_the_data_that_everyone_imports_is_light() -> None:
    code = (
        "import sys, lambdanb.model.errors, lambdanb.model.configuration, lambdanb.model.records, lambdanb.model.rules;"
        "print(*sorted({'decimal', 'random', 'datetime', 'uuid', 'logging', 'asyncio', 'threading', 'socket'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
