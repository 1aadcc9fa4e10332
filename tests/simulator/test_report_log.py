"""Real logs are read in each form in which AWS gives them out; what can't be read is counted, or told where it is."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lambdanb.model.records import Report
from lambdanb.simulator.profile import Profile
from lambdanb.simulator.report_log import read_cloudwatch, read_report_log

IDS = [f"{n}d68ca91-49c9-448d-89b8-7ca3e6dc66aa" for n in range(6)]
COLD = Report(IDS[0], 102.25, 103, 128, 36, init_ms=241.5)
WARM = Report(IDS[1], 1.75, 2, 128, 36)
RESTORED = Report(IDS[2], 12.5, 30, 512, 90, restore_ms=325.93, billed_restore_ms=17)
TIMEOUT = Report(IDS[3], 3000.0, 3000, 128, 36, status="timeout")
CRASH = Report(IDS[4], 80.0, 80, 128, 128, status="error", error_type="Runtime.ExitError")
REPORTS = [COLD, WARM, RESTORED, TIMEOUT, CRASH]


def log_lines(reports: list[Report]) -> list[str]:
    """As Lambda writes them: START, the function's own lines, END, REPORT with a tab at its end."""
    lines = []
    for each in reports:
        lines += [f"START RequestId: {each.request_id} Version: $LATEST", "[INFO] {not json}, a line of its own"]
        lines += [f"END RequestId: {each.request_id}", each.line() + "\t", ""]
    return [line + "\n" for line in lines]


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "thumbnail.log"
    path.write_text("".join(log_lines(REPORTS)))
    log = read_report_log(path)
    assert log.reports == REPORTS
    assert (log.lines, log.unused) == (25, [])
    assert log.summary() == "thumbnail.log: 5 REPORT lines of 25 lines"
    assert read_report_log(str(path)).reports == REPORTS


def test_lines() -> None:
    assert read_report_log(log_lines(REPORTS)).reports == REPORTS


def test_a_log_that_begins_with_a_bracket(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("[INFO] hello\n" + WARM.line())
    assert read_report_log(path).reports == [WARM]


def test_lines_with_a_timestamp_and_the_stream_before_them() -> None:
    """As `aws logs tail` and the console's CSV have them."""
    tail = f"2026-01-05T08:00:00.000000+00:00 2026/01/05/[$LATEST]aabb {COLD.line()}\t"
    csv = f'1767600000000,"{WARM.line()}\t\n"'
    assert read_report_log([tail, csv]).reports == [COLD, WARM]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_export_of_the_cli(tmp_path: Path, indent: int | None, zipped: bool) -> None:
    events = [{"logStreamName": "s", "timestamp": 1, "message": line} for line in log_lines(REPORTS)]
    text = json.dumps({"events": events, "searchedLogStreams": []}, indent=indent).encode()
    path = tmp_path / "export.json"
    path.write_bytes(gzip.compress(text) if zipped else text)
    assert read_report_log(path).reports == REPORTS


def test_a_gzipped_text_file_by_its_content_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "000000"
    path.write_bytes(gzip.compress("".join(log_lines(REPORTS)).encode()))
    assert read_report_log(path).reports == REPORTS


def platform_report(record: dict[str, Any]) -> str:
    return json.dumps({"time": "2026-01-05T08:00:00.000Z", "type": "platform.report", "record": record})


def test_the_json_log_format(tmp_path: Path) -> None:
    metrics = {"durationMs": 693.92, "billedDurationMs": 1092, "memorySizeMB": 128, "maxMemoryUsedMB": 84}
    lines = [
        json.dumps({"time": "t", "type": "platform.start", "record": {"requestId": "a"}}),
        json.dumps({"message": 'mine, that mentions "platform.report"'}),
        platform_report({"requestId": "a", "metrics": metrics | {"initDurationMs": 397.68}, "status": "success"}),
        platform_report({"requestId": "b", "metrics": metrics, "status": "timeout"}),
        platform_report({"requestId": "c", "metrics": metrics, "status": "error", "errorType": "Runtime.ExitError"}),
        platform_report({"requestId": "d", "metrics": {"durationMs": 1}}),
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines))
    log = read_report_log(path)
    assert log.reports == [
        Report("a", 693.92, 1092, 128, 84, init_ms=397.68),
        Report("b", 693.92, 1092, 128, 84, status="timeout"),
        Report("c", 693.92, 1092, 128, 84, status="error", error_type="Runtime.ExitError"),
    ]
    assert [number for number, _ in log.unused] == [6]


