"""Tuning: what a function costs and how long it takes at each memory size, by real invocations.

As AWS Lambda Power Tuning does it, and with what its users ask for: percentiles beside means, cold starts apart from
warm ones, weighted events, the memory that was really used, and how sure the answer is. The function itself isn't
touched: its code is deployed once more for each size, and these copies are deleted afterwards.

The sizes are invoked in turn, round by round, one invocation at a time, so that whatever disturbs the machine
disturbs all of them alike.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from lambdanb.analysis.tuning import Tried, Tuning
from lambdanb.client.deploy import copy
from lambdanb.client.function import Function
from lambdanb.client.progress import Progress
from lambdanb.model.errors import ResourceNotFoundException
from lambdanb.model.numbers import is_number

SIZES_MB = (128, 256, 512, 1024, 1769, 3008)
"""By default: the doublings, then one whole vCPU, then the last size at which there are no more than two."""


def tune(
    function: Function,
    event: Any = None,
    memory: Sequence[int] = SIZES_MB,
    *,
    events: Sequence[tuple[float, Any]] | None = None,
    invocations: int = 20,
    cold_starts: int = 3,
) -> Tuning:
    """Invoke a function at several memory sizes and compare cost and speed.

    event        what it is invoked with; or
    events       (weight, event) pairs: each event is invoked as often as any, and counts by its weight
    memory       the sizes in MB
    invocations  warm ones of each event at each size
    cold_starts  forced ones of each event at each size

    A size at which an invocation fails (out of memory, a timeout, an error) is told and never recommended. Ctrl-C
    ends it with what there is. Raises TypeError for what isn't a function, a list of sizes or JSON; ValueError for no
    sizes, no events, a weight that isn't above 0, or fewer than two invocations; ValidationException for a size that
    AWS doesn't have.
    """
    if not isinstance(function, Function):
        raise TypeError(f"tune invokes a deployed function; {function!r:.80} is none. Get one by deploy or get.")
    weighted = _weighted(event, events)
    sizes = _sizes(memory)
    if not sizes:
        raise ValueError("memory names no size in MB to try")
    if invocations < 2 or cold_starts < 0:
        raise ValueError(
            f"a size is judged by 2 warm invocations at least, and by no fewer than 0 cold starts; "
            f"not by invocations={invocations!r} and cold_starts={cold_starts!r}"
        )
    tried: list[Tried] = []
    with ExitStack() as stack:
        copies = {size: stack.enter_context(_copied(function, size)) for size in sizes}
        rounds = [True] * cold_starts + [False] * invocations
        progress = stack.enter_context(contextlib.closing(Progress(f"tuning {function.name}")))
        interrupted = False
        try:
            for number, cold in enumerate(rounds):
                for size, its_copy in copies.items():
                    for place, (_, given) in enumerate(weighted):
                        tried.append(_try(its_copy, size, place, given, cold=cold))
                progress.show((number + 1) / len(rounds), f"round {number + 1} of {len(rounds)}")
        except KeyboardInterrupt:
            interrupted = True
    return Tuning(function.name, [weight for weight, _ in weighted], tried, interrupted=interrupted)


def _sizes(memory: Any) -> list[int]:
    if isinstance(memory, str) or not isinstance(memory, Iterable):
        raise TypeError(f"memory is {memory!r:.80}: it must be a list of sizes in MB, such as [128, 512]")
    return sorted(set(memory))


def _weighted(event: Any, events: Sequence[tuple[float, Any]] | None) -> list[tuple[float, Any]]:
    if events is None:
        return [(1.0, event)]
    if event is not None:
        raise ValueError("give one event, or events with their weights, not both")
    if not events:
        raise ValueError("events is empty: there is nothing to invoke with")
    for pair in events:
        _check_pair(pair)
    return [(weight, event) for weight, event in events]


def _check_pair(pair: Any) -> None:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"events are (weight, event) pairs, and {pair!r:.80} is none")
    weight = pair[0]
    if not is_number(weight) or not weight > 0:
        raise ValueError(f"the weight of an event is a number above 0, not {weight!r}")


@contextmanager
def _copied(function: Function, memory_mb: int) -> Iterator[Function]:
    """The function at another size, under a name of its own, until this ends."""
    name = f"{function.name[:40]}-tune-{memory_mb}-{secrets.token_hex(4)}"
    made = copy(function, name, memory=memory_mb)
    try:
        yield made
    finally:
        with contextlib.suppress(ResourceNotFoundException):
            made.delete()


def _try(function: Function, memory_mb: int, event: int, given: Any, *, cold: bool) -> Tried:
    """One invocation. A warm one finds an environment, because it is the only one under way."""
    invocation = function.invoke(given, cold=cold)
    record = invocation.record
    assert record is not None
    error = invocation.error
    return Tried(
        memory_mb=memory_mb,
        event=event,
        at_s=time.time(),
        cold=record.cold,
        error=None if error is None else f"{error.error_type}: {error.error_message}",
        duration_ms=record.duration_ms,
        init_ms=record.init_ms,
        max_memory_mb=record.max_memory_mb,
        cost=record.cost,
    )
