"""Bills side by side as HTML: numbers aligned, each bill with where its prices come from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lambdanb.analysis.bill_table import NOTHING, Row, remarks, side_by_side
from lambdanb.analysis.month_bill import SOURCES, MonthBill
from lambdanb.notebook import html

_NOTE = (
    "Computed from list prices in us-east-1; no bill of AWS's. Data transfer, logs and other services aren't in it. "
    "Charges are rounded to cents, as AWS prints them; their lines are shown to 1/100 of a cent."
)
_LINE = "border-top: 1px solid var(--jp-border-color2, #8886)"
_CELL = "padding: 1px 0 1px 12px; text-align: right; vertical-align: baseline; font-variant-numeric: tabular-nums"
_NAME = "text-align: left; vertical-align: baseline"


def bills_html(bills: Sequence[MonthBill]) -> str:
    """A table of all charges and their lines, and below it what else there is to say."""
    heads = "".join(map(_head, bills))
    rows = "".join(map(_row, side_by_side(bills)))
    said = "".join(f"<li>{escape(name)}: {escape(text)}</li>" for name, text in remarks(bills))
    return (
        '<div role="status" style="overflow-x: auto; line-height: 1.5"><table style="border-collapse: collapse">'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<ul style="margin: 6px 0; padding-left: 18px; line-height: 1.5">{said}</ul>'
        f'<div style="line-height: 1.5">{html.span(_NOTE, html.GREY)}</div>'
    )


def _head(bill: MonthBill) -> str:
    """The rules, the step in which they bill, and where their prices come from."""
    steps = _nowrap(f"in steps of {bill.rules.billing_step_ms} ms,")
    return (
        f'<th scope="colgroup" colspan="2" style="{_CELL}">{escape(bill.rules.name)}<br>'
        f'<span style="font-weight: normal; color: {html.GREY}">{steps} {_nowrap(SOURCES[bill.rules.name])}</span></th>'
    )


def _row(row: Row) -> str:
    """A charge and the total are bold and have a line above; under a line's name stands how it comes about."""
    bold = row.kind != "line"
    weight = "bold" if bold else "normal"
    cells = "".join(
        f'<td style="{_CELL}; padding-left: 18px">{_nowrap(quantity)} {_nowrap(_times(price))}</td>'
        f'<td style="{_CELL}; font-weight: {weight}">{_nowrap(amount)}</td>'
        for quantity, price, amount in row.cells
    )
    name = escape(row.label) + (f" {html.span(row.note, html.GREY)}" if row.note else "")
    return (
        f'<tr style="{_LINE if bold else ""}"><th scope="row" style="{_NAME}; font-weight: {weight}; '
        f'padding-left: {0 if bold else 14}px">{name}</th>{cells}</tr>'
    )


def _times(price: str) -> str:
    """A price as a factor."""
    return f"\u00d7 {price}" if price.startswith("$") else "" if price == NOTHING else price


def _nowrap(text: str) -> str:
    return f'<span style="white-space: nowrap">{escape(text)}</span>'