def test_a_timeout_of_before_2023_stands_on_a_line_of_its_own() -> None:
    old = Report(IDS[3], 3003.17, 3000, 128, 36)
    lines = [old.line(), f"2021-05-01T10:00:03.000Z {IDS[3]} Task timed out after 3.00 seconds", WARM.line()]
    assert [each.status for each in read_report_log(lines).reports] == ["timeout", None]


def test_lines_that_are_cut_off_are_counted_and_told() -> None:
    log = read_report_log([WARM.line(), WARM.line()[:70], "hello", "REPORT RequestId: x"])
    assert log.reports == [WARM]
    assert [number for number, _ in log.unused] == [2, 4]
    assert log.summary().startswith("the lines given: 1 REPORT lines of 4 lines; 2 couldn't be read (line 2: 'REPORT ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"events": [{"message": "RE', "log is no whole JSON document: .* line 1"),
        (b'{"events": 5}', 'log is JSON, but has no "events"'),
        (b'{"events": [{"message": "a"}, {"text": "b"}]}', "log: event 1 has no message"),
        (gzip.compress(b"REPORT" * 1000)[:-20], "log is no whole gzip file"),
        (b"\x1f\x8bnot gzip at all", "log is no whole gzip file"),
        (b"\x00\xff\xfe", "log is no text in UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        read_report_log(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_report_log(tmp_path / "none.log")


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ModuleNotFoundError, match="pip install boto3"):
        read_cloudwatch("/aws/lambda/thumbnail")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="start is 2026-01-05T00:00:00 without a time zone"):
        read_cloudwatch("/aws/lambda/thumbnail", start=datetime(2026, 1, 5))


class Logs(HTTPServer):
    """CloudWatch Logs over HTTP: FilterLogEvents in pages of two messages; of any other log group, AWS's error."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[dict[str, Any]] = []
        self.messages = [each.line() + "\t\n" for each in REPORTS]

    def answer(self, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(question)
        if question["logGroupName"] != "/aws/lambda/thumbnail":
            return 400, {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
        start = int(question.get("nextToken", "0"))
        events = [{"message": each, "timestamp": 1, "logStreamName": "s"} for each in self.messages[start : start + 2]]
        more = {"nextToken": str(start + 2)} if start + 2 < len(self.messages) else {}
        return 200, {"events": events, **more}


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Logs)
        assert self.headers["X-Amz-Target"] == "Logs_20140328.FilterLogEvents"
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(question)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the tests' output."""


@pytest.fixture
def logs() -> Iterator[Logs]:
    with Logs() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(logs: Logs) -> Any:
    """boto3's own client, that speaks to the endpoint above."""
    boto3 = pytest.importorskip("boto3")
    return boto3.client(
        "logs",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{logs.server_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_cloudwatch_is_read_page_by_page(logs: Logs, client: Any) -> None:
    start, end = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    log = read_cloudwatch("/aws/lambda/thumbnail", start=start, end=end, client=client)
    assert log.reports == REPORTS
    assert log.source == "/aws/lambda/thumbnail"
    assert [each.get("nextToken") for each in logs.asked] == [None, "2", "4"]
    assert logs.asked[0]["startTime"] == 1_767_571_200_000
    assert logs.asked[0]["endTime"] == 1_767_657_600_000
    assert '?"REPORT RequestId"' in logs.asked[0]["filterPattern"]


def test_a_profile_from_cloudwatch(client: Any) -> None:
    profile = Profile.from_cloudwatch("/aws/lambda/thumbnail", client=client)
    assert profile.name == "thumbnail"
    assert profile.at(128).init_ms.tolist() == [241.5]


def test_a_log_group_that_is_not_there_is_told_in_awss_words(client: Any) -> None:
    with pytest.raises(Exception, match="The specified log group does not exist"):
        read_cloudwatch("/aws/lambda/nothing", client=client)
