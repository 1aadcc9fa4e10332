"""What measured invocations are billed: their records, summed up to the cent as AWS would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdanb.model.billing import Bill, monthly_cost, total_ms
from lambdanb.model.rules import TODAY, Rules

if TYPE_CHECKING:
    from pandas import DataFrame


def bill_of(
    records: DataFrame,
    rules: Rules = TODAY,
    *,
    tmp_mb: int = 512,
    architecture: str = "x86_64",
    free_tier: bool = True,
) -> Bill:
    """The bill, exact, as if these were all invocations of their month, on demand: `.cents()` rounds as AWS does.

    records   of `Function.records()`, or a load test's `records`: `billed_ms` and `memory_mb` count. What wasn't
              billed (throttled, refused, lost) costs nothing
    rules     those under which they ran; their prices

    The records' own `cost` is without free tier, and in floating point: a sum of millions isn't good to the cent.
    """
    billed = records[records["billed_ms"] > 0]
    usages = [
        total_ms(len(each), int(each.sum()), int(memory_mb), rules=rules, tmp_mb=tmp_mb, architecture=architecture)
        for memory_mb, each in billed["billed_ms"].groupby(billed["memory_mb"])
    ]
    return monthly_cost(usages, rules, free_tier=free_tier)
