"""What came of one replication."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.model.billing import Usage, monthly_cost
from lambdanb.model.histogram import percentile_ms
from lambdanb.model.outcome import COUNTS, MEANS, Outcome
from lambdanb.model.rules import Rules
from lambdanb.simulator.bill import kept, usages
from lambdanb.simulator.event_queue import COUNTS as COUNTS_OF_EVENTS
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.mapped_run import MappedReplication, MappingFigures
from lambdanb.simulator.run import Replication
from lambdanb.simulator.state import ENDED, FIRST_BUCKET, LIFETIME_S

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass
class Run:
    """One replication.

    outcome      the numbers of all functions together
    functions    one row per function, by name: invocations (those that ran), cold, throttled, errors, timeouts (which
                 are errors too), provisioned (those that ran on provisioned concurrency), billed_ms
    queues       one row per function that is invoked by events, by name: events (that came), succeeded, retried
                 (attempts after a function error that ran), throttled (attempts), retries_exhausted and age_exceeded
                 (events given up, which a destination on failure would get), waiting (at the end, for another attempt),
                 age_p50_ms and age_p99_ms (from the event's arrival to the begin of the attempt that succeeded, within
                 1 %)
    usages       what is billed, one for each architecture
    ended        environments that ended
    life_span_s  how long these lived on average; nan where none ended
    mapping      of a function with an event source mapping: records, batches, iterator age; else None
    """

    outcome: Outcome
    functions: DataFrame
    queues: DataFrame
    usages: list[Usage]
    ended: int
    life_span_s: float
    mapping: MappingFigures | None = None


def run_of(replication: Replication | MappedReplication, models: Sequence[Simulated], rules: Rules) -> Run:
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
        queues=_queues(replication, models),
        usages=its_usages,
        ended=ended,
        life_span_s=float(replication.account.floats[LIFETIME_S]) / ended if ended else math.nan,
        mapping=replication.figures() if isinstance(replication, MappedReplication) else None,
    )


def _outcome(
    replication: Replication | MappedReplication, models: Sequence[Simulated], rules: Rules, its_usages: list[Usage]
) -> Outcome:
    from pandas import DataFrame, Index

    windows, settings = replication.windows, replication.settings
    count = len(windows.counts)
    columns: dict[str, Any] = {name: windows.counts[:, place] for place, name in enumerate(COUNTS)}
    # What changed in a window (`counting.step`), and what had changed before it.
    before = np.vstack([np.zeros((1, len(MEANS))), np.cumsum(windows.steps, axis=0)[:-1]])
    means = windows.partial / settings.window_s + before
    means[:, MEANS.index("environments")] += sum(each.provisioned for each in models)
    columns.update({name: means[:, place] for place, name in enumerate(MEANS)})
    standing = [usage for each in models for usage in kept(each, rules, settings.seconds)]
    columns["cost"] = windows.dollars + float(monthly_cost(standing, rules, free_tier=False).total) / count
    latency = windows.latency.sum(axis=0)
    latency_by_window = [_counter(each) for each in windows.latency]
    return Outcome(
        measured=False,
        seconds=settings.seconds,
        windows=DataFrame(columns, index=Index(np.arange(count) * settings.window_s, name="start_s")),
        latency=_counter(latency),
        latency_by_window=latency_by_window,
        duration=_counter(latency + windows.run_moved),
        billed_ms=int(replication.functions.billed_ms.sum()),
        cost=float(monthly_cost(its_usages, rules, free_tier=False).total),
    )


def _by_function(replication: Replication | MappedReplication, models: Sequence[Simulated]) -> DataFrame:
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


def _queues(replication: Replication | MappedReplication, models: Sequence[Simulated]) -> DataFrame:
    from pandas import DataFrame

    queues, rows = replication.queues, {}
    for f, each in enumerate(models):
        if queues is not None and each.event is not None:
            ages = _counter(queues.ages[f])
            rows[each.name] = {
                **dict(zip(COUNTS_OF_EVENTS, queues.counts[f].tolist(), strict=True)),
                "waiting": queues.waiting(f),
                "age_p50_ms": percentile_ms(ages, 50),
                "age_p99_ms": percentile_ms(ages, 99),
            }
    columns = [*COUNTS_OF_EVENTS, "waiting", "age_p50_ms", "age_p99_ms"]
    return DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("function")


def _counter(dense: np.ndarray[Any, Any]) -> Counter[int]:
    present = np.flatnonzero(dense)
    return Counter(dict(zip((present + FIRST_BUCKET).tolist(), dense[present].tolist(), strict=True)))
