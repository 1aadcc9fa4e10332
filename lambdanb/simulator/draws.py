"""The random numbers of invocations, drawn a chunk ahead of the kernel by a thread of their own.

Neither NumPy's generators nor the kernel hold Python's lock while they work: one run has use for two processors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np

from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Fixed, Floats, Law
from lambdanb.simulator.state import Places

Item = TypeVar("Item")


class Drawn(NamedTuple):
    """A chunk of invocations.

    arrival_s   ascending
    function    which function each is of
    run_s       how long each would run in a warm environment
    keep_s      how long its environment is kept after it; None: as its function's fixed keep-alive says
    failed      whether the function fails it; None: none does
    """

    arrival_s: Floats
    function: Places
    run_s: Floats
    keep_s: Floats | None
    failed: Any


class Draws:
    """One generator for each use: whether keep-alives are drawn changes no duration."""

    def __init__(self, models: Sequence[Simulated], seeds: Sequence[np.random.SeedSequence]) -> None:
        """`seeds`: three."""
        self._durations, self._failures, self._keep_alives = (
            np.random.Generator(np.random.SFC64(each)) for each in seeds
        )
        self._warm = [each.warm_law for each in models]
        self._keep_alive = [each.keep_alive_law for each in models]
        self._error_share = np.array([each.error_share for each in models])
        self._draws_keep_alive = not all(isinstance(each, Fixed) for each in self._keep_alive)

    def of(self, arrival_s: Floats, function: Places) -> Drawn:
        """What is random of these invocations, in their order."""
        run_s = np.empty(len(arrival_s))
        _draw_each(self._warm, function, self._durations, run_s)
        keep_s = failed = None
        if self._draws_keep_alive:
            keep_s = np.empty(len(arrival_s))
            _draw_each(self._keep_alive, function, self._keep_alives, keep_s)
        if self._error_share.any():
            failed = self._failures.random(len(arrival_s)) < self._error_share[function]
        return Drawn(arrival_s, function, run_s, keep_s, failed)

    def ahead(self, arrivals: Iterator[tuple[Floats, Places]]) -> Iterator[Drawn]:
        """Each chunk of arrivals, drawn while the one before is used."""
        return _ahead(self.of(arrival_s, function) for arrival_s, function in arrivals if len(arrival_s))


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def _draw_each(laws: Sequence[Law], function: Places, random: np.random.Generator, out: Floats) -> None:
    """Fill `out` with a draw of each one's function's law."""
    if len(laws) == 1:
        laws[0].draw(random, out)
        return
    order = np.argsort(function, kind="stable")
    present, starts = np.unique(function[order], return_index=True)
    drawn = np.empty(len(function))
    for f, start, end in zip(present, starts, [*starts[1:], len(function)], strict=True):
        laws[f].draw(random, drawn[start:end])
    out[order] = drawn
