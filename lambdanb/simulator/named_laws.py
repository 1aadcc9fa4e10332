"""Durations by a named law, as samples: its quantiles at 10,000 evenly spaced probabilities.

A law is a dict, as those of `model.keep_alive`, or a number of milliseconds for what is always the same:

    {"law": "constant", "ms": 20}
    {"law": "exponential", "mean_ms": 20}
    {"law": "gamma", "mean_ms": 20, "shape": 4}            shape 1 is exponential; the larger, the narrower
    {"law": "lognormal", "median_ms": 20, "p99_ms": 90}    the shape that most functions' durations have
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

LAWS: dict[str, tuple[str, ...]] = {
    "constant": ("ms",),
    "exponential": ("mean_ms",),
    "gamma": ("mean_ms", "shape"),
    "lognormal": ("median_ms", "p99_ms"),
}
_SAMPLES = 10_000


def law_samples_ms(name: str, law: float | Mapping[str, Any]) -> NDArray[np.float64]:
    """The samples, ascending, with the law's own mean (quantiles alone cut its tail off, and some of the mean with it).

    `name` says in errors what the law is of. ValueError for a law or a number that isn't allowed.
    """
    if not isinstance(law, Mapping):
        law = {"law": "constant", "ms": law}
    kind = law.get("law")
    names = LAWS.get(kind) if isinstance(kind, str) else None
    if names is None:
        raise ValueError(f"{name} has the law {kind!r}: it must be one of {', '.join(LAWS)}")
    if set(law) != {"law", *names}:
        given = ", ".join(key for key in law if key != "law") or "nothing"
        raise ValueError(f"{name}: the law {kind} has the parameters {', '.join(names)}, not {given}")
    for each in names:
        _check(f"{name}: {each} of the law {kind}", law[each], above_0=kind in ("gamma", "lognormal"))
    if kind == "constant":
        return np.array([float(law["ms"])])
    chances = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    if kind == "exponential":
        samples, mean_ms = -np.log1p(-chances), law["mean_ms"]
    elif kind == "gamma":
        samples, mean_ms = gammaincinv(law["shape"], chances), law["mean_ms"]
    else:
        if law["p99_ms"] < law["median_ms"]:
            raise ValueError(f"{name}: p99_ms is {law['p99_ms']:g}, less than median_ms, {law['median_ms']:g}")
        sigma = math.log(law["p99_ms"] / law["median_ms"]) / ndtri(0.99)
        samples, mean_ms = np.exp(sigma * ndtri(chances)), law["median_ms"] * math.exp(sigma**2 / 2)
    return np.asarray(samples * (mean_ms / samples.mean()), dtype=np.float64)


def _check(what: str, value: object, *, above_0: bool) -> None:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not 0 <= float(value) < math.inf or (above_0 and value == 0):  # type: ignore[arg-type]
        raise ValueError(f"{what} is {value!r}: it must be a finite number {'above' if above_0 else 'from'} 0")
