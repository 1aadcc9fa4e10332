"""How the benchmarks measure: every contender in turn, round after round, so that whatever disturbs the machine
disturbs all of them; then quantiles over all rounds, and ratios to ours.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
OURS = "lambdanb"
EVENT: Event = {"key": "photos/2014/cat.jpg", "size": 48_213, "tags": ["cat", "window"], "n": 7}
"""What every contender is sent: about 80 bytes of JSON."""


@dataclass
class Contender:
    """One way to have an event handled. `call` waits for the answer; `submit` gives a function that waits for it."""

    name: str
    call: Callable[[Event], Any]
    submit: Callable[[Event], Callable[[], Any]] | None = None
    prepare: Callable[[], object] = lambda: None
    """Run before each measured call and not measured."""


@dataclass
class Times:
    """Milliseconds of each measured call of one contender."""

    name: str
    ms: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The value that `share` of the calls didn't exceed."""
        ordered = sorted(self.ms)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def timed_ms(work: Callable[[], object]) -> float:
    """Milliseconds that `work` takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def interleaved(
    contenders: Sequence[Contender], rounds: int, calls: int, event: Event = EVENT, warm: int = 20
) -> list[Times]:
    """`calls` calls of each contender in each round; the first `warm` of a turn aren't counted."""
    times = [Times(contender.name) for contender in contenders]
    for _ in range(rounds):
        for contender, told in zip(contenders, times, strict=True):
            for _ in range(warm):
                check(contender, event, contender.call(event))
            for _ in range(calls):
                contender.prepare()
                start = time.perf_counter()
                contender.call(event)
                told.ms.append((time.perf_counter() - start) * 1e3)
    return times


def check(contender: Contender, event: Event, answer: Any) -> None:
    """A contender that answers wrongly has no time."""
    if answer != {"n": event["n"]}:
        raise SystemExit(f"{contender.name} answered {answer!r} to {event!r}")


def calls_per_s(contender: Contender, calls: int, in_flight: int) -> float:
    """Answers a second with `in_flight` events under way at any time."""
    if contender.submit is None:
        raise ValueError(f"{contender.name} has no submit")
    waiting: deque[tuple[Event, Callable[[], Any]]] = deque()
    start = time.perf_counter()
    for n in range(calls):
        if len(waiting) == in_flight:
            event, wait = waiting.popleft()
            check(contender, event, wait())
        event = EVENT | {"n": n}
        waiting.append((event, contender.submit(event)))
    for event, wait in waiting:
        check(contender, event, wait())
    return calls / (time.perf_counter() - start)


def median(values: Iterable[float]) -> float:
    """The middle one (the upper of two)."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def verdict(what: str, ratio: float, wanted: str) -> None:
    """One line: a ratio, against what is wanted of it."""
    print(f"{what}: {ratio:.2f} (wanted: {wanted})", flush=True)


def print_times(title: str, times: Sequence[Times], against: str = OURS) -> None:
    """A table of p50, p99 and calls a second, one call after the other, with the ratio of p50 to that of `against`."""
    base = next(told for told in times if told.name == against).quantile(0.5)
    rows = []
    for told in sorted(times, key=lambda told: told.quantile(0.5)):
        p50, p99, mean = told.quantile(0.5), told.quantile(0.99), sum(told.ms) / len(told.ms)
        rows.append([told.name, f"{p50:.3f}", f"{p99:.3f}", f"{1e3 / mean:,.0f}", f"{p50 / base:.2f}"])
    print_table(title, ["", "p50 ms", "p99 ms", "calls/s", f"p50 / {against}'s"], rows)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown, aligned for the eye."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("| " + " | ".join(cells) + " |")
    print(flush=True)
