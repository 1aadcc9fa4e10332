"""One MiniStack for all tests here; each makes streams and queues of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from emulators import ministack


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """AWS's variables for it."""
    with ministack(tmp_path_factory.mktemp("ministack")) as variables:
        yield variables


@pytest.fixture
def name() -> str:
    """Of a stream, table or queue that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"
