"""Logs: appended, flushed, read newest first, followed, pruned; a full disk and a killed writer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import fill, small_disk

from lambdanb.executor.log_reader import LogPage, read, read_after
from lambdanb.executor.logs import LogStore, log_stream_name, segments

STREAM = "2026/11/23/[$LATEST]" + "ab" * 16


def texts(page: LogPage) -> list[str]:
    return [line["text"] for line in page.lines]


def written(directory: Path, count: int, function: str = "f", **sizes: int) -> LogStore:
    """A log of `count` lines "line 0", ..., of ten lines a request, a second apart."""
    store = LogStore(directory, **sizes)
    for number in range(count):
        store.append(function, STREAM, f"request-{number // 10}", 1_000_000 + number * 1000, b"line %d" % number)
        if number % 100 == 99:
            store.flush()
    store.flush()
    return store


def test_stream_names_are_aws_s() -> None:
    name = log_stream_name("$LATEST", "0f" * 16, 1_795_474_304_000)
    assert re.fullmatch(r"2026/11/23/\[\$LATEST\](0f){16}", name)


def test_a_line_comes_out_as_it_went_in(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    store.append("f", STREAM, None, 1_000, 'quote " backslash \\ tab \t umlaut ü nul \0 end'.encode())
    store.append("f", STREAM, "r1", 1_001, b"bad \xff\xfe bytes")
    store.append("g", STREAM, "r2", 1_002, b"another function's")
    assert store.flush().written == 3
    first, second = read(tmp_path, "f").lines
    assert first == {
        "time_ms": 1_000,
        "request_id": None,
        "stream": STREAM,
        "text": 'quote " backslash \\ tab \t umlaut ü nul \0 end',
    }
    assert second["text"] == "bad \ufffd\ufffd bytes"
    assert texts(read(tmp_path, "nothing")) == []


def test_text_of_several_lines_becomes_lines(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    store.append("f", STREAM, "r", 1, b"one\ntwo\n\nfour\n")
    store.append("f", STREAM, "r", 1, b"x" * 600_000)
    store.flush()
    lines = texts(read(tmp_path, "f"))
    assert lines[:4] == ["one", "two", "", "four"]
    assert [len(line) for line in lines[4:]] == [262_144, 262_144, 75_712]


def test_newest_first_in_pages_meets_every_line_once(tmp_path: Path) -> None:
    written(tmp_path, 2_500, segment_bytes=20_000)
    assert len(segments(tmp_path, "f")) > 5
    pages = [read(tmp_path, "f", limit=700)]
    assert texts(pages[0]) == [f"line {number}" for number in range(1_800, 2_500)]
    while pages[-1].older is not None:
        pages.append(read(tmp_path, "f", limit=700, before=pages[-1].older))
    whole = [text for page in reversed(pages) for text in texts(page)]
    assert whole == [f"line {number}" for number in range(2_500)]


def test_a_small_scan_still_gets_through(tmp_path: Path) -> None:
    written(tmp_path, 3_000, segment_bytes=2_000_000)
    page = read(tmp_path, "f", request_id="request-3", scan_bytes=1)
    assert texts(page) == [], "it looked at its share, and says where to go on"
    steps = 1
    while page.older is not None and not page.lines:
        page = read(tmp_path, "f", request_id="request-3", scan_bytes=1, before=page.older)
        steps += 1
    assert steps < 20
    assert texts(page)[-1] == "line 39"


def test_by_request_stream_and_time(tmp_path: Path) -> None:
    store = written(tmp_path, 1_000, segment_bytes=30_000)
    store.append("f", "other", None, 2_000_000, b'a line that names "request-7"')
    store.flush()
    assert texts(read(tmp_path, "f", request_id="request-7")) == [f"line {number}" for number in range(70, 80)]
    assert texts(read(tmp_path, "f", request_id="request-")) == []
    assert texts(read(tmp_path, "f", stream="other")) == ['a line that names "request-7"']
    at = 1_000_000
    assert texts(read(tmp_path, "f", since_ms=at + 990_000, until_ms=at + 992_000)) == [
        "line 990",
        "line 991",
        "line 992",
    ]


def test_lines_longer_than_a_block(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    expected = []
    for number in range(8):
        text = b"%d" % number * 250_000 if number % 2 else b"\x01" * 200_000
        expected.append(text.decode())
        store.append("f", STREAM, f"r{number}", number, text)
    store.flush()
    assert texts(read(tmp_path, "f")) == expected
    assert texts(read(tmp_path, "f", request_id="r4")) == [expected[4]]


def test_following(tmp_path: Path) -> None:
    store = written(tmp_path, 10, segment_bytes=1_000)
    place = read(tmp_path, "f", limit=1).newer
    assert read_after(tmp_path, "f", place).lines == []
    seen: list[str] = []
    for number in range(50):
        store.append("f", STREAM, "r", 5_000_000 + number, b"new %d" % number)
        store.flush()
        page = read_after(tmp_path, "f", place)
        place = page.newer
        seen += texts(page)
    assert seen == [f"new {number}" for number in range(50)]
    assert len(texts(read_after(tmp_path, "f", "0:0"))) == 60
    page = read_after(tmp_path, "f", "0:0", limit=55)
    assert len(page.lines) == 55
    assert len(read_after(tmp_path, "f", page.newer).lines) == 5


def test_following_goes_on_after_the_log_was_deleted(tmp_path: Path) -> None:
    store = written(tmp_path, 500, segment_bytes=1_000)
    place = read(tmp_path, "f").newer
    store.append("f", STREAM, "r", 1, b"waiting when the function is deleted")
    store.delete("f")
    store.flush()
    assert read(tmp_path, "f").lines == []
    store.append("f", STREAM, "r", 1, b"anew")
    store.flush()
    assert texts(read_after(tmp_path, "f", place)) == ["anew"]


def test_half_a_line_of_a_killed_writer_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, 20)
    (segment,) = segments(tmp_path, "f")
    os.truncate(segment, segment.stat().st_size - 15)
    assert texts(read(tmp_path, "f"))[-1] == "line 18"
    place = read(tmp_path, "f").newer
    store = LogStore(tmp_path)
    store.append("f", STREAM, "r", 9_000_000, b"after the restart")
    store.flush()
    assert texts(read(tmp_path, "f"))[-2:] == ["line 18", "after the restart"]
    assert texts(read_after(tmp_path, "f", place)) == ["after the restart"]


def test_garbage_in_a_segment_is_passed_over(tmp_path: Path) -> None:
    store = written(tmp_path, 3)
    (segment,) = segments(tmp_path, "f")
    with segment.open("ab") as file:
        file.write(b'\0\0\0\n[1]\n{"time_ms": "x"}\nnull\n\n')
    store.append("f", STREAM, "r", 9_000_000, b"good")
    store.flush()
    assert texts(read(tmp_path, "f")) == ["line 0", "line 1", "line 2", "good"]


def test_files_are_the_owner_s_alone_and_plain_json(tmp_path: Path) -> None:
    written(tmp_path / "logs", 3)
    (segment,) = segments(tmp_path / "logs", "f")
    assert segment.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    assert [json.loads(line)["text"] for line in segment.read_text().splitlines()] == ["line 0", "line 1", "line 2"]


@pytest.mark.parametrize("name", ["../f", "", ".", "..", "a/b"])
def test_a_log_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no function's name"):
        read(tmp_path, name)


def test_pruned_by_size_oldest_first(tmp_path: Path) -> None:
    store = written(tmp_path, 2_000, segment_bytes=10_000)
    written(tmp_path, 10, "small")
    before = sum(segment.stat().st_size for segment in segments(tmp_path, "f"))
    freed = store.prune(0, max_bytes=50_000)
    left = sum(segment.stat().st_size for segment in segments(tmp_path, "f"))
    assert (left <= 50_000, before - left) == (True, freed)
    assert texts(read(tmp_path, "f"))[-1] == "line 1999"
    assert len(read(tmp_path, "small").lines) == 10
    store.prune(0, max_bytes=0)
    assert len(segments(tmp_path, "f")) == 1, "what is being written stays"


def test_pruned_by_age(tmp_path: Path) -> None:
    store = written(tmp_path, 300, segment_bytes=10_000)
    oldest, *others = segments(tmp_path, "f")
    for segment in others:
        os.utime(segment, (900_000, 900_000))
    os.utime(oldest, (100, 100))
    store.prune(900_000_000 + 86_400_000 * 10, max_age_days=10)
    assert segments(tmp_path, "f") == others
    store.prune(900_000_000 + 86_400_000 * 11, max_age_days=10)
    assert segments(tmp_path, "f") == []
    store.append("f", STREAM, "r", 1, b"the writer goes on in a new segment")
    assert store.flush().error is None
    assert len(read(tmp_path, "f").lines) == 1


def test_a_flush_writes_a_bounded_amount(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    for number in range(100):
        store.append("f", STREAM, "r", number, b"x" * 10_000)
    first = store.flush(budget_bytes=100_000)
    assert (first.error, first.written, first.waiting) == (None, 10, 90)
    while store.flush(budget_bytes=100_000).waiting:
        pass
    assert [line["time_ms"] for line in read(tmp_path, "f").lines] == list(range(100))


def test_a_flood_is_bounded_and_told(tmp_path: Path) -> None:
    store = LogStore(tmp_path, buffer_bytes=10_000)
    for number in range(100):
        store.append("f", STREAM, "r", number, b"x" * 800)
    outcome = store.flush()
    assert (outcome.written, outcome.dropped) == (10, 90)
    store.append("f", STREAM, "r", 200, b"room again")
    assert store.flush().dropped == 0
    assert any("90 pieces of log lost here" in text for text in texts(read(tmp_path, "f")))


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = LogStore(disk / "logs", buffer_bytes=1_000_000)
        store.append("f", STREAM, "r", 1, b"before")
        assert store.flush().error is None
        ballast = fill(disk)
        for number in range(20):
            store.append("f", STREAM, "r", 2 + number, b"%d" % number * 500)
            store.append("new-function", STREAM, "r", 2 + number, b"its folder can't be made")
            outcome = store.flush()
        assert outcome.error is not None
        assert "No space left on device" in outcome.error
        assert "can't be written" in outcome.error
        assert outcome.waiting > 0
        assert outcome.dropped == 0
        ballast.unlink()
        assert store.flush().error is None
        assert [line["time_ms"] for line in read(disk / "logs", "f").lines] == list(range(1, 22))
        assert len(read(disk / "logs", "new-function").lines) == 20


LIMITED = """
import resource, sys
from pathlib import Path
from lambdanb.executor.logs import LogStore
from lambdanb.executor.log_reader import read

directory = Path(sys.argv[1])
store = LogStore(directory)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
for number in range(100):
    store.append("f", "s", "r", number, b"x" * 300)
    outcome = store.flush()
assert outcome.error and "File too large" in outcome.error, outcome
shown = [line["time_ms"] for line in read(directory, "f").lines]
assert shown == list(range(len(shown))) and shown, shown
assert outcome.waiting == 100 - len(shown), (outcome, len(shown))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert store.flush().error is None
assert [line["time_ms"] for line in read(directory, "f").lines] == list(range(100))
"""


def test_a_write_cut_short_is_not_seen_and_not_repeated(tmp_path: Path) -> None:
    """The file-size limit ends a write in its middle, as a disk does that fills up; any user may set it."""
    subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], check=True)
