"""A home's one endpoint as boto3 uses it, and the processes behind it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables

NEEDS_EMULATOR = pytest.mark.skipif(
    importlib.util.find_spec("ministack") is None,
    reason="the emulator isn't installed: pip install 'lambdanb[aws]' (make test does)",
)
Client = Callable[..., Any]


def endpoint_of(home: Path) -> dict[str, str]:
    """What `lambdanb env` prints for a home; its gateway is up from now on."""
    return variables(home, Executor.of(home).ask("endpoint")["url"])


def client_of(
    told: dict[str, str], service: str, *, attempts: int = 1, signature_version: str | None = None, **keys: str
) -> Any:
    """boto3's client of a service, without its retries: a test sees the first answer. `keys`: other credentials."""
    keys = keys or {
        "aws_access_key_id": told["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": told["AWS_SECRET_ACCESS_KEY"],
    }
    return boto3.Session(region_name="us-east-1").client(
        service,
        endpoint_url=told["AWS_ENDPOINT_URL"],
        config=Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            read_timeout=60,
            signature_version=signature_version,
        ),
        **keys,
    )


def keys_of(found: dict[str, Any]) -> dict[str, str]:
    """An answer's Credentials as boto3 takes them."""
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


def process_of(home: Path, module: str) -> psutil.Process:
    """The one process of a home that runs a module."""
    (found,) = processes_of(home, module)
    return found


def processes_of(home: Path, module: str) -> list[psutil.Process]:
    """The processes of a home that run a module, without forks of theirs, which write snapshots."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if module in words and (str(home) in words or _works_in(process.pid, home)):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if _parent(process) not in {each.pid for each in found}]


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _works_in(pid: int, home: Path) -> bool:
    """The emulator isn't told its home, but lives in it."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"HOME={home}/aws".encode() in environ


def is_running(pid: int) -> bool:
    """Whether it is there, and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(pids: list[int], timeout_s: float = 20.0) -> None:
    """Wait for the end of processes that may be nobody's children here."""
    _, left = psutil.wait_procs([psutil.Process(pid) for pid in pids if is_running(pid)], timeout_s)
    assert not [one for one in left if is_running(one.pid)], f"{left} still run"


EMULATED = "lambdanb.sources.emulated"
SUPERVISOR = "lambdanb.sources.emulator"
GATEWAY = "lambdanb.gateway"
