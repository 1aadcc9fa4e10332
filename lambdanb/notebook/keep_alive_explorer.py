"""The keep-alive explorer: cold starts against environments that idle, by sliders over the one-pass curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdanb.analysis.figures import style
from lambdanb.analysis.figures.style import span
from lambdanb.analysis.keep_alive_study import (
    LONGEST_S,
    MOST_INVOCATIONS,
    SHORTEST_S,
    AtKeepAlive,
    Floats,
    KeepAliveStudy,
    keep_alive_study,
)
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.controls import Magnitudes, choice, decades
from lambdanb.notebook.explorer import Explorer, milliseconds, tiles_html
from lambdanb.notebook.panels import Panel, Series
from lambdanb.simulator.laws import Exponential, Fixed, Law, LogNormal
from lambdanb.simulator.profile import Profile
from lambdanb.streams import Constant, Diurnal, Poisson, Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DAY_S = 86_400.0
_MANY = 250_000
"""Invocations of a run whose length is free."""
OWN = "yours"
KEEP_ALIVES_S = (
    0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 360, 420, 480,
    600, 720, 900, 1200, 1500, 1800, 2700, 3600, 5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 64_800, 86_400,
)  # fmt: skip

STREAMS: dict[str, Callable[[float], Stream]] = {
    "Poisson": Poisson,
    "evenly spaced": Constant,
    "day and night": lambda rate: Diurnal(peak=2 * rate),
}
LAWS: dict[str, Callable[[float], Law]] = {
    "exponential": Exponential,
    "always the same": Fixed,
    "lognormal": lambda mean_s: LogNormal(mean_s / math.exp(0.5), 1.0),
}


@dataclass(frozen=True)
class Scaled(Law):
    """A law whose every draw is multiplied."""

    law: Law
    factor: float

    def draw(self, random: np.random.Generator, out: Floats) -> None:
        self.law.draw(random, out)
        out *= self.factor


@dataclass(frozen=True)
class Own:
    """What a person brought: a stream with its length and its mean rate, a law with its mean; None where none."""

    stream: Stream | None = None
    seconds: float = _DAY_S
    rate: float = 1.0
    law: Law | None = None
    mean_s: float = 0.2


def arrivals(kind: str, rate: float, own: Own) -> tuple[Stream, float]:
    """(a stream of a kind with a mean rate per s, the seconds of it to simulate).

    A stationary stream is simulated for 250,000 invocations, day and night for whole days, one's own for its length.
    ValueError where that is more than can be answered at once.
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate!r}: it must be a number above 0")
    if kind == OWN and own.stream is not None:
        stream, seconds, length = own.stream * (rate / own.rate), own.seconds, f"{span(own.seconds)} of your stream"
    else:
        stream, seconds, length = STREAMS[kind](rate), _MANY / rate, ""
        if kind == "day and night":
            seconds, length = max(1, math.floor(seconds / _DAY_S)) * _DAY_S, "a day and night"
    count = rate * seconds
    if count > MOST_INVOCATIONS:
        raise ValueError(
            f"rate: {length} at {rate:,.3g} per s has {count:,.0f} invocations, more than the {MOST_INVOCATIONS:,} "
            f"that are answered at once. At most {MOST_INVOCATIONS / seconds:.3g} per s can be shown"
        )
    return stream, seconds


def durations(kind: str, mean_s: float, own: Own) -> Law:
    """A law of a kind with a mean; one's own is stretched to that mean."""
    if not mean_s > 0:
        raise ValueError(f"duration_ms is {1e3 * mean_s:g}: it must be a number above 0")
    if kind == OWN and own.law is not None:
        return Scaled(own.law, mean_s / own.mean_s)
    return LAWS[kind](mean_s)


def tiles(chosen: AtKeepAlive, study: KeepAliveStudy) -> list[tuple[str, str, str]]:
    """What the explorer says of a keep-alive."""
    curve = study.curve
    made_of = f"{chosen.busy:,.3g} busy + {chosen.idle:,.3g} idle, on average"
    return [
        (
            f"cold starts at {span(chosen.keep_alive_s)}",
            percent(chosen.cold_share),
            f"{chosen.cold_starts:,} of {curve.invocations:,}; {chosen.filling:,} fill the empty pool",
        ),
        ("environments", f"{chosen.environments:,.3g}", made_of),
        ("idle", percent(chosen.idle_share), "of the time for which they are kept"),
        ("simulated", span(curve.seconds), f"from an empty pool; up to {curve.peak:,} invocations at a time"),
    ]


