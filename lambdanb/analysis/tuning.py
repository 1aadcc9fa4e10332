"""What tuning found: a table of sizes, and a recommendation that says how sure it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Strategy = Literal["cost", "speed", "balanced"]
_WEIGHTS: dict[Strategy, float] = {"cost": 0.0, "speed": 1.0, "balanced": 0.5}
_RESAMPLINGS = 1_000
_PERCENTS = (50, 95, 99)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tried:
    """One invocation. `event` is the number of its event; `error` None where it succeeded; `cost` in dollars."""

    memory_mb: int
    event: int
    at_s: float
    cold: bool
    error: str | None
    duration_ms: float
    init_ms: float | None
    max_memory_mb: int
    cost: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A memory size, by a strategy.

    weight       of speed, 0 to 1; cost has the rest
    confidence   in how many of the resamplings of what was measured the same size came out, 0 to 1
    rival_mb     the size that came out most often else; None when it was always the same
    """

    memory_mb: int
    strategy: Strategy
    weight: float
    confidence: float
    rival_mb: int | None
    duration_ms: float
    cost_per_million: float

    def __str__(self) -> str:
        by = self.strategy if self.strategy != "balanced" else f"balanced, {self.weight:g} for speed"
        sure = f"came out in {self.confidence:.0%} of {_RESAMPLINGS:,} resamplings"
        rival = f", {self.rival_mb} MB in most others" if self.rival_mb is not None else ""
        return (
            f"{self.memory_mb} MB ({by}): {self.duration_ms:.1f} ms, ${self.cost_per_million:.2f} per million; "
            f"{sure}{rival}"
        )


