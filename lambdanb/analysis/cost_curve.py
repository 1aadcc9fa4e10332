"""A month's cost against its requests, under each set of rules: where the free tier ends, where the tiers begin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lambdanb.analysis.month_bill import Month, month_bill
from lambdanb.model.rules import RULES

Floats: TypeAlias = NDArray[np.float64]

_REQUESTS = tuple(round(count) for count in np.geomspace(1e4, 1e10, 121))


@dataclass(frozen=True, eq=False)
class CostCurve:
    """`month_usd` has dollars by rules, beside `requests`; NaN for a function that those rules can't run."""

    requests: Floats
    month_usd: dict[str, Floats]


def cost_curve(month: Month) -> CostCurve:
    """The cost of such a month with 10,000 to 10,000 million requests."""
    costs = {}
    for name, rules in RULES.items():
        bills = [month_bill(replace(month, requests=requests), rules).bill for requests in _REQUESTS]
        costs[name] = np.array([math.nan if bill is None else float(bill.total) for bill in bills])
    return CostCurve(np.array(_REQUESTS, dtype=np.float64), costs)
