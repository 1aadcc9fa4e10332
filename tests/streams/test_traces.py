"""Readers of published traces, on small files in their authors' formats."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lambdanb.streams import traces
from lambdanb.streams.traces import Quantiles, TraceError, azure_2019, azure_2021, huawei_2023

MINUTES = [str(minute) for minute in range(1, 1441)]
INVOCATIONS = ",".join(["HashOwner", "HashApp", "HashFunction", "Trigger", *MINUTES])
DURATIONS = (
    "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_1,"
    "percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100"
)
MEMORY = "HashOwner,HashApp,SampleCount,AverageAllocatedMb," + ",".join(
    f"AverageAllocatedMb_pct{percent}" for percent in (1, 5, 25, 50, 75, 95, 99, 100)
)
AZURE_2021 = "app,func,end_timestamp,duration"


def write(path: Path, *lines: str) -> Path:
    text = "".join(line + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def minutes(name: str, counts: dict[int, Any], trigger: str = "http") -> str:
    """A row of invocations; `counts` by the minute's number from 1."""
    return ",".join(["o1", "a1", name, trigger, *(str(counts.get(minute, 0)) for minute in range(1, 1441))])


@pytest.fixture(params=[".csv", ".csv.gz"])
def ending(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_azure_2019_functions(tmp_path: Path, ending: str) -> None:
    invocations = write(
        tmp_path / f"invocations_per_function_md.anon.d01{ending}",
        INVOCATIONS,
        minutes("f1", {1: 3, 1440: 2}),
        minutes("f2", {2: 100}, "timer"),
        minutes("f3", {}, "queue"),
    )
    durations = write(
        tmp_path / f"function_durations_percentiles.anon.d01{ending}",
        DURATIONS,
        "o1,a1,f1,120,9999,5,900,10,11,50,100,150,700,800",
        "o1,a1,f2,0,3,,NaN,0,0,0,0,0,0,0",
    )
    memory = write(tmp_path / f"app_memory_percentiles.anon.d01{ending}", MEMORY, "o1,a1,10,99,10,20,30,40,50,60,70,80")
    first, second, third = azure_2019.functions(invocations, durations, memory)

    assert (first.name, first.trigger, first.invocations) == ("o1/a1/f1", "http", 5)
    times = first.arrivals.times(86_400, seed=1)
    assert np.histogram(times, [0, 60, 86_340, 86_400])[0].tolist() == [3, 0, 2]
    assert first.durations_ms == Quantiles((0, 1, 25, 50, 75, 99, 100), (5, 11, 50, 100, 150, 700, 900), 120)
    assert first.memory_mb == Quantiles((1, 5, 25, 50, 75, 95, 99, 100), (10, 20, 30, 40, 50, 60, 70, 80), 99)

    assert (second.name, second.trigger) == ("o1/a1/f2", "timer")
    assert second.durations_ms is not None
    assert second.durations_ms.values == (0.0,) * 7  # without Minimum and Maximum, and with zero durations
    assert (third.invocations, third.arrivals.times(86_400).size, third.durations_ms) == (0, 0, None)
    assert third.memory_mb == first.memory_mb  # memory is told of apps, not of functions


def test_azure_2019_without_durations_and_memory(tmp_path: Path) -> None:
    """Days 13 and 14 have no memory."""
    path = write(tmp_path / "d13.csv", INVOCATIONS, minutes("f1", {5: 1}))
    (only,) = azure_2019.functions(path)
    assert (only.durations_ms, only.memory_mb) == (None, None)


def test_azure_2019_whole_trace_over_days(tmp_path: Path) -> None:
    first = write(tmp_path / "d01.csv", INVOCATIONS, minutes("f1", {1: 70_000}), minutes("f2", {1: 5, 3: 1}))
    second = write(tmp_path / "d02.csv", INVOCATIONS, minutes("f2", {2: 4}))
    stream = azure_2019.arrivals(first, second)
    times = stream.times(2 * 86_400, seed=3)
    assert np.histogram(times, [0, 60, 120, 180, 86_460, 86_520, 172_800])[0].tolist() == [70_005, 0, 1, 0, 4, 0]
    assert np.array_equal(times, stream.times(2 * 86_400, seed=3))
    assert not np.array_equal(times, stream.times(2 * 86_400, seed=4))
    assert stream.mean_rate(60) == pytest.approx(70_005 / 60)


ROWS = [
    "a1,f1,10.5,0.5",
    "a1,f2,7.0,6.0",
    "a1,f1,9.0,8.0",
    "a2,f1,12.25,0",
    "a1,f1,2.0,5.0",  # started before the trace did
]


@pytest.mark.parametrize("run", [1, 2, 3, 1000])
def test_azure_2021_starts_are_sorted(tmp_path: Path, ending: str, run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are sorted in memory at a time."""
    monkeypatch.setattr(azure_2021, "RUN", run)
    path = write(tmp_path / f"trace{ending}", AZURE_2021, *ROWS)
    assert azure_2021.arrivals(path).times(100).tolist() == [0, 1, 1, 10, 12.25]
    found = list(azure_2021.functions(path))
    assert [function.name for function in found] == ["a1/f1", "a1/f2", "a2/f1"]
    assert [function.arrivals.times(100).tolist() for function in found] == [[0, 1, 10], [1], [12.25]]
    assert [function.invocations for function in found] == [3, 1, 1]
    durations = found[0].durations_ms
    assert durations is not None
    assert [durations.value(percent) for percent in (0, 50, 100)] == [500, 5000, 8000]
    assert durations.mean == 4500
    zero = found[2].durations_ms
    assert zero is not None and zero.value(50) == 0


def test_azure_2021_many_runs_meet_a_plain_sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_2021, "RUN", 700)
    monkeypatch.setattr(azure_2021, "_READ", 50)
    random = np.random.default_rng(1)
    ends, durations, functions = (
        random.uniform(100, 1000, 5000),
        random.exponential(20, 5000),
        random.integers(9, size=5000),
    )
    rows = zip(functions.tolist(), ends.tolist(), durations.tolist(), strict=True)
    path = write(tmp_path / "trace.csv", AZURE_2021, *(f"app,f{number},{end!r},{took!r}" for number, end, took in rows))
    starts = np.maximum(ends - durations, 0)
    assert np.array_equal(azure_2021.arrivals(path).times(2000), np.sort(starts))
    for function in azure_2021.functions(path):
        number = int(function.name.removeprefix("app/f"))
        assert np.array_equal(function.arrivals.times(2000), np.sort(starts[functions == number]))


def huawei(path: Path, day: int, step_s: int, names: str, *rows: str) -> Path:
    """A file of a day; `rows` are of its first minutes or seconds."""
    start_s = day * 86_400
    return write(path, f"day,time,{names}", *(f"{day},{start_s + i * step_s},{row}" for i, row in enumerate(rows)))


@pytest.mark.parametrize("step_s", [1, 60])
@pytest.mark.parametrize("cells", [1, 4, 8_000_000])
def test_huawei_2023_functions(
    tmp_path: Path, ending: str, step_s: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In as many passes as memory asks for."""
    monkeypatch.setattr(huawei_2023, "CELLS", cells)
    requests = huawei(tmp_path / f"requests{ending}", 2, step_s, "28,33,55", "816.0,NaN,", "0.0,5,NaN", "3,NaN,NaN")
    delays = huawei(tmp_path / f"delay{ending}", 2, step_s, "33,28", "NaN,10.5", "7,20.5", "NaN,NaN")
    memory = huawei(tmp_path / f"memory{ending}", 2, 60, "28,33,55", "128,NaN,512", "128,NaN,512")
    first, second, third = huawei_2023.functions(requests, delays, memory)
    assert [function.name for function in (first, second, third)] == ["28", "33", "55"]
    times = first.arrivals.times(86_400, seed=2)
    assert np.histogram(times, [0, step_s, 2 * step_s, 3 * step_s])[0].tolist() == [816, 0, 3]
    assert times.size == first.invocations == 819
    assert first.durations_ms is not None and first.durations_ms.mean == 15.5
    assert first.memory_mb is not None and first.memory_mb.value(50) == 128
    assert (second.invocations, second.memory_mb) == (5, None)
    assert second.durations_ms is not None and second.durations_ms.value(50) == 7
    assert (third.invocations, third.durations_ms) == (0, None)
    assert [function.durations_ms for function in huawei_2023.functions(requests)] == [None] * 3


def test_huawei_2023_whole_trace_with_a_day_left_out(tmp_path: Path) -> None:
    first = huawei(tmp_path / "day_004.csv", 4, 60, "0,1", "2,3", "NaN,1")
    second = huawei(tmp_path / "day_006.csv", 6, 60, "0,1", "NaN,NaN", "4,NaN")
    times = huawei_2023.arrivals(first, second).times(10 * 86_400)
    day = 2 * 86_400
    assert np.histogram(times, [0, 60, 120, day, day + 60, day + 120])[0].tolist() == [5, 1, 0, 0, 4]
    with pytest.raises(ValueError, match="in the order of their days"):
        huawei_2023.arrivals(second, first)


def test_quantiles_draw_what_they_say() -> None:
    quantiles = Quantiles((0, 50, 100), (10, 20, 60))
    assert [quantiles.value(percent) for percent in (0, 25, 50, 75, 100)] == [10, 15, 20, 40, 60]
    drawn = quantiles.draw(np.random.default_rng(1), 100_000)
    assert drawn.min() >= 10
    assert drawn.max() <= 60
    assert np.mean(drawn < 20) == pytest.approx(0.5, abs=3 * 0.5 / 100_000**0.5)


def all_of(stream: Any) -> None:
    for _ in stream.chunks():
        pass


@pytest.mark.parametrize(
    ("read", "lines", "told"),
    [
        (azure_2019.arrivals, [], "is empty, where a header with"),
        (azure_2019.arrivals, ["a,b"], "line 1: no column 'HashOwner'.*; it has 'a', 'b'"),
        (azure_2019.arrivals, [INVOCATIONS.replace(",77,", ",")], "line 1: no column '77'"),
        (
            azure_2019.arrivals,
            [INVOCATIONS, minutes("f", {}), "o1,a1,f2,http,1"],
            "line 3: has 5 columns, .* 1444.*cut off",
        ),
        (azure_2019.arrivals, [INVOCATIONS, minutes("f", {9: "x"})], "line 2, column 9: 'x' is not a number"),
        (azure_2019.arrivals, [INVOCATIONS, minutes("f", {9: -1})], "line 2, column 9: must be a finite number from 0"),
        (azure_2019.arrivals, [INVOCATIONS, minutes("f", {9: 1.5})], "line 2, column 9: must be a whole number"),
        (azure_2019.arrivals, [INVOCATIONS, minutes("f", {9: 10**30})], "line 2, column 9: .* too large"),
        (azure_2021.arrivals, ["app,func,duration"], "line 1: no column 'end_timestamp'"),
        (azure_2021.arrivals, [AZURE_2021, "a,f,1,1", "a,f,one,1"], "line 3, column end_timestamp: 'one' is not"),
        (azure_2021.arrivals, [AZURE_2021, "a,f,1,-1"], "line 2, column duration: must be a finite number from 0, not"),
        (azure_2021.arrivals, [AZURE_2021, "a,f,1,"], "line 2, column duration: a number is missing"),
        (azure_2021.arrivals, [AZURE_2021, "a,f,1"], "line 2: has 3 columns, where the header has 4"),
        (azure_2021.arrivals, [AZURE_2021 + ",app"], "line 1: has several columns 'app'"),
        (huawei_2023.arrivals, ["day,0,1"], "line 1: no column 'time'"),
        (huawei_2023.arrivals, ["time,day,1"], "line 1: must begin with day,time"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,60,x"], "line 3, column 5: 'x' is not a number"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,60"], "line 3: has 2 columns, where the header has 3"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,7,1"], "line 3, column time: must be 1 or 60 s after"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,60,1", "0,61,1"], "line 4, column time: must be one of"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,60,1", "0,60,1"], "line 4, column time: must be over that"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,1", "0,60,1", "0,86400,1"], "line 4, column time: must be one of"),
        (huawei_2023.arrivals, ["day,time,5", "0,0,0.5", "0,60,1"], "line 2, column 5: must be a whole number"),
        (huawei_2023.arrivals, ["day,time,5"], "has a header, but no rows"),
    ],
)
def test_a_fault_is_told_with_file_line_and_column(
    tmp_path: Path, read: Callable[[Path], Any], lines: list[str], told: str
) -> None:
    path = write(tmp_path / "trace.csv", *lines)
    with pytest.raises(TraceError, match=told) as error:
        all_of(read(path))
    assert str(error.value).startswith(str(path))
    assert error.value.path == path


