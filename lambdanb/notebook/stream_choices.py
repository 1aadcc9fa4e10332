"""The streams that the dashboard offers, and the controls of their parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets

from lambdanb.streams import Burst, Constant, Diurnal, MarkovModulated, Poisson, Ramp, SelfSimilar, Stream

OWN = "yours"
HIGHEST_RATE = 2_000.0
"""Per second: what one machine is sure to send."""


@dataclass(frozen=True)
class Parameter:
    """A number that a person sets: its first value, its range, and what it is."""

    label: str
    value: float
    low: float
    high: float
    tip: str

    def control(self) -> Any:
        """A slider over magnitudes where the range spans some, else over the numbers; it tells when it is let go."""
        look = {
            "description": self.label,
            "tooltip": self.tip,
            "continuous_update": False,
            "style": {"description_width": "128px"},
            "layout": {"width": "380px"},
        }
        if self.low > 0 and self.high / self.low > 50:
            limits = {"base": 10, "min": math.log10(self.low), "max": math.log10(self.high), "step": 0.01}
            return ipywidgets.FloatLogSlider(self.value, readout_format=".3r", **limits, **look)
        step = (self.high - self.low) / 100
        return ipywidgets.FloatSlider(self.value, min=self.low, max=self.high, step=step, readout_format=".4r", **look)


@dataclass(frozen=True)
class Choice:
    """A kind of stream: what its parameters are, and what makes it of them."""

    parameters: tuple[Parameter, ...]
    make: Callable[..., Stream]


def _rate(value: float = 10.0, label: str = "rate (per s)", tip: str = "arrivals per second, on average") -> Parameter:
    return Parameter(label, value, 0.1, HIGHEST_RATE, tip)


def _time(label: str, value: float, tip: str) -> Parameter:
    return Parameter(label, value, 0.5, 86_400.0, tip)


CHOICES: Mapping[str, Choice] = {
    "Poisson": Choice((_rate(),), Poisson),
    "evenly spaced": Choice((_rate(),), Constant),
    "burst": Choice(
        (
            _rate(5.0, "before, after (per s)", "arrivals per second outside of the burst"),
            _rate(100.0, "in the burst (per s)", "arrivals per second during the burst"),
            _time("begins after (s)", 10.0, "when the burst begins, from the stream's start"),
            _time("lasts (s)", 10.0, "how long the burst is"),
        ),
        Burst,
    ),
    "ramp": Choice(
        (
            _rate(1.0, "from (per s)", "arrivals per second at the start"),
            _rate(100.0, "to (per s)", "arrivals per second at the ramp's end, and from then on"),
            _time("within (s)", 60.0, "how long the way is"),
        ),
        Ramp,
    ),
    "day and night": Choice(
        (
            _rate(50.0, "peak (per s)", "arrivals per second at the busiest time"),
            _rate(1.0, "trough (per s)", "arrivals per second at the quietest time"),
            _time("period (s)", 60.0, "how long a day is: 86,400 s, or less to see one sooner"),
        ),
        lambda peak, trough, period_s: Diurnal(max(peak, trough), min(peak, trough), period_s),
    ),
    "calm and busy by turns": Choice(
        (
            _rate(2.0, "calm (per s)", "arrivals per second in calm times"),
            _rate(50.0, "busy (per s)", "arrivals per second in busy times"),
            _time("calm lasts (s)", 20.0, "how long a calm time is on average"),
            _time("busy lasts (s)", 5.0, "how long a busy time is on average"),
        ),
        lambda calm, busy, calm_s, busy_s: MarkovModulated((calm, busy), (calm_s, busy_s)),
    ),
    "bursty at every scale": Choice(
        (_rate(), Parameter("Hurst parameter", 0.8, 0.51, 0.99, "0.5: as Poisson; near 1: very bursty")),
        lambda rate, hurst: SelfSimilar(rate, hurst),
    ),
}
_TIMES = Parameter("times the rate", 1.0, 0.01, 100.0, "your stream, so many times over")


def choices(own: Stream | None) -> dict[str, Choice]:
    """What there is to choose from; a stream of one's own comes first."""
    if own is None:
        return dict(CHOICES)
    return {OWN: Choice((_TIMES,), lambda factor: own * factor), **CHOICES}