def per_second(rate: float) -> str:
    """A rate: 0.25 per s; the slow ones by the hour."""
    return f"{rate:,.4g} per s" if rate >= 0.1 else f"{3600 * rate:,.4g} per h"


_TICKS = tuple((seconds, span(seconds)) for seconds in (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0))
PANELS = (
    Panel(
        "cold starts",
        "cold starts (%)",
        (
            Series("from an empty pool", style.BLUE, width=2.0),
            Series("pool filled before", style.SKY, (6, 3), 2.0),
        ),
        x="keep-alive",
        ticks_x=_TICKS,
        log_x=True,
        log_y=True,
    ),
    Panel(
        "environments",
        "environments (mean)",
        (Series("busy and idle", style.BLACK, width=2.0), Series("busy", style.ORANGE, (6, 3), 2.0)),
        x="keep-alive",
        ticks_x=_TICKS,
        log_x=True,
    ),
    Panel(
        "cold starts against waste",
        "cold starts (%)",
        (Series("cold starts", style.BLUE, width=2.0),),
        x="idle environments (mean)",
        log_y=True,
    ),
)


def points(study: KeepAliveStudy, keep_alive_s: float) -> tuple[dict[str, list[Floats]], dict[str, float | None]]:
    """What the chart draws: the columns of each panel, and the mark, which has a point of its own."""
    cold, kept, waste = (panel.name for panel in PANELS)
    chosen = study.at(keep_alive_s)
    place = int(np.searchsorted(study.keep_alive_s, keep_alive_s))

    def with_it(values: Floats, its: float) -> Floats:
        return np.insert(values, place, its)

    x = with_it(study.keep_alive_s, keep_alive_s)
    share, idle = with_it(study.cold_share, chosen.cold_share), with_it(study.idle, chosen.idle)
    columns = {
        cold: [x, 100 * share, 100 * with_it(study.later_share, chosen.later_share)],
        kept: [
            x,
            with_it(study.environments, chosen.environments),
            with_it(study.environments - study.idle, chosen.busy),
        ],
        waste: [idle, 100 * share],
    }
    return columns, {cold: keep_alive_s, kept: keep_alive_s, waste: chosen.idle}


def percent(share: float) -> str:
    """0.000123 as 0.0123 %."""
    return f"{100 * share:.3g} %"


