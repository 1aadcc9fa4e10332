"""The bill of a simulated run: exact usages for the total, and dollars per unit for the kernel's sums by window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambdanb.model.billing import Usage, provisioned_concurrency, snap_start, total_ms
from lambdanb.model.prices import price_book
from lambdanb.model.rules import Rules
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Floats


class Rates(NamedTuple):
    """Dollars at list price, in the first tier. `per_ms` has an entry for each group: on demand, provisioned."""

    per_request: float
    per_ms: Floats
    per_start: Floats


def rates(models: Sequence[Simulated], rules: Rules) -> Rates:
    """What the kernel reckons with."""
    book = price_book(rules)
    per_ms: list[float] = []
    per_start: list[float] = []
    for each in models:
        prices = book.prices(each.architecture)
        storage = book.storage_gb_s * max(0, each.tmp_mb - book.free_tmp_mb)
        for per_gb_s in (prices.on_demand[0][1], prices.provisioned_duration):
            per_ms.append(float((per_gb_s * each.memory_mb + storage) / (1024 * 1000)))
        per_start.append(float(book.snap_restore_gb * each.memory_mb / 1024) if each.snap_start else 0.0)
    return Rates(float(book.request), np.array(per_ms), np.array(per_start))


def usages(
    models: Sequence[Simulated],
    rules: Rules,
    *,
    seconds: float,
    invoked: NDArray[np.int64],
    billed_ms: NDArray[np.int64],
    cold: NDArray[np.int64],
) -> list[Usage]:
    """What was used, one usage for each architecture. `invoked` and `billed_ms` are by group, `cold` by function."""
    found: dict[str, Usage] = {}
    for f, each in enumerate(models):
        for provisioned in (False, True):
            group = 2 * f + provisioned
            _add(
                found,
                total_ms(
                    int(invoked[group]),
                    int(billed_ms[group]),
                    each.memory_mb,
                    rules=rules,
                    tmp_mb=each.tmp_mb,
                    architecture=each.architecture,
                    provisioned=provisioned,
                ),
            )
        for usage in kept(each, rules, seconds):
            _add(found, usage)
        if each.snap_start:
            restores = snap_start(each.memory_mb, restores=int(cold[f]), rules=rules, architecture=each.architecture)
            _add(found, restores)
    return list(found.values())


def kept(model: Simulated, rules: Rules, seconds: float) -> list[Usage]:
    """What a function uses whether it is invoked or not: provisioned concurrency, and its snapshot's cache."""
    found = []
    if model.provisioned:
        found.append(
            provisioned_concurrency(
                model.provisioned, seconds, model.memory_mb, rules=rules, architecture=model.architecture
            )
        )
    if model.snap_start:
        cached_s = math.ceil(seconds)
        found.append(snap_start(model.memory_mb, cached_s=cached_s, rules=rules, architecture=model.architecture))
    return found


def _add(found: dict[str, Usage], usage: Usage) -> None:
    known = found.get(usage.architecture)
    found[usage.architecture] = usage if known is None else known + usage
