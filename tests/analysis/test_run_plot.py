"""`plot()` of a load test's result and of a forecast: the one laid over the other, with what must be known of them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from plain_runs import forecast, result

from lambdanb.analysis import figures
from lambdanb.analysis.simulate import simulate
from lambdanb.analysis.tuning import Tried, Tuning
from lambdanb.simulator.function_model import Simulated
from lambdanb.streams import Poisson


def legend(figure: Figure) -> list[str]:
    return [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]


def test_a_result_and_a_forecast_are_laid_over_each_other_either_way() -> None:
    measured, simulated = result(), forecast()
    assert isinstance(measured.plot(), Figure)
    assert legend(measured.plot(simulated)) == ["measured", "simulated"]
    assert legend(simulated.plot(measured)) == ["simulated", "measured"]
    assert legend(simulated.plot(forecast(seed=2), names=["a", "b"])) == ["a, simulated", "b, simulated"]


def test_the_figure_says_when_the_machine_was_the_limit_and_why_it_stopped() -> None:
    assert result().plot().get_supxlabel() == ""
    noted = result(stopped="interrupted after 3.0 s", late_ms=30.0).plot().get_supxlabel()
    assert "Stopped: interrupted after 3.0 s." in noted
    assert "Limited by this machine: 1 % of the requests were sent more than 30.0 ms after they were due" in noted


def test_the_figure_says_that_it_shows_the_first_run() -> None:
    assert forecast(runs=3).plot(result()).get_supxlabel() == "Simulated: the first of 3 runs."
    assert forecast(runs=1).plot().get_supxlabel() == ""


@pytest.mark.parametrize("other", [3, "forecast", pd.DataFrame(), result().outcome])
def test_what_is_no_run_is_told(other: Any) -> None:
    with pytest.raises(
        ValueError, match=r"others\[1\] is a \w+: only a load test's result or a forecast can be laid over"
    ):
        result().plot(forecast(), other)


def test_names_are_one_for_each() -> None:
    with pytest.raises(ValueError, match="names: 1 given for 2 outcomes"):
        result().plot(forecast(), names=["one"])


def tuning(**errors: str) -> Tuning:
    tried = [
        Tried(size, 0, 0.0, False, errors.get(f"at_{size}"), 80_000 / size, None, 40, 2e-7 * (1 + size / 2048))
        for size in (128, 512, 2048)
        for _ in range(3)
    ]
    return Tuning("resize", [1.0], tried, interrupted=False)


def test_tuning_draws_what_it_recommends() -> None:
    figure = tuning().plot()
    told = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert told[0] == "cost: 128 MB\n(100% of resamplings)"
    assert told[1] == "speed: 2,048 MB\n(100% of resamplings)"
    assert told[2].startswith("balanced: ")
    assert figure.get_supxlabel() == ""


def test_tuning_names_the_sizes_that_it_leaves_out() -> None:
    figure = tuning(at_128="Runtime.ExitError: killed").plot()
    assert figure.get_supxlabel() == "Left out, as not all went well there: 128 MB: Runtime.ExitError: killed"
    assert math.isclose(min(figure.axes[0].lines[0].get_xdata()), 512)  # type: ignore[arg-type]


def test_times_that_hardly_differ_look_so() -> None:
    flat = Tuning(
        "ask", [1.0], [Tried(size, 0, 0.0, False, None, 50.0 + size / 1e5, None, 40, 2e-7) for size in (128, 1024) * 3],
        interrupted=False,
    )  # fmt: skip
    low, high = flat.plot().axes[0].get_ylim()
    assert high / low > 1.5


def test_a_long_latency_is_no_power_of_ten() -> None:
    slow = simulate(Simulated(warm=5.34), Poisson(1), seconds=60)
    assert "p50 5,3" in slow.plot().legends[0].get_texts()[0].get_text()
    assert "p50 5,3" in repr(slow)


def test_what_is_laid_over_each_other_has_the_same_windows() -> None:
    """Else the same arrivals would look different."""
    assert forecast().outcome.windows.index.tolist() == pytest.approx(result().outcome.windows.index.tolist())


def test_little_money_is_told_without_a_power_of_ten() -> None:
    assert "$0.0000" in repr(forecast())
    assert repr(result()) == "<LoadResult of plain: 60 requests in 6 s, p50 60 ms, p99 60 ms, $0.00000600>"


@pytest.mark.parametrize("name", ["concurrency", "latency_cdf", "latency_heatmap", "run_panels", "windows_over_time"])
def test_a_figure_takes_a_result_or_a_forecast_as_it_is(name: str) -> None:
    draw = getattr(figures, name)
    for run in (result(), forecast()):
        assert draw(run) is not None
    if name in ("latency_cdf", "run_panels", "windows_over_time"):
        assert draw([result(), forecast()]) is not None
