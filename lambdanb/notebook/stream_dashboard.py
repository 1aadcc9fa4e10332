"""The stream dashboard: drive a function with a stream of events, or a forecast of it, and see what comes of it.

Nothing here waits in the kernel's own thread: a measured run is sent by the loader's process, a simulated one is made
in milliseconds, and a thread looks at either five times a second and feeds the chart.
"""

from __future__ import annotations

import threading
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from lambdanb.analysis.forecast_view import ForecastView
from lambdanb.analysis.live_view import LoadView
from lambdanb.analysis.load import times_of
from lambdanb.analysis.load_run import LoadRun, kept_ready
from lambdanb.analysis.payloads import payloads_of
from lambdanb.client.function import Function
from lambdanb.model.errors import ExecutorLost, ServiceError
from lambdanb.model.rules import RULES
from lambdanb.notebook import html, stream_panels
from lambdanb.notebook.beside_cells import answer_beside_cells, widgets_in
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.still import LIVES, STYLE, Still, show_widget
from lambdanb.notebook.stream_choices import choices
from lambdanb.streams.stream import Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lambdanb.analysis.forecast import Forecast
    from lambdanb.analysis.load_result import LoadResult

MEASURED, SIMULATED = "measured", "simulated"
SPEEDS = {"as it would run": 1.0, "10 times as fast": 10.0, "a minute per s": 60.0, "an hour per s": 3600.0}
MOST_REQUESTS = 1_000_000
"""Of a measured run, whose table has room for so many; a forecast may have _MOST_SIMULATED."""
_MOST_SIMULATED = 10_000_000
_MOST_EVENTS = 10_000
_SHOWN_S = 60.0
_FRAME_S = 0.2
_LEAD_S = 0.25
_SEED = 0


