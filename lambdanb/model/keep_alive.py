"""How long an idle execution environment is kept: a number of seconds, or a distribution to draw from.

AWS promises nothing. What was observed was 25 to 60 minutes in June 2019, exactly 10 in August 2019, 5 to 7 later: a
distribution, not a number. A distribution is a dict, so that it can be kept with the configuration:

    {"law": "exponential", "mean_s": 600}
    {"law": "uniform", "low_s": 300, "high_s": 420}
    {"law": "lognormal", "median_s": 600, "sigma": 0.5}      sigma: standard deviation of the logarithm
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

LAWS: dict[str, tuple[str, ...]] = {
    "exponential": ("mean_s",),
    "uniform": ("low_s", "high_s"),
    "lognormal": ("median_s", "sigma"),
}


def flaw(keep_alive_s: object) -> str | None:
    """What is wrong with a keep-alive, in words; None if nothing is."""
    if _is_number(keep_alive_s):
        return None
    if not isinstance(keep_alive_s, Mapping):
        return "Member must be a number of seconds from 0, or a distribution with one of the laws " + ", ".join(LAWS)
    law = keep_alive_s.get("law")
    names = LAWS.get(law) if isinstance(law, str) else None
    if names is None:
        return f"Member must have one of the laws {', '.join(LAWS)}"
    if set(keep_alive_s) != {"law", *names}:
        return f"Member must have exactly the parameters {', '.join(names)} for the law {law}"
    if not all(_is_number(keep_alive_s[name]) for name in names):
        return f"Member must have numbers from 0 for {', '.join(names)}"
    if law == "uniform" and keep_alive_s["low_s"] > keep_alive_s["high_s"]:
        return "Member must have low_s less than or equal to high_s"
    return None


def draw(keep_alive_s: float | Mapping[str, Any], random: Random) -> float:
    """Seconds that one environment is kept when it falls idle. The keep-alive must be a valid one."""
    if not isinstance(keep_alive_s, Mapping):
        return float(keep_alive_s)
    law = keep_alive_s["law"]
    if law == "exponential":
        mean_s = keep_alive_s["mean_s"]
        return random.expovariate(1 / mean_s) if mean_s else 0.0
    if law == "uniform":
        return random.uniform(keep_alive_s["low_s"], keep_alive_s["high_s"])
    # Not lognormvariate: its parameter is the logarithm of the median, which a median of 0 hasn't got.
    factor: float = 2.718281828459045 ** random.gauss(0.0, keep_alive_s["sigma"])
    return float(keep_alive_s["median_s"]) * factor


def _is_number(value: object) -> bool:
    """A finite number from 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
