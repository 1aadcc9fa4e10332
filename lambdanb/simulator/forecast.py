"""What a simulation gives: the outcome of its first run, and how far the runs lie apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.model.billing import Bill, Usage, monthly_cost
from lambdanb.model.outcome import COUNTS, MEANS, Outcome
from lambdanb.model.rules import Rules
from lambdanb.simulator.bill import kept, usages
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Floats
from lambdanb.simulator.run import Replication
from lambdanb.simulator.state import ENDED, FIRST_BUCKET

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass
class Run:
    """One replication.

    outcome      the numbers of all functions together
    functions    one row per function, by name: invocations (those that ran), cold, throttled, errors, timeouts (which
                 are errors too), provisioned (those that ran on provisioned concurrency), billed_ms
    usages       what is billed, one for each architecture
    ended        environments that ended
    life_span_s  how long these lived on average; nan where none ended
    """

    outcome: Outcome
    functions: DataFrame
    usages: list[Usage]
    ended: int
    life_span_s: float


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

    def __repr__(self) -> str:
        outcome, runs = self.outcome, len(self.runs)
        p50, p99 = (outcome.latency_ms(percent) for percent in (50, 99))
        latency = "" if p50 is None or p99 is None else f", p50 {p50:,.3g} ms, p99 {p99:,.3g} ms"
        times = "" if runs == 1 else f", the first of {runs} runs"
        return (
            f"<Forecast, simulated: {outcome.count('arrivals'):,} invocations in {outcome.seconds:g} s{latency}, "
            f"{outcome.count('cold'):,} cold, {outcome.count('throttled'):,} throttled, ${outcome.cost:,.2f}{times}>"
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


def run_of(replication: Replication, models: Sequence[Simulated], rules: Rules) -> Run:
    """What came of a replication."""
    functions, settings = replication.functions, replication.settings
    its_usages = usages(
        models,
        rules,
        seconds=settings.seconds,
        invoked=functions.invoked,
        billed_ms=functions.billed_ms,
        cold=functions.cold,
    )
    ended = int(replication.account.integers[ENDED])
    return Run(
        outcome=_outcome(replication, models, rules, its_usages),
        functions=_by_function(replication, models),
        usages=its_usages,
        ended=ended,
        life_span_s=float(replication.account.lifetime_s[0]) / ended if ended else math.nan,
    )


def _outcome(replication: Replication, models: Sequence[Simulated], rules: Rules, its_usages: list[Usage]) -> Outcome:
    from pandas import DataFrame, Index

    windows, settings = replication.windows, replication.settings
    count = len(windows.counts)
    columns: dict[str, Any] = {name: windows.counts[:, place] for place, name in enumerate(COUNTS)}
    # What changed in a window (`kernel.step`), and what had changed before it.
    before = np.vstack([np.zeros((1, len(MEANS))), np.cumsum(windows.steps, axis=0)[:-1]])
    means = windows.partial / settings.window_s + before
    means[:, MEANS.index("environments")] += sum(each.provisioned for each in models)
    columns.update({name: means[:, place] for place, name in enumerate(MEANS)})
    standing = [usage for each in models for usage in kept(each, rules, settings.seconds)]
    columns["cost"] = windows.dollars + float(monthly_cost(standing, rules, free_tier=False).total) / count
    latency_by_window = [_counter(each) for each in windows.latency]
    return Outcome(
        measured=False,
        seconds=settings.seconds,
        windows=DataFrame(columns, index=Index(np.arange(count) * settings.window_s, name="start_s")),
        latency=_counter(windows.latency.sum(axis=0)),
        latency_by_window=latency_by_window,
        duration=_counter(windows.duration),
        billed_ms=int(replication.functions.billed_ms.sum()),
        cost=float(monthly_cost(its_usages, rules, free_tier=False).total),
    )


def _by_function(replication: Replication, models: Sequence[Simulated]) -> DataFrame:
    from pandas import DataFrame, Index

    functions = replication.functions
    return DataFrame(
        {
            "invocations": functions.invoked.reshape(-1, 2).sum(axis=1),
            "cold": functions.cold,
            "throttled": functions.throttled,
            "errors": functions.errors,
            "timeouts": functions.timeouts,
            "provisioned": functions.invoked[1::2],
            "billed_ms": functions.billed_ms.reshape(-1, 2).sum(axis=1),
        },
        index=Index([each.name for each in models], name="function"),
    )


def _counter(dense: np.ndarray[Any, Any]) -> Counter[int]:
    present = np.flatnonzero(dense)
    return Counter(dict(zip((present + FIRST_BUCKET).tolist(), dense[present].tolist(), strict=True)))
