"""What `plot()` of a load test's result and of a forecast draws: the first run on a page, others laid over it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lambdanb.model.outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 150
"""Letters of small type in a line across the page."""


class Plotted(Protocol):
    """A load test's result or a forecast."""

    @property
    def outcome(self) -> Outcome:
        """What is drawn."""
        ...

    @property
    def notes(self) -> list[str]:
        """Sentences without which the picture would be misread."""
        ...


def plot_runs(runs: Sequence[Plotted], names: Sequence[str] | None) -> Figure:
    """The page. Raises ValueError for what is neither a load test's result nor a forecast, and for names that aren't
    one for each."""
    for place, run in enumerate(runs):
        if not isinstance(getattr(run, "outcome", None), Outcome):
            raise ValueError(
                f"others[{place - 1}] is a {type(run).__name__}: only a load test's result or a forecast can be laid "
                "over this one"
            )
    from lambdanb.analysis.figures import style
    from lambdanb.analysis.figures.run_panels import run_panels

    figure = run_panels([run.outcome for run in runs], names)[0].get_figure(root=True)
    assert figure is not None
    notes = dict.fromkeys(textwrap.fill(note, _WIDE) for run in runs for note in run.notes)
    if notes:
        figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize="small", color=style.GREY)
    return figure
