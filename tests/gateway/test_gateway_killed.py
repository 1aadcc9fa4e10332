"""The gateway is killed while 500 events are sent: those that were answered run, and the next request works."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.exceptions import HTTPClientError as ConnectionFailed

from lambdanb.client.follow import follow


def gateway_pid(home: Path) -> int:
    """The gateway of a home."""
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if "lambdanb.gateway" in words and str(home) in words:
            return int(process.info["pid"])
    raise AssertionError("no gateway runs")


def test_kill_9_during_500_events(aws: Any, echo: str, shared_home: Path) -> None:
    answered: list[int] = []
    some = threading.Event()

    def send(number: int) -> None:
        try:
            status = aws.invoke(FunctionName=echo, InvocationType="Event", Payload=b'{"number": %d}' % number)[
                "StatusCode"
            ]
        except (ConnectionClosedError, EndpointConnectionError, ReadTimeoutError, ConnectionFailed):
            return
        assert status == 202
        answered.append(number)
        if len(answered) > 100:
            some.set()

    with ThreadPoolExecutor(50) as threads:
        sent = [threads.submit(send, number) for number in range(500)]
        assert some.wait(60)
        os.kill(gateway_pid(shared_home), signal.SIGKILL)
        for future in sent:
            future.result()
    assert aws.invoke(FunctionName=echo)["StatusCode"] == 200
    waiting = set(answered)
    for line in follow(echo, 10_000):
        if line.startswith("seen {'number': "):
            waiting.discard(int(line.removeprefix("seen {'number': ").rstrip("}")))
        if not waiting:
            break
    assert len(answered) > 100
