"""Bills side by side: for each charge and each of its lines what every set of rules makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from lambdanb.analysis.month_bill import CHARGES, SOURCES, Line, MonthBill
from lambdanb.client.tables import Table

NOTHING = "-"


@dataclass(frozen=True)
class Row:
    """One row. `cells` has (quantity, price, amount) as texts for each bill, NOTHING where a bill has no such line.

    kind     "charge" and "total" have amounts to the cent and nothing else; a "line" has amounts to 1/100 of a cent
    note     of a line: how it comes about
    """

    kind: Literal["charge", "line", "total"]
    label: str
    cells: tuple[tuple[str, str, str], ...]
    note: str = ""


def side_by_side(bills: Sequence[MonthBill]) -> list[Row]:
    """The rows of several bills: each charge that any of them has, below it its lines, and the total."""
    rows = []
    in_cents = [each.cents() for each in bills]
    for charge, title in CHARGES.items():
        lines = [{line.item: line for line in each.lines if line.charge == charge} for each in bills]
        # In the order of the bill that has the most of them: tiers are steps that all bills share.
        items = list(dict.fromkeys(item for of_bill in sorted(lines, key=len, reverse=True) for item in of_bill))
        if not items:
            continue
        amounts = [getattr(cents, charge) if of else None for cents, of in zip(in_cents, lines, strict=True)]
        rows.append(_sums("charge", title, amounts))
        for item in items:
            found = [of_bill.get(item) for of_bill in lines]
            cells = tuple((NOTHING,) * 3 if line is None else _cells(line) for line in found)
            notes = dict.fromkeys(line.note for line in found if line is not None)
            rows.append(Row("line", item, cells, "; ".join(note for note in notes if note)))
    rows.append(_sums("total", "Total for the month", [None if cents is None else cents.total for cents in in_cents]))
    return rows


def bills_table(bills: Sequence[MonthBill]) -> Table:
    """The same as a table of texts, with the notes below."""
    headers = [""]
    for each in bills:
        headers += [f"{each.rules.name}: quantity", "price", "amount"]
    rows = []
    for row in side_by_side(bills):
        label = f"  {row.label}" if row.kind == "line" else row.label
        rows.append((label, *(text for cell in row.cells for text in cell), row.note))
    notes = [f"{each.rules.name}: prices from {SOURCES[each.rules.name]}." for each in bills]
    notes += [f"{name}: {said}" for name, said in remarks(bills)]
    return Table("Computed from list prices; not a bill of AWS's.", (*headers, "note"), rows, notes)


def remarks(bills: Sequence[MonthBill]) -> list[tuple[str, str]]:
    """(rules, sentence) for all there is to say besides: why there is no bill, and what one supposes."""
    said = []
    for each in bills:
        said += [(each.rules.name, f"could not run: {why}.") for why in each.refused]
        said += [(each.rules.name, note) for note in each.notes]
    return said


def dollars(amount: Decimal, places: int = 2) -> str:
    """$1,234.50; what is above 0 and less than can be shown is "< $0.01"."""
    least = Decimal(1).scaleb(-places)
    if 0 < amount < least / 2:
        return f"< ${least}"
    return f"${amount:,.{places}f}"


def price_text(price: Decimal) -> str:
    """All digits of a price, as the list has them."""
    return f"${price:f}" if price else "free"


def _cells(line: Line) -> tuple[str, str, str]:
    quantity = f"{line.quantity:,.3f}".rstrip("0").rstrip(".")
    return f"{quantity} {line.unit}", price_text(line.price), dollars(line.amount, 4)


def _sums(kind: Literal["charge", "total"], label: str, amounts: Sequence[Decimal | None]) -> Row:
    cells = tuple(("", "", NOTHING if amount is None else dollars(amount)) for amount in amounts)
    return Row(kind, label, cells)
