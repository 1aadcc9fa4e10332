"""The explorers' controls: ipywidgets of one width, with label, unit and tooltip, reached by Tab and arrows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets

_LOOK: dict[str, Any] = {"style": {"description_width": "118px"}, "layout": {"width": "auto"}}
_PER_DECADE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


class Magnitudes(ipywidgets.SelectionSlider):  # type: ignore[misc]
    """A slider over numbers that one would choose, written with their unit. (One over a range would round to its steps
    what a person gave it: `put` takes any number.)"""

    def __init__(self, label: str, value: float, numbers: Iterable[float], write: Callable[[float], str], tip: str):
        self._write, self._numbers = write, {*numbers, value}
        super().__init__(options=self._options(), value=value, description=label, tooltip=tip, **_LOOK)

    def put(self, value: float) -> None:
        """Go to a number, which needn't be one of the slider's: then it becomes one."""
        if value not in self._numbers:
            self._numbers.add(value)
            self.options = self._options()
        self.value = value

    def _options(self) -> list[tuple[str, float]]:
        return [(self._write(number), number) for number in sorted(self._numbers)]


def decades(low: float, high: float) -> list[float]:
    """Ten round numbers a decade, from `low` to `high`."""
    numbers = [float(f"{part}e{power}") for power in range(-6, 16) for part in _PER_DECADE]
    return [number for number in numbers if low <= number <= high]


def whole_slider(label: str, value: int, low: int, high: int, tip: str) -> Any:
    """A slider over whole numbers; further where the first value is beyond."""
    return ipywidgets.IntSlider(
        value=value, min=low, max=max(high, value), description=label, tooltip=tip, readout_format="d", **_LOOK
    )


def percent_slider(label: str, share: float, tip: str) -> Any:
    """A slider over whole percents, from a share."""
    return whole_slider(f"{label} (%)", round(100 * share), 0, 100, tip)


def whole_number(label: str, value: int, tip: str) -> Any:
    """A whole number to be typed."""
    return ipywidgets.IntText(value=value, description=label, tooltip=tip, **_LOOK)


def number(label: str, value: float, tip: str) -> Any:
    """A number to be typed."""
    return ipywidgets.FloatText(value=value, description=label, tooltip=tip, **_LOOK)


def choice(label: str, value: str, options: Sequence[str], tip: str) -> Any:
    """One of several."""
    return ipywidgets.Dropdown(value=value, options=options, description=label, tooltip=tip, **_LOOK)


def tick(label: str, value: bool, tip: str) -> Any:
    """Yes or no."""
    return ipywidgets.Checkbox(value=value, description=label, tooltip=tip, **_LOOK)


def need_fit(name: str, control: Any, value: Any) -> None:
    """A control can have this value. ValueError that says what it can have, as ipywidgets would bend or hide it."""
    if isinstance(control, ipywidgets.Dropdown) and value not in control.options:
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(control.options)}")
    if isinstance(control, ipywidgets.Checkbox) and not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}: it must be True or False")
    if isinstance(control, ipywidgets.IntSlider | ipywidgets.IntText) and not isinstance(value, int):
        raise ValueError(f"{name} is {value!r}: it must be a whole number")
    if isinstance(control, ipywidgets.IntSlider) and not control.min <= value <= control.max:
        raise ValueError(f"{name} is {value!r}: it must be a whole number from {control.min:,} to {control.max:,}")
    if isinstance(control, Magnitudes | ipywidgets.FloatText) and not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}: it must be a number")
