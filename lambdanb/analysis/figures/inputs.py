"""What a figure is given, looked at before anything is drawn: each error names the value and what is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lambdanb.analysis.figures.style import kind
from lambdanb.model.outcome import COUNTS, MEANS, Outcome

if TYPE_CHECKING:
    from pandas import DataFrame

Floats: TypeAlias = NDArray[np.float64]


def need_columns(frame: DataFrame, names: Iterable[str], what: str) -> None:
    """`frame` has these columns and at least one row."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        has = ", ".join(map(str, frame.columns)) or "none"
        raise ValueError(f"{what}: no column {', '.join(missing)} (there are: {has})")
    if len(frame) == 0:
        raise ValueError(f"{what}: no rows, so there is nothing to draw")


def window_edges(outcome: Outcome) -> Floats:
    """Where the outcome's windows begin, and where the last one ends, in seconds."""
    need_columns(outcome.windows, (*COUNTS, *MEANS), "outcome.windows")
    starts = outcome.windows.index.to_numpy(dtype=np.float64)
    if np.any(np.diff(starts) <= 0):
        raise ValueError("outcome.windows: the index, each window's start in seconds, must ascend")
    end = starts[-1] + outcome.window_s
    # The last window is cut short where the stream ends in the midst of it.
    return np.append(starts, min(end, outcome.seconds) if outcome.seconds > starts[-1] else end)


class HasOutcome(Protocol):
    """A load test's result or a forecast."""

    @property
    def outcome(self) -> Outcome:
        """What is drawn of it."""
        ...


Run: TypeAlias = Outcome | HasOutcome
"""What a figure of a run is given."""


def one_outcome(run: Run, what: str = "outcome") -> Outcome:
    """An outcome, or that of a result or a forecast."""
    found = run if isinstance(run, Outcome) else getattr(run, "outcome", None)
    if not isinstance(found, Outcome):
        raise ValueError(f"{what} is a {type(run).__name__}: give an Outcome, a load test's result or a forecast")
    return found


def outcome_list(outcomes: Run | Sequence[Run]) -> list[Outcome]:
    """One outcome or several, as a list that isn't empty."""
    if not isinstance(outcomes, list | tuple):
        return [one_outcome(outcomes, "outcomes")]  # type: ignore[arg-type]
    listed = [one_outcome(each, f"outcomes[{place}]") for place, each in enumerate(outcomes)]
    if not listed:
        raise ValueError("outcomes: none given, so there is nothing to draw")
    return listed


def outcome_names(outcomes: Sequence[Outcome], names: Sequence[str] | None) -> list[str]:
    """A name for each: those given, else "measured" and "simulated", numbered where there are several of them."""
    if names is not None:
        if len(names) != len(outcomes):
            raise ValueError(f"names: {len(names)} given for {len(outcomes)} outcomes")
        return list(names)
    totals = Counter(each.measured for each in outcomes)
    return [
        kind(each.measured) + (f" {place + 1}" if totals[each.measured] > 1 else "")
        for each, place in zip(outcomes, places(outcomes), strict=True)
    ]


def places(outcomes: Sequence[Outcome]) -> list[int]:
    """For each, how many of its kind (measured or simulated) stand before it: the first of each lie over each other."""
    seen: Counter[bool] = Counter()
    found = []
    for each in outcomes:
        found.append(seen[each.measured])
        seen[each.measured] += 1
    return found


def columns_of_numbers(**given: ArrayLike) -> tuple[Floats, ...]:
    """Arrays of one dimension and the same length, finite, not empty; errors call them by their keyword."""
    arrays = {name: _floats(name, values) for name, values in given.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("not of one length: " + ", ".join(f"{name} has {length}" for name, length in lengths.items()))
    return tuple(arrays.values())


def _floats(name: str, values: ArrayLike) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not numbers ({error})") from error
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name}: an array of shape {array.shape}, not of one dimension with at least one number")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name}: {array[~np.isfinite(array)][0]} is not a finite number")
    return array


def need_shares(name: str, values: Floats) -> None:
    """All from 0 to 1."""
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(f"{name}: {wrong[0]:g} is no share, which is from 0 to 1")


def need_positive(name: str, values: Floats) -> None:
    """All above 0, as a log axis has it."""
    wrong = values[values <= 0]
    if wrong.size:
        raise ValueError(f"{name}: {wrong[0]:g} has no place on a log axis: it must be above 0")


def need_band(low: Floats, middle: Floats, high: Floats, names: tuple[str, str, str]) -> None:
    """Each estimate lies within its band."""
    for place, (least, value, most) in enumerate(zip(low, middle, high, strict=True)):
        if not least <= value <= most:
            raise ValueError(
                f"{names[1]}[{place}] = {value:g} is outside of its band, {names[0]} {least:g} to {names[2]} {most:g}"
            )