class Tuning:
    """The result of `tune`: `table`, `recommend()`, `plot()`; `tried` has every invocation."""

    def __init__(self, function: str, weights: Sequence[float], tried: Sequence[Tried], *, interrupted: bool) -> None:
        self.function = function
        self.weights = np.asarray(weights, dtype=np.float64) / sum(weights)
        self.tried = list(tried)
        self.interrupted = interrupted

    @cached_property
    def table(self) -> DataFrame:
        """One row per memory size, ascending.

        Of the warm invocations, each event counting by its weight: `duration_ms` (the mean), `p50_ms`, `p95_ms`,
        `p99_ms`, `cost_per_million` (dollars, at list price) with its 95 % band `cost_low`, `cost_high`. Of the cold
        ones: `cold_starts`, `init_ms` (median), `cold_duration_ms` (median, without init), `cold_cost_per_million`.
        Of all: `invocations`, `failed` (their number), `error` (the first one's), `max_memory_used_mb`.
        """
        from pandas import DataFrame

        return DataFrame([self._row(size) for size in self._sizes])

    def recommend(self, strategy: Strategy = "balanced", weight: float | None = None) -> Recommendation:
        """The size that costs least, is fastest, or weighs both.

        Balanced takes the least of (1 - weight) x cost / least cost + weight x time / least time, with the means of
        warm invocations. Sizes at which anything failed are left out. Raises ValueError for an unknown strategy, a
        weight that isn't from 0 to 1, and when no size is left.
        """
        if strategy not in _WEIGHTS:
            raise ValueError(f"the strategy is one of {', '.join(_WEIGHTS)}, not {strategy!r}")
        if weight is not None and strategy != "balanced":
            raise ValueError(f"the strategy {strategy} has no weight; balanced has")
        speed = _WEIGHTS[strategy] if weight is None else weight
        if not 0 <= speed <= 1:
            raise ValueError(f"weight is the share that speed counts, from 0 to 1, not {weight!r}")
        sizes = [size for size in self._sizes if self._is_fit(size)]
        if not sizes:
            raise ValueError(f"no size of {self.function} can be recommended: {self._why_none()}")
        generator = np.random.default_rng(0)  # the same answer each time it is asked
        means = [self._mean(size) for size in sizes]
        mean_times, mean_costs = np.array(means).T
        chosen = int(_scores(mean_times, mean_costs, speed).argmin())
        resampled = [self._resampled(size, generator) for size in sizes]
        times, costs = (np.stack(each, axis=1) for each in zip(*resampled, strict=True))
        wins = np.bincount(_scores(times, costs, speed).argmin(axis=1), minlength=len(sizes))
        others = np.delete(np.arange(len(sizes)), chosen)
        rival = others[wins[others].argmax()] if len(others) and wins[others].any() else None
        return Recommendation(
            memory_mb=sizes[chosen],
            strategy=strategy,
            weight=speed,
            confidence=float(wins[chosen] / _RESAMPLINGS),
            rival_mb=None if rival is None else sizes[int(rival)],
            duration_ms=means[chosen][0],
            cost_per_million=means[chosen][1] * 1e6,
        )

    def plot(self) -> Figure:
        """Time and cost against memory, with what is recommended. Sizes at which anything failed are left out, and
        named below. Raises ValueError where no size is left."""
        from lambdanb.analysis.figures import style
        from lambdanb.analysis.figures.memory_and_cost import memory_and_cost

        fit = [self._is_fit(size) for size in self._sizes]
        if not any(fit):
            raise ValueError(f"there is nothing to draw of {self.function}: {self._why_none()}")
        time, cost = memory_and_cost(self.table[fit], measured=True)
        for ax in (time, cost):
            for strategy, dashes in zip(_WEIGHTS, style.DASHES, strict=False):
                chosen = self.recommend(strategy)
                told = f"{strategy}: {chosen.memory_mb:,} MB\n({chosen.confidence:.0%} of resamplings)"
                ax.axvline(chosen.memory_mb, color=style.BLUE, linestyle=dashes, linewidth=1.2, zorder=1, label=told)
        style.legend_beside(cost, "recommended for")
        figure = cost.get_figure(root=True)
        assert figure is not None
        if not all(fit):
            told = textwrap.fill(f"Left out, as not all went well there: {self._why_none()}", 90)
            figure.supxlabel(told, x=0.01, ha="left", fontsize="small", color=style.GREY)
        return figure

    def __repr__(self) -> str:
        note = " (interrupted)" if self.interrupted else ""
        return f"<Tuning of {self.function}{note}: {self._told()}>"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.table.to_html(index=False, float_format=lambda value: f"{value:,.2f}", na_rep="")
        return f"{table}<p>{escape(self._told())}</p>"

    def _told(self) -> str:
        try:
            return str(self.recommend())
        except ValueError as error:
            return str(error)

    @cached_property
    def _sizes(self) -> list[int]:
        return sorted({one.memory_mb for one in self.tried})

    def _of(self, size: int) -> list[Tried]:
        return [one for one in self.tried if one.memory_mb == size]

    def _warm(self, size: int) -> list[list[Tried]]:
        """The good warm invocations at a size, by event."""
        good = [one for one in self._of(size) if not one.cold and one.error is None]
        return [[one for one in good if one.event == event] for event in range(len(self.weights))]

    def _is_fit(self, size: int) -> bool:
        return all(one.error is None for one in self._of(size)) and all(self._warm(size))

    def _why_none(self) -> str:
        errors = [f"{one.memory_mb} MB: {one.error}" for one in self.tried if one.error is not None]
        return "; ".join(dict.fromkeys(errors)) or "none was invoked warm with each event"

    def _mean(self, size: int) -> tuple[float, float]:
        """Mean milliseconds and dollars of a warm invocation."""
        warm = self._warm(size)
        times = [np.mean([one.duration_ms for one in its]) for its in warm]
        costs = [np.mean([one.cost for one in its]) for its in warm]
        return float(self.weights @ times), float(self.weights @ costs)

    def _resampled(self, size: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The same means over and over, of samples drawn again from what was measured (Efron's bootstrap)."""
        times, costs = np.zeros(_RESAMPLINGS), np.zeros(_RESAMPLINGS)
        for weight, its in zip(self.weights, self._warm(size), strict=True):
            drawn = generator.integers(len(its), size=(_RESAMPLINGS, len(its)))
            times += weight * np.array([one.duration_ms for one in its])[drawn].mean(axis=1)
            costs += weight * np.array([one.cost for one in its])[drawn].mean(axis=1)
        return times, costs

    def _row(self, size: int) -> dict[str, Any]:
        everything = self._of(size)
        errors = [one.error for one in everything if one.error is not None]
        cold = [one for one in everything if one.cold and one.error is None]
        row: dict[str, Any] = {
            "memory_mb": size,
            "invocations": len(everything),
            "failed": len(errors),
            "error": errors[0] if errors else None,
            "max_memory_used_mb": max(one.max_memory_mb for one in everything),
        }
        nothing = float("nan")
        warm = self._warm(size)
        if all(warm):
            time_ms, cost = self._mean(size)
            values = np.array([one.duration_ms for its in warm for one in its])
            weights = np.concatenate(
                [np.full(len(its), w / len(its)) for w, its in zip(self.weights, warm, strict=True)]
            )
            low, high = np.percentile(self._resampled(size, np.random.default_rng(0))[1], (2.5, 97.5)) * 1e6
            row |= {"duration_ms": time_ms}
            row |= {f"p{percent}_ms": _percentile(values, weights, percent) for percent in _PERCENTS}
            row |= {"cost_per_million": cost * 1e6, "cost_low": float(low), "cost_high": float(high)}
        else:
            names = ("duration_ms", "p50_ms", "p95_ms", "p99_ms", "cost_per_million", "cost_low", "cost_high")
            row |= dict.fromkeys(names, nothing)
        inits = [one.init_ms for one in cold if one.init_ms is not None]
        return row | {
            "cold_starts": len(cold),
            "init_ms": float(np.median(inits)) if inits else nothing,
            "cold_duration_ms": float(np.median([one.duration_ms for one in cold])) if cold else nothing,
            "cold_cost_per_million": float(np.mean([one.cost for one in cold])) * 1e6 if cold else nothing,
        }


def _scores(times: Floats, costs: Floats, speed: float) -> Floats:
    """Rows of sizes: lower is better."""
    score: Floats = (1 - speed) * costs / costs.min(axis=-1, keepdims=True) + speed * times / times.min(
        axis=-1, keepdims=True
    )
    return score


def _percentile(values: Floats, weights: Floats, percent: float) -> float:
    """The value that `percent` of the weight doesn't pass (the nearest rank)."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, percent / 100 - 1e-12)), len(values) - 1)])
