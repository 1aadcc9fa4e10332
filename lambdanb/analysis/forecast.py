"""What a simulation gives: the outcome of its first run, and how far the runs lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lambdanb.analysis.told import dollars, short
from lambdanb.model.billing import Bill, monthly_cost
from lambdanb.model.outcome import Outcome
from lambdanb.model.rules import Rules
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.result import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from lambdanb.analysis.run_plot import Plotted


@dataclass(repr=False)
class Forecast:
    """A simulated future; the same face as a load test's result. `outcome` is the first run's: a thing that may happen,
    not a mean of such."""

    rules: Rules
    runs: list[Run]

    @property
    def outcome(self) -> Outcome:
        """The first run."""
        return self.runs[0].outcome

    def summary(self) -> DataFrame:
        """Of each figure the mean over the runs, the mean's standard error, and the band that another run would fall
        into with a probability of 95 % (Student's t). With a single run there is a mean only, and nan elsewhere."""
        from pandas import DataFrame

        figures = [run.outcome.figures() for run in self.runs]
        rows = {name: _band(np.array([each[name] for each in figures], dtype=float)) for name in figures[0]}
        return DataFrame.from_dict(rows, orient="index", columns=["mean", "standard_error", "low", "high"])

    @property
    def notes(self) -> list[str]:
        """What has to be known of it to read its numbers: of several runs a picture shows one."""
        return [f"Simulated: the first of {len(self.runs)} runs."] if len(self.runs) > 1 else []

    def plot(self, *others: Plotted, names: Sequence[str] | None = None) -> Figure:
        """The first run on a page: arrivals, concurrency, environments, latency and cost.

        others  results or forecasts to lay over it: `forecast.plot(result)`
        names   one for each in the legend, this one first; it says anyhow what was measured and what simulated
        """
        from lambdanb.analysis.run_plot import plot_runs

        return plot_runs([self, *others], names)

    def __repr__(self) -> str:
        outcome, runs = self.outcome, len(self.runs)
        p50, p99 = (outcome.latency_ms(percent) for percent in (50, 99))
        latency = "" if p50 is None or p99 is None else f", p50 {short(p50)} ms, p99 {short(p99)} ms"
        times = "" if runs == 1 else f", the first of {runs} runs"
        return (
            f"<Forecast, simulated: {outcome.count('arrivals'):,} invocations in {outcome.seconds:g} s{latency}, "
            f"{outcome.count('cold'):,} cold, {outcome.count('throttled'):,} throttled, {dollars(outcome.cost)}{times}>"
        )

    def _repr_html_(self) -> str:
        table: str = self.summary().to_html(float_format=lambda value: f"{value:,.4g}", na_rep="")
        return f"<p>Simulated, {self.outcome.seconds:g} s, runs: {len(self.runs)}</p>{table}"

    def cost(self, *, free_tier: bool = False) -> Bill:
        """The bill of the first run, exact, as if it were all of its month: `.cents()` rounds as AWS does."""
        return monthly_cost(self.runs[0].usages, self.rules, free_tier=free_tier)


def _band(values: Floats) -> tuple[float, float, float, float]:
    from scipy.special import stdtrit

    mean, count = float(values.mean()), len(values)
    if count == 1:
        return mean, math.nan, math.nan, math.nan
    deviation = float(values.std(ddof=1))
    reach = float(stdtrit(count - 1, 0.975)) * deviation * math.sqrt(1 + 1 / count)
    return mean, deviation / math.sqrt(count), mean - reach, mean + reach
