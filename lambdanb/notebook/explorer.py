"""What the explorers share: controls whose every change is answered at once, a chart, and what stays when they close.

An explorer asks a plain function of `lambdanb.analysis` with its controls' values and shows the answer; what can't be
is told beside the controls, and the last answer stays. Shown in a notebook, it leaves a second output: a still picture
of what it shows. That is hidden while the explorer lives, drawn anew when the controls have rested for a moment, and
is what a saved notebook has when no kernel runs.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambdanb.notebook import html
from lambdanb.notebook.beside_cells import answer_beside_cells, widgets_in
from lambdanb.notebook.controls import Magnitudes, need_fit
from lambdanb.notebook.still import LIVES, STYLE, Still, show_widget

if TYPE_CHECKING:
    from ipywidgets import ValueWidget, Widget
    from matplotlib.figure import Figure

Answer = TypeVar("Answer")

_REST_S = 0.8
_CLASS = "lambdanb-explorer"
_COLUMNS = "repeat(auto-fit, minmax(290px, 1fr))"
_ACCENT = "var(--jp-brand-color1, #1976d2)"
_STYLE = f"""<style>
.{_CLASS} {{ --lambdanb-panel-width: 260px; color: var(--jp-ui-font-color1, inherit); }}
.{_CLASS} .widget-label {{ color: inherit; }}
.{_CLASS} .widget-html-content {{ flex: 1 1 auto; min-width: 0; }}
</style>"""


class Explorer(ABC, Generic[Answer]):
    """Controls over a computation.

    controls   by name, ipywidgets: `explorer.controls["rate"].value = 10` does what moving the slider there does
    answer     what the controls' values come to: the newest that could be computed
    problem    why the present values can't be computed; empty if they can
    """

    title: str
    answer: Answer

    def __init__(self, controls: Mapping[str, ValueWidget], views: Sequence[Widget]) -> None:
        import ipywidgets

        self.controls = dict(controls)
        self.problem = ""
        self.closed = False
        self._still, self._shown = Still(), False
        self._resting: asyncio.TimerHandle | None = None
        self._said = ipywidgets.HTML(layout={"width": "auto", "min_width": "0"})
        button = ipywidgets.Button(
            description="Close", tooltip="End the explorer; a picture of it stays", layout={"width": "72px"}
        )
        button.on_click(lambda _: self.close())
        top = {"display": "flex", "align_items": "center", "justify_content": "space-between"}
        self._box = ipywidgets.VBox(
            [
                ipywidgets.Box([ipywidgets.HTML(f"<b>{escape(self.title)}</b>"), button], layout=top),
                ipywidgets.GridBox(list(self.controls.values()), layout={"grid_template_columns": _COLUMNS}),
                self._said,
                *views,
                ipywidgets.HTML(_STYLE + STYLE, layout={"height": "0", "margin": "0"}),
            ]
        )
        self._box.add_class(_CLASS)
        self._box.add_class(LIVES)
        self._listen(True)
        self._ask()
        if self.problem:
            problem = self.problem
            self.close()
            raise ValueError(problem)
        answer_beside_cells(self._box)

    @abstractmethod
    def compute(self, values: Mapping[str, Any]) -> Answer:
        """The answer to the controls' values. Raises ValueError that says which can't be, and why."""

    @abstractmethod
    def show(self, answer: Answer) -> str:
        """Draw an answer, and give what is written above the drawing, as HTML."""

    @abstractmethod
    def figure(self) -> Figure:
        """The answer as a matplotlib figure: for a paper, and what stays in the saved notebook."""

    @abstractmethod
    def sentence(self) -> str:
        """The answer in a line."""

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Set several controls at once, to any value that they can have: `explorer.set(rate=7.3, keep_alive_s=450)`.

        Raises ValueError for a name that no control has, a value that a control can't take, and what can't be computed;
        then nothing is changed.
        """
        unknown = [name for name in values if name not in self.controls]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: the controls are {', '.join(self.controls)}")
        for name, value in values.items():
            need_fit(name, self.controls[name], value)
        self.compute(self.values | values)
        self._listen(False)
        for name, value in values.items():
            control = self.controls[name]
            control.put(value) if isinstance(control, Magnitudes) else setattr(control, "value", value)
        self._listen(True)
        self._changed(None)

    def close(self) -> None:
        """End it, and leave a picture in the notebook. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        if self._resting is not None:
            self._resting.cancel()
        if self._shown:
            self._draw_still()
        self._listen(False)
        for widget in list(widgets_in(self._box)):
            widget.close()

    def __repr__(self) -> str:
        said = "closed; it showed: " if self.closed else ""
        return f"<{self.title}: {said}{self.sentence()}>"

    def _ipython_display_(self) -> None:
        if show_widget(repr(self), None if self.closed else self._box):
            self._still.show(repr(self), self.figure())
            self._shown = True

    def _listen(self, on: bool) -> None:
        for control in self.controls.values():
            (control.observe if on else control.unobserve)(self._changed, "value")

    def _changed(self, _change: object) -> None:
        self._ask()
        if self._shown:
            self._draw_still_later()

    def _ask(self) -> None:
        try:
            self.answer = self.compute(self.values)
        except ValueError as error:
            self.problem = str(error)
            self._said.value = problem_html(self.problem)
        else:
            self.problem = ""
            self._said.value = self.show(self.answer)

    def _draw_still_later(self) -> None:
        """A still takes longer than a slider may, so it waits until the controls rest."""
        if self._resting is not None:
            self._resting.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a thread of one's own has set a control
            self._draw_still()
        else:
            self._resting = loop.call_later(_REST_S, self._draw_still)

    def _draw_still(self) -> None:
        self._still.update(repr(self), self.figure())


def problem_html(problem: str) -> str:
    """What can't be, where the answer would stand; read out by a screen reader."""
    return f'<div role="alert" style="line-height: 1.5; padding: 4px 0">{html.span(problem, html.RED, bold=True)}</div>'


def tiles_html(tiles: Sequence[tuple[str, str, str]]) -> str:
    """A row of numbers, which wraps: (what it is, the number, what it is made of)."""
    shown = "".join(
        f'<div style="padding: 4px 12px; border-left: 3px solid {_ACCENT}; line-height: 1.4">'
        f'{html.span(label, html.GREY)}<br><span style="font-size: 1.5em">{escape(number)}</span><br>'
        f"{html.span(made_of, html.GREY)}</div>"
        for label, number, made_of in tiles
    )
    grid = "display: grid; grid-template-columns: repeat(auto-fit, minmax(145px, 1fr)); gap: 10px; padding: 6px 0"
    return f'<div role="status" style="{grid}">{shown}</div>'


def milliseconds(time_ms: float) -> str:
    """A duration in ms, or in s from 10 s on."""
    return f"{time_ms:,.4g} ms" if time_ms < 10_000 else f"{time_ms / 1000:,.4g} s"