class StreamDashboard:
    """What `function.dashboard()` gives.

    controls   by name, ipywidgets: "stream", "how", "speed", "seconds"; and `parameters` of the chosen stream
    chart      the live chart
    result     what the last run came to, a LoadResult or a Forecast; None until one has ended
    problem    why it couldn't do what was asked; empty if it could

    `start()`, `stop()` and `close()` do what the buttons do.
    """

    def __init__(self, function: Function, stream: Stream | None, seconds: float, event: Any) -> None:
        self.function = function
        self.result: LoadResult | Forecast | None = None
        self.problem = ""
        self.closed = False
        self._event = event
        self._choices = choices(stream)
        self._view: LoadView | ForecastView | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._lock = threading.RLock()
        self._still = Still()
        self._build(seconds)

    def start(self) -> None:
        """Begin a run as the controls say. One that is under way is let be."""
        with self._lock:
            if self._view is not None or self.closed:
                return
            self._say("starting")
            try:
                view = self._begin()
            except (ValueError, TypeError, ServiceError, ExecutorLost) as error:
                self._say(str(error), problem=True)
                return
            self._view = view
            window_s = min(view.seconds, _SHOWN_S * (1.0 if view.measured else self._speed))
            self.chart.restart(stream_panels.panels(view.measured), window_s=window_s)
            self._set_running(True)
            self._wake.clear()
            self._thread = threading.Thread(target=self._run, args=(view,), name="lambdanb-dashboard", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the run; what there is stays, and `result` has it."""
        view = self._view
        if view is not None:
            view.stop()
            self._wake.set()

    def wait(self, timeout_s: float | None = None) -> LoadResult | Forecast | None:
        """Wait for the end of the run that is under way, and give `result`."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self.result

    def close(self) -> None:
        """End all of it; a picture of the last run stays in the notebook. Closing twice does nothing."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self.stop()
        self.wait()
        for widget in list(widgets_in(self._box)):
            widget.close()

    def __repr__(self) -> str:
        said = "" if self.result is None else f": {self.result!r}"
        return f"<Dashboard of {self.function.name}{', closed' if self.closed else ''}{said}>"

    def _ipython_display_(self) -> None:
        if show_widget(repr(self), None if self.closed else self._box):
            self._still.show(repr(self), None if self.result is None else self.result.plot())

    # The run

    @property
    def _speed(self) -> float:
        return SPEEDS[self.controls["speed"].value]

    def _begin(self) -> LoadView | ForecastView:
        seconds = self.controls["seconds"].value
        due_s = self._due_s(seconds)
        if self.controls["how"].value == SIMULATED:
            account = self.function._executor.ask("settings")
            described = self.function.description
            model = self.function.profile().simulated(
                reserved=described["reserved_concurrency"], provisioned=kept_ready(described)
            )
            rules, concurrency = RULES[account["rules"]], account["concurrency"]
            return ForecastView(model, due_s, seconds, speed=self._speed, rules=rules, concurrency=concurrency)
        payloads = payloads_of(self._event, min(MOST_REQUESTS, _MOST_EVENTS))
        run = LoadRun(self.function, due_s, payloads, seconds, room=MOST_REQUESTS)
        return LoadView(run, merge_s=min(seconds, _SHOWN_S) / 600)

    def _due_s(self, seconds: float) -> NDArray[Any]:
        """When requests are due. Raises ValueError for more than there can be."""
        choice = self._choices[self.controls["stream"].value]
        stream = choice.make(*(control.value for control in self.parameters))
        most = _MOST_SIMULATED if self.controls["how"].value == SIMULATED else MOST_REQUESTS
        try:
            expected = stream.mean_rate(seconds) * seconds
        except NotImplementedError:  # a trace: it has what it has
            expected = 0.0
        if expected > most:
            raise ValueError(
                f"{seconds:,.0f} s of this stream are {expected:,.0f} requests, more than the {most:,} that a "
                f"{self.controls['how'].value} run takes: lower the rate or the seconds"
            )
        return times_of(stream, seconds, _SEED, most=most, what=f"a {self.controls['how'].value} run takes")

    def _run(self, view: LoadView | ForecastView) -> None:
        """In a thread: look until it is over, then tell what came of it."""
        frame = 0
        try:
            while not view.ended:
                stream_panels.show(self.chart, view.look())
                if frame % 5 == 0:
                    self._say(f"{view.now_s:,.0f} of {view.seconds:,.0f} s, {_kind(view.measured)}")
                frame += 1
                if self._wake.wait(_FRAME_S):
                    break
            self.result = view.result()
            stream_panels.show(self.chart, view.look())
            self._say(repr(self.result).strip("<>").replace(">\n", "\n"))
            self._still.update(repr(self), self.result.plot())
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}", problem=True)
        finally:
            view.close()
            with self._lock:
                self._view = None
                self._set_running(False)

    def _changed(self, _change: object) -> None:
        """A control of the stream has moved: what is still to come changes, if it runs."""
        with self._lock:
            view = self._view
            if view is None:
                return
            try:
                due_s = self._due_s(view.seconds)
            except ValueError as error:
                self._say(str(error), problem=True)
                return
            from_s = min(view.now_s + (_LEAD_S if view.measured else 0.0), view.seconds)
            view.change(from_s, due_s[due_s.searchsorted(from_s) :])

    # The widgets

    def _build(self, seconds: float) -> None:
        self.chart = Chart(stream_panels.panels(True), label=f"{self.function.name}, live", window_s=_SHOWN_S)
        wide = {"style": {"description_width": "128px"}, "layout": {"width": "380px"}}
        self.controls: dict[str, Any] = {
            "stream": ipywidgets.Dropdown(
                options=list(self._choices), description="stream", tooltip="how requests arrive", **wide
            ),
            "seconds": ipywidgets.BoundedFloatText(
                seconds, min=1.0, max=31 * 86_400.0, description="seconds", tooltip="how long the stream is", **wide
            ),
            "how": ipywidgets.Dropdown(
                options=[MEASURED, SIMULATED],
                description="run",
                tooltip="measured: real requests, on this machine; simulated: a forecast from the function's records",
                **wide,
            ),
            "speed": ipywidgets.Dropdown(
                options=list(SPEEDS), description="time goes by", tooltip="how fast a simulated run is shown", **wide
            ),
        }
        self.controls["speed"].disabled = True
        self.parameters: list[Any] = []
        narrow = {"width": "88px"}
        self._start = ipywidgets.Button(
            description="Start", button_style="primary", layout=narrow, tooltip="Start a run"
        )
        self._stop = ipywidgets.Button(description="Stop", disabled=True, layout=narrow, tooltip="End the run")
        self._close = ipywidgets.Button(
            description="Close", layout=narrow, tooltip="End the dashboard; a picture of the last run stays"
        )
        self._said = ipywidgets.HTML()
        wrap = {"display": "flex", "flex_flow": "row wrap", "align_items": "center"}
        self._own = ipywidgets.Box([], layout=wrap)
        name = ipywidgets.HTML(f"<b>{escape(self.function.name)}</b>")
        buttons = ipywidgets.Box([self._start, self._stop, self._close], layout=wrap)
        self._box = ipywidgets.VBox(
            [
                ipywidgets.Box([name, buttons], layout={**wrap, "justify_content": "space-between"}),
                ipywidgets.Box(list(self.controls.values()), layout=wrap),
                self._own,
                self._said,
                self.chart,
                ipywidgets.HTML(STYLE, layout={"height": "0", "margin": "0"}),
            ]
        )
        self._box.add_class(LIVES)
        self._choose(None)
        self._say("Start sends real requests at their due times; what moves is measured here, on this machine.")
        self._start.on_click(lambda _: self.start())
        self._stop.on_click(lambda _: self.stop())
        self._close.on_click(lambda _: self.close())
        self.controls["stream"].observe(self._choose, "value")
        self.controls["how"].observe(lambda _: self._set_running(self._view is not None), "value")
        answer_beside_cells(self._box)

    def _choose(self, change: object) -> None:
        """Show the parameters of the chosen stream."""
        choice = self._choices[self.controls["stream"].value]
        before, self.parameters = self.parameters, [parameter.control() for parameter in choice.parameters]
        for control in self.parameters:
            control.observe(self._changed, "value")
        self._own.children = self.parameters
        for control in before:
            for widget in list(widgets_in(control)):
                widget.close()
        if change is not None:
            answer_beside_cells(self._own)
            self._changed(change)

    def _set_running(self, running: bool) -> None:
        if self.closed:
            return
        self._start.disabled, self._stop.disabled = running, not running
        self.controls["how"].disabled = self.controls["seconds"].disabled = running
        self.controls["speed"].disabled = running or self.controls["how"].value == MEASURED

    def _say(self, text: str, *, problem: bool = False) -> None:
        self.problem = text if problem else ""
        shown = html.span(text, html.RED, bold=True) if problem else escape(text).replace("\n", "<br>")
        self._said.value = f'<div role="{"alert" if problem else "status"}" style="line-height: 1.5">{shown}</div>'


def _kind(measured: bool) -> str:
    return MEASURED if measured else SIMULATED


def dashboard(function: Function, stream: Any = None, *, seconds: Any = 60.0, event: Any = None) -> StreamDashboard:
    """A dashboard of the function: choose a stream, start, change it while it runs, stop.

    stream   your own, such as `Diurnal(peak=50, period_s=120)`; else one of those that it offers
    seconds  how long a run is, at first
    event    what each request carries, as in `load`; of a callable, the first 10,000 events are used over and over

    A measured run sends real requests from a process of its own; a simulated one forecasts the function from its
    records (`function.profile()`), as fast as you like. Of the result, `.result` has the numbers of the last run, and
    `.close()` ends it. Shows the function's environments, whoever uses them.
    """
    if stream is not None and not isinstance(stream, Stream):
        raise TypeError(f"stream is {stream!r:.80}; give one of lambdanb.streams, such as Poisson(200)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 31 * 86_400:
        raise ValueError(f"seconds is {seconds!r}: it must be a number from 1 to {31 * 86_400:,}, a month")
    return StreamDashboard(function, stream, float(seconds), event)
