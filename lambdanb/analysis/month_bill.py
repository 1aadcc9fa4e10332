"""A function's bill for a month, line by line, under either set of rules: computed from list prices, not AWS's own.

    month = Month(requests=3_000_000, duration_ms=1_000, memory_mb=512)
    month_bill(month, PREVIEW_2014).cents().total          # Decimal("18.74")
    bills_table(month).text()                              # both sets of rules, side by side

Exact decimals all through: the lines of a charge sum up to what `billing.monthly_cost` bills for it, and each charge is
then rounded to cents, as AWS prints it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from lambdanb.model.billing import (
    EXACT,
    Bill,
    Usage,
    billed_ms,
    monthly_cost,
    provisioned_concurrency,
    snap_start,
    tier_parts,
    total_ms,
)
from lambdanb.model.prices import ZERO, price_book
from lambdanb.model.rules import TODAY, Limit, Rules

HOURS = 730
"""A month's hours, as AWS's own calculator counts them."""
ARCHITECTURES = ("x86_64", "arm64")
CHARGES = {
    "requests": "Requests",
    "duration": "Duration",
    "provisioned": "Provisioned concurrency",
    "storage": "/tmp over 512 MB",
    "snap_start": "SnapStart",
}
"""The charges of a bill, as it calls them."""

SOURCES = {
    "today": "AWS's price list, us-east-1",
    "preview-2014": "AWS's first price list, 2014",
}
"""Where the prices come from, by rules."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """What one function does in a month. ValueError names the value that can't be, and what is allowed.

    requests            invocations that are billed: throttled ones aren't
    duration_ms         of the handler, each time
    memory_mb, tmp_mb   as configured
    architecture        "x86_64" or "arm64"
    cold_share          of the requests that run on demand, 0 to 1: the init of these is billed too, today
    init_ms             of a cold start; SnapStart restores instead
    provisioned         provisioned concurrency: environments kept ready; 0 for none
    provisioned_hours   for how much of the month they are
    provisioned_share   of the requests, 0 to 1, that run on them; the rest run on demand
    snap_start          one published version keeps a snapshot all month; each cold start restores it
    free_tier           whether the account's free tier is this function's alone, or used up by others
    """

    requests: int = 1_000_000
    duration_ms: float = 100.0
    memory_mb: int = 512
    tmp_mb: int = 512
    architecture: str = "x86_64"
    cold_share: float = 0.0
    init_ms: float = 0.0
    provisioned: int = 0
    provisioned_hours: float = HOURS
    provisioned_share: float = 1.0
    snap_start: bool = False
    free_tier: bool = True

    def __post_init__(self) -> None:
        _need("requests", self.requests, 0, 10**15)
        _need("duration_ms", self.duration_ms, 0, 1000 * TODAY.timeout_s.maximum, "ms, the longest timeout")
        for name, limit in (("memory_mb", TODAY.memory_mb), ("tmp_mb", TODAY.tmp_mb)):
            if getattr(self, name) not in limit:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be a whole number, {limit.range}")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture is {self.architecture!r}: it must be {' or '.join(ARCHITECTURES)}")
        _need("cold_share", self.cold_share, 0, 1)
        _need("init_ms", self.init_ms, 0, 1000 * TODAY.timeout_s.maximum, "ms")
        _need("provisioned", self.provisioned, 0, 10**7)
        _need("provisioned_hours", self.provisioned_hours, 0, 744, "h, a month of 31 days")
        _need("provisioned_share", self.provisioned_share, 0, 1)
        for name in ("requests", "provisioned"):
            if int(getattr(self, name)) != getattr(self, name):
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be a whole number")
        if self.snap_start and self.provisioned:
            raise ValueError("snap_start and provisioned: AWS has one or the other, not both")
        if self.snap_start and self.tmp_mb > TODAY.tmp_mb.minimum:
            raise ValueError(f"snap_start and tmp_mb={self.tmp_mb}: AWS has SnapStart only with a /tmp of 512 MB")

    @property
    def on_provisioned(self) -> int:
        """How many of the requests run on provisioned concurrency."""
        return round(self.requests * self.provisioned_share) if self.provisioned else 0

    @property
    def cold_starts(self) -> int:
        """How many of the requests start an environment."""
        return round((self.requests - self.on_provisioned) * self.cold_share)


@dataclass(frozen=True)
class Line:
    """One line of a bill: `amount` = `quantity` x `price`, exact, in dollars. What is free has the price 0.

    charge   which charge it belongs to: a key of CHARGES
    item     what is billed, in words; `unit` is the unit of the quantity
    note     how its price or its quantity comes about, where that isn't plain
    source   where the price comes from
    """

    charge: str
    item: str
    quantity: Decimal
    unit: str
    price: Decimal
    note: str
    source: str

    @property
    def amount(self) -> Decimal:
        """Dollars, exact."""
        with localcontext(EXACT):
            return self.quantity * self.price


@dataclass(frozen=True)
class MonthBill:
    """A month's bill under one set of rules.

    refused   why the function could not run under these rules: then there are no lines, and `bill` is None
    notes     what else one must know to read the bill
    """

    rules: Rules
    bill: Bill | None
    lines: tuple[Line, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]

    def cents(self) -> Bill | None:
        """The charges rounded to cents, half a cent up; the total is the sum of the rounded charges."""
        return None if self.bill is None else self.bill.cents()


def month_bill(month: Month, rules: Rules = TODAY) -> MonthBill:
    """The bill of a month, if it were the account's only function."""
    refused = tuple(_refusals(month, rules))
    if refused:
        return MonthBill(rules, None, (), refused, ())
    sold, notes = _as_sold(month, rules)
    usages = _usages(sold, rules)
    bill = monthly_cost(usages, rules, free_tier=sold.free_tier)
    with localcontext(EXACT):
        usage = sum(usages[1:], usages[0])
        lines = tuple(_lines(usage, sold, rules))
    return MonthBill(rules, bill, lines, (), (*notes, *_warnings(sold, rules)))


