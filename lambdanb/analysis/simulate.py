"""`simulate`: a forecast of functions under streams of events.

Source of the rules: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html; of the method,
`simulator.kernel`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Protocol, TypedDict, TypeVar

from lambdanb.analysis.forecast import Forecast
from lambdanb.analysis.outcome_of_records import window_count
from lambdanb.model.numbers import is_number, is_whole
from lambdanb.model.rules import TODAY, Rules
from lambdanb.simulator.arrivals import Arrivals, arrivals, nth_seed
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.mapped_run import MappedReplication
from lambdanb.simulator.policies import Decision, Policy
from lambdanb.simulator.result import Run, run_of
from lambdanb.simulator.run import Replication

REUSE = ("most-recently-used", "newest-created")
MOST_WINDOWS = 10_000


class Profile(Protocol):
    """What is known of a real function."""

    def simulated(self) -> Simulated:
        """The function as the simulator takes it."""


FunctionLike = Simulated | Profile


def simulate(
    functions: FunctionLike | Sequence[FunctionLike],
    stream: Arrivals | Sequence[Arrivals],
    *,
    seconds: float,
    seed: int = 0,
    runs: int = 1,
    windows: int | None = None,
    rules: Rules = TODAY,
    concurrency: int | None = None,
    reuse: str = "most-recently-used",
    keep_alive: type[Policy] | Decision | None = None,
    threads: int | None = None,
    compiled: bool = True,
) -> Forecast:
    """Forecast what invocations would come to: synchronous ones, or events, for a function with `Simulated(event=...)`.

    For a function with `Simulated(mapping=...)` the stream is of records, and an invocation is a batch of them:
    `runs[...].mapping`. Its lanes wait for concurrency instead of being throttled, and growth isn't limited.

    Attempts at an event each count as an invocation in the outcome; what became of the events is in `runs[...].queues`.

    functions    a function, or several that share the account: profiles, or models of one's own
    stream       when it is invoked; of several functions one stream each, in their order
    seconds      how long
    seed         the same one gives the same forecast. The first run takes the stream's times under this very seed
    runs         replications, each with other random numbers: more of them tell how sure the forecast is
    windows      how many windows of time the results are kept by, at most 10,000 (each costs 20 KB); None: as many as a
                 load test of that length has, some 100, so that both can be laid over each other
    rules        limits, billing and prices: `model.rules.TODAY`, `PREVIEW_2014`, or either with numbers replaced
    concurrency  the account's; None: the rules'
    reuse        which idle environment an invocation goes to: "most-recently-used" or "newest-created"
    keep_alive   a policy for every function, instead of its own keep-alive: see `Simulated.keep_alive`
    threads      replications under way at a time; None: one per processor. They don't change the result
    compiled     False runs the kernel in plain Python, some 100 times slower: the reference

    It starts with no environments but provisioned ones, and what is under way at the end counts up to the end.
    Memory is in proportion to environments, windows and functions, not to invocations. Ctrl-C ends it, within some
    ten thousand invocations, and nothing comes of it.

    Raises TypeError for what is no profile, model, stream or rules, ValueError for what can't be, naming the value and
    what is allowed, and `policies.KeepAlivePolicyError` where a policy of one's own raises, with the function's name
    and the time.
    """
    several = isinstance(functions, Sequence)
    models = [_model(each) for each in (functions if isinstance(functions, Sequence) else [functions])]
    if keep_alive is not None:
        models = [replace(each, keep_alive=keep_alive) for each in models]
    streams = list(stream) if isinstance(stream, Sequence) else [stream]
    for each in streams:
        if isinstance(each, type) or not callable(getattr(each, "chunks", None)):
            raise TypeError(f"{each!r:.80} is no stream; give one of lambdanb.streams, such as Poisson(200)")
    if not models:
        raise ValueError("functions is empty: at least one function is wanted")
    if len(streams) != len(models):
        what = f"{len(models)} functions" if several else "one function"
        raise ValueError(f"{len(streams)} streams for {what}: one stream for each is wanted, in their order")
    if not is_number(seconds) or not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds!r}: it must be a finite number over 0")
    if reuse not in REUSE:
        raise ValueError(f"reuse is {reuse!r}: it must be one of {', '.join(REUSE)}")
    if not isinstance(rules, Rules):
        raise TypeError(f"rules are model.rules.TODAY, PREVIEW_2014 or either with numbers replaced, not {rules!r:.80}")
    count = window_count(seconds) if windows is None else windows
    _check_whole("windows", count, 1, MOST_WINDOWS)
    _check_whole("seed", seed, 0)
    _check_whole("runs", runs, 1)
    if threads is not None:
        _check_whole("threads", threads, 1)
    account = rules.concurrency if concurrency is None else concurrency
    _check_concurrency(models, account)
    for model in models:
        if model.mapping is not None and len(models) > 1:
            raise ValueError(f"{model.name}: mapping is given: such a function is forecast alone, not {len(models)}")

    ended = Event()

    def one(number: int) -> Run:
        its_seed = nth_seed(seed, number)
        common = _Common(
            concurrency=account,
            seconds=seconds,
            windows=count,
            newest_created_first=reuse == "newest-created",
            seed=its_seed,
            compiled=compiled,
        )
        mapping = models[0].mapping
        replication: Replication | MappedReplication = (
            Replication(models, rules, **common)
            if mapping is None
            else MappedReplication(models[0], mapping, rules, **common)
        )
        try:
            replication.run(_until(ended, arrivals(streams, its_seed, seconds)))
        except BaseException:
            ended.set()  # nothing can come of the other runs
            raise
        return run_of(replication, models, rules)

    with ThreadPoolExecutor(min(runs, threads or os.cpu_count() or 1)) as pool:
        try:
            return Forecast(rules, list(pool.map(one, range(runs))))
        finally:
            ended.set()  # after an interrupt: the pool waits for what is under way


Item = TypeVar("Item")


def _until(ended: Event, items: Iterator[Item]) -> Iterator[Item]:
    """The items, until it is said that nobody wants more of them."""
    for item in items:
        if ended.is_set():
            return
        yield item


class _Common(TypedDict):
    """What both kinds of replications take."""

    concurrency: int
    seconds: float
    windows: int
    newest_created_first: bool
    seed: int
    compiled: bool


def _model(function: FunctionLike) -> Simulated:
    if isinstance(function, Simulated):
        return function
    if not callable(getattr(function, "simulated", None)):
        hint = "; its profile, by .profile(), is one" if callable(getattr(function, "profile", None)) else ""
        raise TypeError(f"simulate forecasts profiles and models of functions; {function!r:.80} is none{hint}")
    return function.simulated()


def _check_whole(name: str, value: int, least: int, most: int | None = None) -> None:
    if not is_whole(value) or value < least or (most is not None and value > most):
        upto = "" if most is None else f" to {most:,}"
        raise ValueError(f"{name} is {value!r}: it must be a whole number from {least}{upto}")


def _check_concurrency(models: Sequence[Simulated], concurrency: int) -> None:
    _check_whole("concurrency", concurrency, 1)
    set_aside = sum(each.provisioned if each.reserved is None else each.reserved for each in models)
    if set_aside > concurrency:
        raise ValueError(
            f"{set_aside} environments are reserved or provisioned, where the account's concurrency is {concurrency}"
        )
