"""One home for the tests of a module, with its endpoint and the real boto3 before it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from aws import Client, client_of, endpoint_of


@pytest.fixture(scope="module")
def told(shared_home: Path) -> dict[str, str]:
    """The variables that `lambdanb env` prints."""
    return endpoint_of(shared_home)


@pytest.fixture(scope="module")
def client(told: dict[str, str]) -> Client:
    """`client("s3")`: boto3's, with the home's own keys."""
    return partial(client_of, told)
