"""The live chart's end in the kernel: what it sends, what it keeps, and what it says when there is no bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lambdanb.notebook import chart as chart_module
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.panels import Panel, Series

LATENCY = Panel("Latency", "latency (ms)", [Series("p50", "#000000"), Series("p99", "#0072B2")])
BOXES = Panel("Environments", "environment", [Series("idle", "#D0D0D0"), Series("busy", "#E69F00")], draw="boxes")


class Sent:
    """What a chart sent to the page."""

    def __init__(self, chart: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[tuple[Any, list[np.ndarray]]] = []
        monkeypatch.setattr(chart, "send", self._take)

    def _take(self, content: Any, buffers: list[memoryview]) -> None:
        arrays = [
            np.frombuffer(buffer, dtype="f8").reshape(-1, part["points"]) if part["points"] else np.empty(0)
            for buffer, part in zip(buffers, content["parts"], strict=True)
        ]
        self.messages.append((content, arrays))


def test_only_what_is_new_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart([LATENCY, BOXES])
    sent = Sent(chart, monkeypatch)
    chart.append({"Latency": ([1.0, 2.0], [10.0, 11.0], [20.0, np.nan])})
    chart.append({"Latency": ([3.0], [12.0], [22.0])})
    (content, (first,)), (_, (second,)) = sent.messages
    assert content == {"op": "append", "parts": [{"panel": 0, "points": 2, "mark": None}]}
    assert first.tolist()[:2] == [[1.0, 2.0], [10.0, 11.0]]
    assert second.tolist() == [[3.0], [12.0], [22.0]]


def test_a_page_that_is_opened_late_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart([LATENCY, BOXES])
    chart.append({"Latency": ([1.0], [10.0], [20.0]), "Environments": ([0], [0.0], [np.nan], [0])})
    chart.append({"Latency": ([2.0], [11.0], [21.0]), "Environments": ([0], [0.0], [5.0], [0])})
    sent = Sent(chart, monkeypatch)
    chart._handle_custom_msg({"type": "history"}, [])
    ((content, (latency, boxes)),) = sent.messages
    assert content["op"] == "replace"
    assert latency.tolist() == [[1.0, 2.0], [10.0, 11.0], [20.0, 21.0]]
    # A box that came again is the same box with another end.
    assert boxes.tolist() == [[0.0], [0.0], [5.0], [0.0]]


def test_replaced_restarted_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart([LATENCY])
    chart.append({"Latency": ([1.0], [10.0], [20.0])})
    sent = Sent(chart, monkeypatch)
    chart.replace({"Latency": ([5.0], [1.0], [2.0])}, {"Latency": 5.0})
    assert chart.points("Latency").tolist() == [[5.0], [1.0], [2.0]]
    assert sent.messages[0][0]["parts"][0]["mark"] == 5.0
    chart.restart(window_s=30.0)
    assert chart.points("Latency").shape == (3, 0)
    assert chart.window_s == 30.0


def test_what_has_left_the_window_is_let_go() -> None:
    chart = Chart([LATENCY, BOXES], window_s=10.0)
    for second in range(2_000):
        chart.append({"Latency": ([second], [1.0], [2.0])})
    times = chart.points("Latency")[0]
    assert times[-1] == 1_999
    assert len(times) < 600
    chart.append({"Environments": (np.zeros(30_000), np.arange(30_000), np.arange(30_000) + 0.5, np.ones(30_000))})
    assert chart.points("Environments").shape[1] <= 11


def test_columns_that_do_not_fit_are_told() -> None:
    chart = Chart([LATENCY])
    with pytest.raises(ValueError, match=r"no panel 'Cost'; it has Latency"):
        chart.append({"Cost": ([1], [2])})
    with pytest.raises(ValueError, match=r"takes 3 columns of one length \(x, p50, p99\); there are 2"):
        chart.append({"Latency": ([1], [2])})
    with pytest.raises(ValueError, match="of length 2, 1, 1"):
        chart.append({"Latency": ([1, 2], [2], [3])})
    with pytest.raises(ValueError, match="Two panels have one name"):
        Chart([LATENCY, LATENCY])


def test_as_text() -> None:
    chart = Chart([LATENCY, BOXES], label="Echo, live")
    assert repr(chart).splitlines() == [
        "<Echo, live>",
        "Latency, latency (ms): nothing yet",
        "Environments, environment: nothing yet",
    ]
    chart.append({"Latency": ([1.5], [10.0], [20.25]), "Environments": ([0, 1], [0, 0], [1, 1], [0, 1])})
    assert "Latency, latency (ms): at 1.5 s: p50 10, p99 20.25" in repr(chart)
    assert "2 rows, 2 boxes" in repr(chart)


def test_without_its_bundle_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chart_module, "_STATIC", tmp_path)
    chart = Chart([LATENCY])
    assert "without Node.js" in chart._esm
    assert "matplotlib" in chart._esm
    chart.append({"Latency": ([1.0], [10.0], [20.0])})