def _refusals(month: Month, rules: Rules) -> list[str]:
    """Why these rules have no such function."""
    settings: list[tuple[str, float, Limit]] = [
        ("memory", month.memory_mb, rules.memory_mb),
        ("/tmp", month.tmp_mb, rules.tmp_mb),
        ("duration", month.duration_ms / 1000, rules.timeout_s),
    ]
    return [
        f"{name} of {value:,.6g} {limit.unit}: these rules have at most {limit.maximum:,} {limit.unit}"
        for name, value, limit in settings
        if value > limit.maximum
    ]


def _as_sold(month: Month, rules: Rules) -> tuple[Month, list[str]]:
    """The month with nothing in it that these rules didn't sell, and what was left out."""
    book = price_book(rules)
    notes = []
    if month.architecture not in book.duration:
        notes.append(f"{month.architecture} was not offered: billed as x86_64.")
        month = replace(month, architecture="x86_64")
    if month.provisioned and not book.prices(month.architecture).provisioned:
        notes.append("Provisioned concurrency was not sold: all requests run on demand.")
        month = replace(month, provisioned=0)
    if month.snap_start and not book.snap_restore_gb:
        notes.append("SnapStart was not sold: left out.")
        month = replace(month, snap_start=False)
    if month.cold_starts and month.init_ms and not rules.init_billed:
        notes.append("Init was not billed.")
    return month, notes


def _warnings(month: Month, rules: Rules) -> list[str]:
    """What the bill supposes."""
    notes = []
    if month.snap_start:
        notes.append(
            f"SnapStart: one version's snapshot, kept for {HOURS} h; a cold start is billed its restore, no init. "
            "For Java it costs nothing."
        )
    at_once = month.requests * month.duration_ms / 1000 / (HOURS * 3600)
    if at_once > rules.concurrency:
        notes.append(
            f"{at_once:,.0f} invocations run at a time on average: more than the account's concurrency, "
            f"{rules.concurrency:,}, which AWS raises on request."
        )
    return notes


def _usages(month: Month, rules: Rules) -> list[Usage]:
    """What is used, in the price list's units."""
    cold, reserved = month.cold_starts, month.on_provisioned
    on_demand = month.requests - reserved
    warm_ms = billed_ms(month.duration_ms, rules)
    cold_ms = billed_ms(month.duration_ms, rules, None if month.snap_start else month.init_ms)
    of = {"rules": rules, "architecture": month.architecture}
    both = {**of, "tmp_mb": month.tmp_mb}
    usages = [
        total_ms(on_demand, (on_demand - cold) * warm_ms + cold * cold_ms, month.memory_mb, **both),  # type: ignore[arg-type]
        total_ms(reserved, reserved * warm_ms, month.memory_mb, provisioned=True, **both),  # type: ignore[arg-type]
    ]
    if month.provisioned:
        seconds = month.provisioned_hours * 3600
        usages.append(provisioned_concurrency(month.provisioned, seconds, month.memory_mb, **of))  # type: ignore[arg-type]
    if month.snap_start:
        usages.append(snap_start(month.memory_mb, cached_s=HOURS * 3600, restores=cold, **of))  # type: ignore[arg-type]
    return usages


def _lines(usage: Usage, month: Month, rules: Rules) -> list[Line]:
    """The bill's lines, in the bill's order; those without a quantity are left out."""
    book = price_book(rules)
    prices = book.prices(month.architecture)
    free_requests = min(usage.requests, book.free_requests) if month.free_tier else 0
    free_gb_s = min(usage.gb_s, book.free_gb_s) if month.free_tier else ZERO
    on_demand = tier_parts(usage.gb_s - free_gb_s, prices.on_demand)
    tiers = ["on demand", *(f"on demand, past {upto / 10**9:g} billion GB-s" for upto, _ in prices.on_demand if upto)]
    reserved_gb_s = usage.provisioned_duration_gb_s
    # (charge, item, quantity, unit, price, note)
    rows = [
        ("requests", "free tier", Decimal(free_requests), "requests", ZERO, f"{book.free_requests:,} a month"),
        ("requests", "on demand", Decimal(usage.requests - free_requests), "requests", book.request, ""),
        ("requests", "on provisioned", Decimal(usage.provisioned_requests), "requests", book.request, "no free tier"),
        ("duration", "free tier", free_gb_s, "GB-s", ZERO, f"{book.free_gb_s:,} GB-s a month"),
        *(
            ("duration", item, gb_s, "GB-s", price, month.architecture)
            for item, (gb_s, price) in zip(tiers, on_demand, strict=False)
        ),
        ("duration", "on provisioned", reserved_gb_s, "GB-s", prices.provisioned_duration, "no free tier"),
        ("provisioned", "kept ready", usage.provisioned_gb_s, "GB-s", prices.provisioned, "in steps of 5 min"),
        ("storage", "while it runs", usage.storage_gb_s, "GB-s", book.storage_gb_s, "512 MB are free"),
        ("snap_start", "snapshot kept", usage.snap_cache_gb_s, "GB-s", book.snap_cache_gb_s, "one version"),
        ("snap_start", "restores", usage.snap_restore_gb, "GB", book.snap_restore_gb, "one a cold start"),
    ]
    lines = [Line(*row, source=SOURCES[rules.name]) for row in rows]
    return [line for line in lines if line.quantity]


def _need(name: str, value: object, least: float, most: float, unit: str = "") -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name} is {value!r}: it must be a number from {least:,} to {most:,} {unit}".rstrip())
