"""A home whose mappings read from an emulator: executor, gateway and sources process, with boto3 in front."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables

DEADLINE_S = 60.0


@contextmanager
def lambda_client(home: Path) -> Iterator[Any]:
    """boto3's client of the home's Lambda, without its retries and its own checks: a test sees the first answer."""
    told = variables(home, Executor.of(home).ask("endpoint")["url"])
    client = boto3.Session(region_name="us-east-1").client(
        "lambda",
        endpoint_url=told["AWS_ENDPOINT_URL"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    try:
        yield client
    finally:
        client.close()


def until_state(client: Any, uuid: str, state: str) -> dict[str, Any]:
    """The mapping, once it has a state; "gone" where it is to be none. AWS has no event for it: one looks again."""
    told: dict[str, Any] = {}

    def look() -> bool:
        nonlocal told
        try:
            told = client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            told = {"State": "gone"}
        return bool(told["State"] == state)

    wait_until(look)
    return told


def wait_until(happened: Callable[[], bool]) -> None:
    """Look until that is so, where nothing tells of it."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < deadline_s, f"not so after {DEADLINE_S} s"
        time.sleep(0.02)


def sources_of(home: Path) -> list[psutil.Process]:
    """The sources processes of a home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "lambdanb.sources" in words and str(home) in words:
            found.append(process)
    return found


def wait_for_sources(home: Path, *, other_than: int = 0) -> psutil.Process:
    """The home's sources process, once there is one, and it isn't that."""
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = [process for process in sources_of(home) if process.pid != other_than]
        return bool(found)

    wait_until(look)
    return found[0]
