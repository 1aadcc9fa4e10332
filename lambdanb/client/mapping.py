"""`Function.map`: many events, a bounded number under way, results in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future
from typing import Any

from lambdanb.client.progress import Progress
from lambdanb.model.errors import TooManyRequestsException

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0


def map_events(name: str, submit: Callable[[Any], Future[Any]], events: Iterable[Any], in_flight: int) -> Iterator[Any]:
    """Results in the order of the events. A throttled one is sent again, with waits that double up to 2 s.

    Events whose number is known have a progress bar, under this name.
    """
    if in_flight < 1:
        raise ValueError(f"in_flight is {in_flight}; at least one event has to be under way")
    results = _results(submit, events, in_flight)
    return _shown(name, results, len(events)) if isinstance(events, Sized) else results


def _shown(name: str, results: Iterator[Any], count: int) -> Iterator[Any]:
    progress = Progress(name)
    try:
        for done, result in enumerate(results, 1):
            progress.show(done / count, f"{done:,} of {count:,} answered")
            yield result
    finally:
        progress.close()


def _results(submit: Callable[[Any], Future[Any]], events: Iterable[Any], in_flight: int) -> Iterator[Any]:
    under_way: deque[tuple[Any, Future[Any]]] = deque()
    for event in events:
        if len(under_way) >= in_flight:
            yield _result(submit, *under_way.popleft())
        under_way.append((event, submit(event)))
    while under_way:
        yield _result(submit, *under_way.popleft())


def _result(submit: Callable[[Any], Future[Any]], event: Any, future: Future[Any]) -> Any:
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return future.result()
        except TooManyRequestsException as throttled:
            if throttled.retry_after_s is None:
                raise
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            future = submit(event)
