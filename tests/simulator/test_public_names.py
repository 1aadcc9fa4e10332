"""What a person imports: names of the room, and rooms of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lambdanb
from lambdanb import simulator


def test_every_name_is_there() -> None:
    public = simulator.__all__
    assert {"Profile", "Simulated", "HybridHistogram", "theory"} <= set(public) <= set(dir(simulator))
    for name in public:
        assert getattr(simulator, name).__doc__, name


@pytest.mark.parametrize("room", ["analysis", "simulator.Simulated", "streams.Poisson"])
def test_a_room_needs_no_import_of_its_own(room: str) -> None:
    subprocess.run([sys.executable, "-c", f"import lambdanb; lambdanb.{room}"], check=True, timeout=60)


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Simulation'; it has EventInvocations, .*theory"):
        simulator.Simulation  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'stream'; it has .*streams"):
        lambdanb.stream  # noqa: B018
