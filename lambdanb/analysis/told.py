"""Numbers as a sentence tells them: what results say of themselves, and the legends of their figures."""

from __future__ import annotations

import math


def short(value: float) -> str:
    """Three digits, never as a power: 5,340."""
    return f"{float(f'{value:.3g}'):,g}"


def dollars(value: float) -> str:
    """Money to the cent, or to three digits where that is less: $12.50, $0.000417."""
    if value >= 1 or value == 0:
        return f"${value:,.2f}"
    return f"${value:.{2 - math.floor(math.log10(value))}f}"