class KeepAliveExplorer(Explorer[KeepAliveStudy]):
    """What `explore_keep_alive` gives. `answer` is the `KeepAliveStudy` of what the sliders say."""

    title = "Keep-alive explorer"

    def __init__(self, own: Own, keep_alive_s: float) -> None:
        self.own = own
        self._computed: tuple[Any, KeepAliveStudy] | None = None
        streams = [*STREAMS] if own.stream is None else [OWN, *STREAMS]
        laws = [*LAWS] if own.law is None else [OWN, *LAWS]
        controls = {
            "keep_alive_s": Magnitudes(
                "keep-alive", keep_alive_s, KEEP_ALIVES_S, span, "how long an idle environment is kept"
            ),
            "rate": Magnitudes(
                "rate", own.rate, decades(1e-3, 100), per_second, "mean rate of invocations; yours is scaled to it"
            ),
            "duration_ms": Magnitudes(
                "duration", 1e3 * own.mean_s, decades(1, 60_000), milliseconds, "mean duration of an invocation"
            ),
            "stream": choice("stream", streams[0], streams, "how the invocations arrive"),
            "law": choice("durations", laws[0], laws, "how the durations spread around their mean"),
        }
        self.chart = Chart(PANELS, label=self.title)
        super().__init__(controls, [self.chart])

    def compute(self, values: Mapping[str, Any]) -> KeepAliveStudy:
        """The study of a stream; moving only the keep-alive moves along its curve."""
        if not values["keep_alive_s"] >= 0:
            raise ValueError(f"keep_alive_s is {values['keep_alive_s']!r}: it must be a number from 0")
        asked = {name: value for name, value in values.items() if name != "keep_alive_s"}
        if self._computed is None or self._computed[0] != asked:
            stream, seconds = arrivals(values["stream"], values["rate"], self.own)
            law = durations(values["law"], values["duration_ms"] / 1e3, self.own)
            self._computed = asked, keep_alive_study(stream, law, seconds=seconds)
        return self._computed[1]

    def show(self, answer: KeepAliveStudy) -> str:
        """The curves with the keep-alive marked, and its numbers."""
        keep_alive_s = self.controls["keep_alive_s"].value
        self.chart.replace(*points(answer, keep_alive_s))
        return tiles_html(tiles(answer.at(keep_alive_s), answer))

    def figure(self) -> Figure:
        """The same three panels."""
        return self.answer.plot(self.controls["keep_alive_s"].value)[0].figure  # type: ignore[return-value]

    def sentence(self) -> str:
        """What the keep-alive does."""
        chosen = self.answer.at(self.controls["keep_alive_s"].value)
        values = self.values
        return (
            f"{span(chosen.keep_alive_s)} keep-alive: {percent(chosen.cold_share)} cold, {chosen.environments:.3g} "
            f"environments, {chosen.idle_share:.0%} idle (simulated: {values['stream']}, {per_second(values['rate'])}, "
            f"{milliseconds(values['duration_ms'])})"
        )


def explore_keep_alive(
    stream: Stream | None = None,
    durations: Law | Profile | None = None,
    *,
    seconds: float = _DAY_S,
    keep_alive_s: float = 600.0,
) -> KeepAliveExplorer:
    """Sliders over the keep-alive: cold share, environments, and cold starts against idle waste. Simulated.

    stream        your own, such as `Diurnal(peak=5)` or a trace's; else Poisson, evenly spaced, or day and night
    durations     your own: a law of `lambdanb.simulator.laws`, or a `function.profile()` (its warm times); else
                  exponential, always the same, or lognormal
    seconds       how much of your stream, at most 300,000 invocations
    keep_alive_s  where the slider begins, 0.1 s to a day

    Your stream and durations are scaled to the sliders' means, and begin as they are. What is simulated is one function
    without a limit of concurrency, whose environments are reused most recent first. In the result, `.answer` has the
    numbers, `.figure()` the picture, `.controls` the sliders, and `.close()` ends it.

    Raises ValueError for a stream that is too long or has no invocations, and a keep-alive out of range.
    """
    if not SHORTEST_S <= keep_alive_s <= LONGEST_S:
        raise ValueError(f"keep_alive_s is {keep_alive_s!r}: it must be a number from {SHORTEST_S:g} to {LONGEST_S:,g}")
    rate, mean_s = Own.rate, Own.mean_s
    law = durations.simulated().warm if isinstance(durations, Profile) else durations
    if stream is not None:
        if not isinstance(stream, Stream):
            raise ValueError(f"stream is {stream!r}: it must be a stream of lambdanb.streams")
        rate = _mean_rate(stream, seconds)
    if law is not None:
        if not isinstance(law, Law):
            raise ValueError(f"durations is {law!r}: it must be a law of lambdanb.simulator.laws or a profile")
        drawn = np.empty(20_000)
        law.draw(np.random.default_rng(0), drawn)
        mean_s = float(drawn.mean())
        if mean_s <= 0:
            raise ValueError("durations: all are 0 s, so nothing is ever busy")
    return KeepAliveExplorer(Own(stream, seconds, rate, law, mean_s), keep_alive_s)


def _mean_rate(stream: Stream, seconds: float) -> float:
    """A stream's invocations per second, counted where there is no closed form."""
    try:
        rate = stream.mean_rate(seconds)
    except NotImplementedError:
        rate = sum(len(times) for times in stream.chunks(0, seconds)) / seconds
    if rate <= 0:
        raise ValueError(f"stream: {stream!r} has no invocations in its first {seconds:,g} s")
    return rate
