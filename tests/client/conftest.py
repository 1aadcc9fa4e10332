"""A function that gives back what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

import lambdanb


@pytest.fixture
def echo(shared_home: Path) -> lambdanb.Function:
    return lambdanb.deploy("echo", "def lambda_handler(event, context): return event\n", timeout=20)
