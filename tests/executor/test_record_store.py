"""Records: rows and minutes that agree, percentiles within 1 %, and a disk that is full for a while."""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from full_disk import fill, small_disk

from lambdanb.executor.record_reader import read_metrics, read_records
from lambdanb.executor.record_store import SCHEMA_VERSION, RecordStore
from lambdanb.model import histogram
from lambdanb.model.database import StoreUnusable, open_reader
from lambdanb.model.records import COLUMNS, Record

START_MS = 1_795_474_320_000  # a full hour's minute


def record(number: int = 0, **changes: Any) -> Record:
    values = Record(
        request_id=f"r{number}",
        function="f",
        version="$LATEST",
        environment_id="e1",
        arrived_ms=START_MS + number,
        queued_ms=0.5,
        init_ms=None,
        duration_ms=10.0,
        billed_ms=10,
        memory_mb=128,
        max_memory_mb=40,
        cpu_ms=2.0,
        cold=False,
        status="ok",
        cost=1e-6,
    )
    return replace(values, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    store = RecordStore(tmp_path / "records.db")
    yield store
    store.close()


def put(store: RecordStore, *records: Record) -> None:
    for one in records:
        store.add(one)
    outcome = store.flush(budget_rows=1_000_000)
    assert (outcome.error, outcome.written, outcome.waiting, outcome.dropped) == (None, len(records), 0, 0)


def test_a_record_comes_out_as_it_went_in(store: RecordStore) -> None:
    warm = record(1, arrived_ms=START_MS + 0.25)
    cold = record(2, init_ms=33.5, cold=True, status="error", error_type="KeyError", trigger="s3", version="3")
    zero = record(3, init_ms=0.0, cold=True)
    put(store, warm, cold, zero)
    rows = read_records(store.connection)
    assert [row.pop("id") for row in rows] == [1, 2, 3]
    assert rows == [warm.to_json(), cold.to_json(), zero.to_json()]
    assert rows[1]["cold"] is True
    assert json.loads(json.dumps(rows)) == rows


def test_the_table_has_every_column_of_a_record(store: RecordStore) -> None:
    columns = [row[1] for row in store.connection.execute("PRAGMA table_info(records)")]
    assert columns == ["id", *COLUMNS]


def test_filters_and_pages(store: RecordStore) -> None:
    put(store, *(record(n, function="fg"[n % 2], version=str(n % 3)) for n in range(100)))
    connection = store.connection
    assert len(read_records(connection, function="f")) == 50
    assert len(read_records(connection, function="f", version="0")) == 17
    assert [row["request_id"] for row in read_records(connection, request_id="r7", function="g")] == ["r7"]
    assert [row["request_id"] for row in read_records(connection, limit=2)] == ["r98", "r99"], "the newest"
    assert [row["request_id"] for row in read_records(connection, since_ms=START_MS + 3, until_ms=START_MS + 5)] == [
        "r3",
        "r4",
    ]
    after, seen = 0, []
    while page := read_records(connection, function="g", after_id=after, limit=7):
        seen += [row["request_id"] for row in page]
        after = page[-1]["id"]
    assert seen == [f"r{n}" for n in range(1, 100, 2)]
    put(store, record(0, function="g", arrived_ms=START_MS - 900_000))
    assert [row["arrived_ms"] for row in read_records(connection, function="g", after_id=after)] == [START_MS - 900_000]


def test_minutes_add_up_over_flushes(store: RecordStore) -> None:
    put(store, record(1), record(2, status="timeout", duration_ms=3_000.0, max_memory_mb=90))
    put(store, record(3, cold=True, init_ms=50.0, max_memory_mb=60), record(4, status="throttled", duration_ms=0.0))
    put(store, record(5, arrived_ms=START_MS + 60_000.0), record(6, function="g"))
    first, other, second = read_metrics(store.connection)
    assert (first["start_ms"], first["function"]) == (START_MS, "f")
    assert (first["invocations"], first["errors"], first["throttles"], first["cold_starts"]) == (3, 1, 1, 1)
    assert (first["duration_ms"], first["billed_ms"], first["init_ms"], first["cpu_ms"]) == (3_020.0, 30, 50.0, 6.0)
    assert (first["max_duration_ms"], first["max_memory_mb"]) == (3_000.0, 90)
    assert first["cost"] == pytest.approx(3e-6)
    assert first["mean_duration_ms"] == pytest.approx(3_020 / 3)
    assert (other["function"], other["invocations"]) == ("g", 1)
    assert (second["start_ms"], second["invocations"]) == (START_MS + 60_000, 1)
    (whole,) = read_metrics(store.connection, function="f", period_s=3600)
    assert (whole["invocations"], whole["throttles"], whole["billed_ms"]) == (4, 1, 40)
    assert json.loads(json.dumps(whole)) == whole


def test_throttles_alone_have_no_percentiles(store: RecordStore) -> None:
    put(store, record(1, status="throttled"))
    (row,) = read_metrics(store.connection)
    assert (row["invocations"], row["throttles"], row["p99_ms"], row["mean_duration_ms"]) == (0, 1, None, None)


def test_percentiles_are_within_one_percent_of_the_truth(store: RecordStore) -> None:
    chance = random.Random(2)
    durations = [chance.lognormvariate(3, 2) for _ in range(20_000)]
    put(store, *(record(n, duration_ms=duration, arrived_ms=START_MS + n * 20) for n, duration in enumerate(durations)))
    assert len(read_metrics(store.connection)) == 7
    (row,) = read_metrics(store.connection, period_s=86_400)
    durations.sort()
    for percent in (50, 90, 95, 99):
        assert row[f"p{percent}_ms"] == pytest.approx(
            durations[math.ceil(len(durations) * percent / 100) - 1], rel=0.01
        )
    assert sum(count for _, count in row["histogram"]) == 20_000


@pytest.mark.parametrize("duration_ms", [0.0, 0.001, 0.01, 0.5, 1.0, 1.01, 999.0, 900_000.0])
def test_a_bucket_holds_its_duration(duration_ms: float) -> None:
    middle_ms = histogram.middle_ms(histogram.bucket(duration_ms))
    assert middle_ms == pytest.approx(duration_ms, rel=0.0051, abs=0.0101)


def test_metrics_in_pages_meet_every_period_once(store: RecordStore) -> None:
    put(store, *(record(n, arrived_ms=START_MS + n * 60_000, function="fg"[n % 2]) for n in range(300)))
    for period_s in (60, 600):
        since_ms, invocations, starts = 0, 0, []
        while page := read_metrics(store.connection, since_ms=since_ms, period_s=period_s, limit=7):
            invocations += sum(row["invocations"] for row in page)
            starts += [(row["start_ms"], row["function"]) for row in page]
            since_ms = page[-1]["start_ms"] + period_s * 1000
        assert invocations == 300
        assert len(set(starts)) == len(starts)
        assert starts == sorted(starts)


@pytest.mark.parametrize("period_s", [0, 1, 90, 86_460, -60])
def test_another_period_is_refused(store: RecordStore, period_s: int) -> None:
    with pytest.raises(ValueError, match="multiple of 60"):
        read_metrics(store.connection, period_s=period_s)


def test_a_flush_writes_a_bounded_number(store: RecordStore) -> None:
    for number in range(25):
        store.add(record(number))
    assert [(outcome.written, outcome.waiting) for outcome in (store.flush(10), store.flush(10), store.flush(10))] == [
        (10, 15),
        (10, 5),
        (5, 0),
    ]


def test_pruned_in_steps(store: RecordStore) -> None:
    day_ms = 86_400_000
    put(store, *(record(n, arrived_ms=START_MS + n * day_ms) for n in range(40)))
    now_ms = START_MS + 39 * day_ms
    assert store.prune(now_ms, days=30, budget_rows=5) == 5
    while store.prune(now_ms, days=30, budget_rows=5) == 5:
        pass
    assert len(read_records(store.connection)) == 31
    assert sum(row["invocations"] for row in read_metrics(store.connection)) == 31


def test_a_row_that_can_not_be_kept_does_not_hold_up_the_others(store: RecordStore) -> None:
    for one in (record(1), record(2, billed_ms=2**70), record(3), record(4, request_id=None), record(5)):
        store.add(one)
    outcome = store.flush()
    assert (outcome.written, outcome.waiting, outcome.dropped) == (3, 0, 2)
    assert outcome.error is not None
    assert "2 records can't be kept" in outcome.error
    assert [row["request_id"] for row in read_records(store.connection)] == ["r1", "r3", "r5"]
    assert sum(row["invocations"] for row in read_metrics(store.connection)) == 3


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = RecordStore(disk / "records.db", buffer_rows=1_000)
        put(store, record(0))
        ballast = fill(disk)
        for number in range(1, 1_501):
            store.add(record(number))
            if number % 100 == 0:
                outcome = store.flush()
        assert outcome.error is not None
        assert "full" in outcome.error
        assert outcome.waiting == 1_000
        ballast.unlink()
        outcome = store.flush()
        assert (outcome.error, outcome.written, outcome.waiting) == (None, 1_000, 0)
        assert len(read_records(store.connection)) == 1_001
        (row,) = read_metrics(store.connection)
        assert row["invocations"] == 1_001, "rows and minutes agree whatever failed between"
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store.close()


def test_what_is_dropped_is_counted_once(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.db", buffer_rows=3)
    for number in range(5):
        store.add(record(number))
    assert [store.flush().dropped, store.flush().dropped] == [2, 0]
    store.close()


def test_a_reader_is_not_held_up_by_the_writer(store: RecordStore, tmp_path: Path) -> None:
    put(store, record(1))
    reader = open_reader(tmp_path / "records.db", SCHEMA_VERSION)
    assert len(read_records(reader)) == 1
    store.add(record(2))
    store.connection.execute("BEGIN IMMEDIATE")
    assert len(read_records(reader)) == 1
    store.connection.execute("COMMIT")
    store.flush()
    assert len(read_records(reader)) == 2
    reader.close()
    with pytest.raises(StoreUnusable, match="can't be read"):
        open_reader(tmp_path / "nothing.db", SCHEMA_VERSION)


VICTIM = """
import sys
from pathlib import Path
from lambdanb.executor.record_store import RecordStore
from lambdanb.model.records import Record

store = RecordStore(Path(sys.argv[1]))
number = 0
while True:
    for _ in range(500):
        duration_ms = 1.0 + number % 90
        store.add(Record(f"r{number}", "f", "1", "e", number * 10, 0.0, None, duration_ms, 1, 128, 1, 1.0, False, "ok"))
        number += 1
    assert store.flush().error is None
    print(number, flush=True)
"""


def test_killed_between_flushes_rows_and_minutes_agree(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(path)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        acknowledged = [int(victim.stdout.readline()) for _ in range(10)]
        victim.send_signal(signal.SIGKILL)
    store = RecordStore(path)
    rows = read_records(store.connection, limit=10_000_000)
    assert len(rows) >= acknowledged[-1]
    assert len(rows) % 500 == 0
    metrics = read_metrics(store.connection, limit=1_000_000)
    assert sum(row["invocations"] for row in metrics) == len(rows)
    assert sum(row["duration_ms"] for row in metrics) == pytest.approx(sum(row["duration_ms"] for row in rows))
    store.close()
