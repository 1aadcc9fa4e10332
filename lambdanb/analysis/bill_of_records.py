"""What measured invocations are billed: their records, summed up to the cent as AWS would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdanb.model.billing import Bill, Usage, monthly_cost, total_ms
from lambdanb.model.rules import TODAY, Rules

if TYPE_CHECKING:
    from pandas import DataFrame


def bill_of(
    records: DataFrame,
    rules: Rules = TODAY,
    *,
    tmp_mb: int = 512,
    architecture: str = "x86_64",
    kept: Usage | None = None,
    free_tier: bool = True,
) -> Bill:
    """The bill, exact, as if these were all invocations of their month: `.cents()` rounds as AWS does.

    records   of `Function.records()`, or a load test's `records`: `billed_ms`, `memory_mb` and `provisioned` count.
              What wasn't billed (throttled, refused, lost) costs nothing
    rules     those under which they ran; their prices
    kept      what was used besides, invoked or not: `billing.provisioned_concurrency(...)`

    The records' own `cost` is without free tier, and in floating point: a sum of millions isn't good to the cent.
    """
    billed = records[records["billed_ms"] > 0]
    usages = [
        total_ms(
            len(each),
            int(each.sum()),
            int(memory_mb),
            rules=rules,
            tmp_mb=tmp_mb,
            architecture=architecture,
            provisioned=bool(provisioned),
        )
        for provisioned, its in billed.groupby(billed["provisioned"])
        for memory_mb, each in its["billed_ms"].groupby(its["memory_mb"])
    ]
    if kept is not None:
        usages.append(kept)
    return monthly_cost(usages, rules, free_tier=free_tier)