def test_faults_of_durations_and_memory(tmp_path: Path) -> None:
    invocations = write(tmp_path / "i.csv", INVOCATIONS, minutes("f1", {}))
    durations = write(tmp_path / "d.csv", DURATIONS, "o1,a1,f1,1,1,1,1,1,1,1,oops,1,1,1")
    with pytest.raises(TraceError, match=r"d\.csv, line 2, column percentile_Average_50: 'oops' is not a number"):
        list(azure_2019.functions(invocations, durations))
    memory = write(tmp_path / "m.csv", MEMORY.replace("_pct95", "_p95"))
    with pytest.raises(TraceError, match=r"m\.csv, line 1: no column 'AverageAllocatedMb_pct95'"):
        list(azure_2019.functions(invocations, None, memory))


def test_a_gzip_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    random = np.random.default_rng(1)
    rows = "".join(f"a,f,{end!r},0.5\n" for end in random.uniform(0, 9, 20_000).tolist())
    path.write_bytes(gzip.compress(f"{AZURE_2021}\n{rows}".encode())[:-5000])
    with pytest.raises(TraceError, match=r"line .*the gzip file is cut off or damaged"):
        all_of(azure_2021.arrivals(path))


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"app,func,end_timestamp,duration\n\xff\xfe\x00\n")
    with pytest.raises(TraceError, match="isn't CSV"):
        all_of(azure_2021.arrivals(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for reader in (azure_2019, azure_2021, huawei_2023):
        with pytest.raises(FileNotFoundError):
            reader.arrivals(tmp_path / "none.csv")  # type: ignore[attr-defined]
    assert {"azure_2019", "azure_2021", "huawei_2023"} <= set(traces.__all__)


def test_no_file_at_all() -> None:
    for reader in (azure_2019, huawei_2023):
        with pytest.raises(ValueError, match="give at least one file"):
            reader.arrivals()  # type: ignore[attr-defined]
