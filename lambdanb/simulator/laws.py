"""Laws: the distributions that durations, init times and keep-alives are drawn from. All in seconds.

A law fills an array in place: the simulator draws tens of millions of numbers a second, and a new array for each chunk
would cost as much as the numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Law(ABC):
    """A distribution over seconds from 0."""

    @abstractmethod
    def draw(self, random: np.random.Generator, out: Floats) -> None:
        """Fill `out` (float64, contiguous, one dimension) with seconds."""


@dataclass(frozen=True)
class Fixed(Law):
    """Always the same."""

    seconds: float

    def __post_init__(self) -> None:
        _check_numbers(self)

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        out.fill(self.seconds)


@dataclass(frozen=True)
class Exponential(Law):
    """Memoryless: the law of queueing theory's simplest results."""

    mean_s: float

    def __post_init__(self) -> None:
        _check_numbers(self)

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        random.standard_exponential(out=out)
        out *= self.mean_s


@dataclass(frozen=True)
class Uniform(Law):
    """Evenly between two numbers."""

    low_s: float
    high_s: float

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.low_s > self.high_s:
            raise ValueError(f"Uniform: low_s is {self.low_s:g}, which must not be more than high_s, {self.high_s:g}")

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        random.random(out=out)
        out *= self.high_s - self.low_s
        out += self.low_s


@dataclass(frozen=True)
class LogNormal(Law):
    """Most durations of real functions look like this. `sigma` is the standard deviation of the logarithm."""

    median_s: float
    sigma: float

    def __post_init__(self) -> None:
        _check_numbers(self)

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        random.standard_normal(out=out)
        out *= self.sigma
        np.exp(out, out=out)
        out *= self.median_s


@dataclass(frozen=True, eq=False)
class Sample(Law):
    """What was measured: drawn from the quantile function of the given seconds, linear between neighbours.

    With x(1) <= ... <= x(n) and U uniform, x at the rank n U + 1/2, at least x(1) and at most x(n) (Hazen's plotting
    positions). The mean is that of the samples, exactly. (Drawing the samples themselves would give 50 of them 50
    values.)
    """

    seconds: ArrayLike = field(repr=False)

    def __post_init__(self) -> None:
        values = np.array(self.seconds, dtype=np.float64)
        if values.ndim != 1 or not len(values):
            raise ValueError(f"Sample: one dimension with at least one number is wanted, not the shape {values.shape}")
        bad = values[~((values >= 0) & np.isfinite(values))]
        if len(bad):
            raise ValueError(
                f"Sample: {len(bad)} of {len(values)} numbers aren't finite or under 0, such as {bad[0]:g}"
            )
        object.__setattr__(self, "seconds", np.sort(values))

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        values = np.asarray(self.seconds)
        random.random(out=out)
        ranks = np.clip(out * len(values) - 0.5, 0, len(values) - 1)
        below = ranks.astype(np.int64)
        above = np.minimum(below + 1, len(values) - 1)
        out[:] = values[below] + (ranks - below) * (values[above] - values[below])


_BY_NAME: dict[str, type[Law]] = {"exponential": Exponential, "uniform": Uniform, "lognormal": LogNormal}


def law(value: Law | float | Mapping[str, Any], what: str) -> Law:
    """A law from what a person writes: a law, a number of seconds, or a dict as `model.keep_alive` has it.

    `what` is its name in the errors. Raises ValueError for anything else.
    """
    if isinstance(value, Law):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < math.inf:
            raise ValueError(f"{what} is {value:g} s: it must be a finite number from 0")
        return Fixed(float(value))
    if isinstance(value, Mapping):
        its_law = _BY_NAME.get(value.get("law", ""))
        if its_law is not None and set(value) == {"law", *_parameters(its_law)}:
            return its_law(**{name: value[name] for name in _parameters(its_law)})
    known = "; ".join(f"{name} ({', '.join(_parameters(its_law))})" for name, its_law in _BY_NAME.items())
    raise ValueError(
        f"{what} is {value!r}: it must be a law, a number of seconds, or a dict of one of the laws {known}"
    )


def _parameters(its_law: Any) -> list[str]:
    return [each.name for each in fields(its_law)]


def _check_numbers(its_law: Any) -> None:
    """Every parameter is a finite number from 0."""
    for name in _parameters(its_law):
        value = getattr(its_law, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{type(its_law).__name__}: {name} is {value!r}, which must be a finite number from 0")
