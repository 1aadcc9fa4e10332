"""What every keep-alive would do with a stream: cold starts, environments, waste. One simulated run answers for all.

    study = keep_alive_study(Poisson(5), Exponential(0.3), seconds=60_000)
    study.at(600)                       # AtKeepAlive: what 10 minutes do
    study.plot(600)                     # cold share and environments over the keep-alive, and one against the other

The run begins with no environment, so its first invocations at each level of concurrency are cold at any keep-alive.
Whatever had been before it, at least `cold_starts - filling` and at most `cold_starts` would have been cold: the two
bound the share of a long run, and lie far apart where a run is too short to tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lambdanb.simulator.keep_alive_curve import KeepAliveCurve, keep_alive_curve
from lambdanb.simulator.laws import Law
from lambdanb.streams.stream import Stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats: TypeAlias = NDArray[np.float64]

MOST_INVOCATIONS = 300_000
"""Of one study: so many take 10 to 30 ms, so that a slider is answered at once."""
SHORTEST_S, LONGEST_S = 0.1, 86_400.0
_POINTS = 181


@dataclass(frozen=True)
class AtKeepAlive:
    """One keep-alive. Environments are means over the run.

    cold_starts   how many invocations started an environment; `filling` of them because the run began with none
    cold_share    of the invocations; `later_share` without the `filling`
    environments  kept: `busy` and `idle` together
    idle_share    of what is kept
    """

    keep_alive_s: float
    cold_starts: int
    filling: int
    cold_share: float
    later_share: float
    environments: float
    busy: float
    idle: float
    idle_share: float


@dataclass(frozen=True, eq=False)
class KeepAliveStudy:
    """What `keep_alive_study` gives: the curve, and its values at evenly spaced (log) keep-alives.

    cold_share    of the invocations, in a run that begins with no environment
    later_share   the same without the first cold start at each level of concurrency
    environments, idle   their means
    """

    curve: KeepAliveCurve
    keep_alive_s: Floats
    cold_share: Floats
    later_share: Floats
    environments: Floats
    idle: Floats

    def at(self, keep_alive_s: float) -> AtKeepAlive:
        """One keep-alive in seconds, from 0."""
        curve = self.curve
        cold, kept = float(curve.cold_starts(keep_alive_s)), float(curve.environments(keep_alive_s))
        count = max(curve.invocations, 1)
        idle = float(curve.idle_s(keep_alive_s)) / curve.seconds
        return AtKeepAlive(
            keep_alive_s=keep_alive_s,
            cold_starts=round(cold),
            filling=curve.peak,
            cold_share=cold / count,
            later_share=(cold - curve.peak) / count,
            environments=kept,
            busy=kept - idle,
            idle=idle,
            idle_share=idle / kept if kept else 0.0,
        )

    def plot(self, keep_alive_s: float | None = None) -> tuple[Axes, ...]:
        """Three panels, as they are in the explorer; a keep-alive is marked in each. ValueError without invocations."""
        from lambdanb.analysis.figures.keep_alive_panels import keep_alive_panels

        return keep_alive_panels(self, keep_alive_s)


def keep_alive_study(stream: Stream, duration: Law, *, seconds: float, seed: int = 0) -> KeepAliveStudy:
    """Simulate the first `seconds` of a stream whose durations are drawn from a law.

    ValueError for a length that isn't above 0, and for more than 300,000 invocations: those wouldn't be answered at
    once (`lambdanb.simulator.keep_alive_curve` takes any number).
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds is {seconds!r}: it must be a finite number above 0")
    curve = keep_alive_curve(_Few(stream), _drawn_from(duration), seconds=seconds, seed=seed)
    grid = np.geomspace(SHORTEST_S, LONGEST_S, _POINTS)
    cold = np.asarray(curve.cold_starts(grid))
    count = max(curve.invocations, 1)
    return KeepAliveStudy(
        curve=curve,
        keep_alive_s=grid,
        cold_share=cold / count,
        later_share=(cold - curve.peak) / count,
        environments=np.asarray(curve.environments(grid)),
        idle=np.asarray(curve.idle_s(grid)) / curve.seconds,
    )


@dataclass(frozen=True)
class _Few:
    """A stream that is refused when it passes MOST_INVOCATIONS, not drawn to its end."""

    stream: Stream

    def chunks(self, seed: int = 0, until_s: float = math.inf):  # type: ignore[no-untyped-def]
        count = 0
        for times in self.stream.chunks(seed, until_s):
            count += len(times)
            if count > MOST_INVOCATIONS * 1.1:  # a random stream may pass its mean a little
                raise ValueError(
                    f"the stream has more than {MOST_INVOCATIONS:,} invocations in {until_s:,.6g} s, the most that are "
                    f"answered at once: they are reached after {float(times[-1]):,.6g} s. Give fewer seconds"
                )
            yield times


def _drawn_from(law: Law):  # type: ignore[no-untyped-def]
    def draw(random: np.random.Generator, n: int) -> Floats:
        out = np.empty(n)
        law.draw(random, out)
        return out

    return draw
