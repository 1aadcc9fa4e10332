"""Records and reports come back as they were written; the REPORT line is AWS's."""

from __future__ import annotations

import pytest

from lambdanb.model.records import COLUMNS, Record, Report, end_line, start_line

RECORD = Record(
    request_id="r1",
    function="f",
    version="$LATEST",
    environment_id="e1",
    arrived_ms=1_700_000_000_000.5,
    queued_ms=0.25,
    init_ms=None,
    duration_ms=1.5,
    billed_ms=2,
    memory_mb=128,
    max_memory_mb=31,
    cpu_ms=1.25,
    cold=False,
    status="ok",
)


def test_a_record_is_a_row() -> None:
    assert len(RECORD.values()) == len(COLUMNS) == 20
    assert dict(zip(COLUMNS, RECORD.values(), strict=True)) == RECORD.to_json()
    assert Record.from_json(RECORD.to_json()).values() == RECORD.values()


def test_log_lines() -> None:
    assert start_line("r1", "7") == "START RequestId: r1 Version: 7"
    assert start_line("r1").endswith("Version: $LATEST")
    assert end_line("r1") == "END RequestId: r1"


def test_report_line() -> None:
    assert Report("r1", 1.234, 2, 128, 31, 4.56).line() == (
        "REPORT RequestId: r1\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 31 MB\tInit Duration: 4.56 ms"
    )


@pytest.mark.parametrize(
    "report",
    [
        Report("r1", 1.23, 2, 128, 31),
        Report("r1", 1.23, 2, 128, 31, init_ms=4.56),
        Report("r1", 127.1, 154, 2048, 212, restore_ms=325.93, billed_restore_ms=26),
        Report("r1", 3000.0, 3000, 128, 31, status="timeout"),
        Report("r1", 5.0, 5, 128, 128, 80.5, status="error", error_type="Runtime.ExitError"),
    ],
)
def test_what_was_written_is_read(report: Report) -> None:
    assert Report.parse(report.line()) == report
    assert Report.parse(report.line() + "\n") == report


def test_lines_of_aws_are_read() -> None:
    line = (
        "REPORT RequestId: r1\tDuration: 306.34 ms\tBilled Duration: 610 ms\tMemory Size: 3009 MB\t"
        "Max Memory Used: 155 MB\tRestore Duration: 511.25 ms\tBilled Restore Duration: 303 ms\t\n"
        "XRAY TraceId: 1-2-3\tSegmentId: 4\tSampled: true\t\n"
    )
    assert Report.parse(line) == Report("r1", 306.34, 610, 3009, 155, restore_ms=511.25, billed_restore_ms=303)


@pytest.mark.parametrize(
    "line", ["", "END RequestId: r1", "REPORT RequestId: r1", "REPORT RequestId: r1\tDuration: x ms"]
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a REPORT line"):
        Report.parse(line)
