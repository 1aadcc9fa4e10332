"""The queue of event invocations: what is acknowledged is on disk, whatever ends the process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdanb.executor.event_queue import Depth, EventQueue, NewEvent
from lambdanb.model.database import StoreUnusable


def new(request_id: str, function: str = "f", at_ms: int = 1_000, payload: bytes = b"{}") -> NewEvent:
    return NewEvent(request_id, function, "live", payload, at_ms, 21_600, trigger="event", client_context='{"a": 1}')


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[EventQueue]:
    queue = EventQueue(tmp_path / "events.db", "first")
    yield queue
    queue.close()


def test_an_event_comes_out_as_it_went_in(queue: EventQueue) -> None:
    queue.enqueue([new("r1", payload=b'{"n": 1}\xff')])
    (event,) = queue.claim(1_000, 10)
    assert (event.request_id, event.function, event.qualifier) == ("r1", "f", "live")
    assert (event.payload, event.trigger, event.client_context) == (b'{"n": 1}\xff', "event", '{"a": 1}')
    assert (event.attempts, event.throttles, event.recoveries) == (0, 0, 0)
    assert event.expires_ms == 1_000 + 21_600_000


def test_only_what_is_due_is_claimed_and_only_once(queue: EventQueue) -> None:
    queue.enqueue([new("late", at_ms=2_000), new("early", at_ms=1_000)])
    assert [event.request_id for event in queue.claim(1_500, 10)] == ["early"]
    assert queue.claim(1_500, 10) == []
    assert queue.next_due_ms() == 2_000
    assert [event.request_id for event in queue.claim(2_000, 10)] == ["late"]
    assert queue.next_due_ms() is None


def test_a_retry_keeps_the_first_time_and_counts(queue: EventQueue) -> None:
    queue.enqueue([new("r1")])
    (event,) = queue.claim(1_000, 1)
    assert queue.reschedule(event.id, 61_000, attempts=1, throttles=4)
    assert queue.claim(60_999, 1) == []
    (again,) = queue.claim(61_000, 1)
    assert (again.enqueued_ms, again.attempts, again.throttles) == (1_000, 1, 4)
    assert queue.done([again.id]) == 1
    assert queue.done([again.id]) == 0
    assert not queue.reschedule(again.id, 1, attempts=2)


def test_one_function_can_be_claimed_alone(queue: EventQueue) -> None:
    queue.enqueue([new(f"f{n}") for n in range(100)] + [new("g0", "g")])
    assert queue.due_functions(1_000) == {"f": 100, "g": 1}
    assert [event.request_id for event in queue.claim(1_000, 10, function="g")] == ["g0"]


def test_a_claim_is_bounded_in_bytes(queue: EventQueue) -> None:
    queue.enqueue([new(str(n), payload=b"x" * 1000) for n in range(10)])
    assert len(queue.claim(1_000, 10, payload_bytes=3_500)) == 3
    assert len(queue.claim(1_000, 10, payload_bytes=1)) == 1
    assert len(queue.claim(1_000, 10)) == 6


def test_depths(queue: EventQueue) -> None:
    queue.enqueue([new("a", at_ms=500), new("b"), new("c", "g", at_ms=3_000)])
    queue.claim(600, 1)
    assert queue.depths() == {"f": Depth(1, 1, 500), "g": Depth(1, 0, 3_000)}


def test_deleting_a_function_forgets_what_is_queued(queue: EventQueue) -> None:
    queue.enqueue([new("a"), new("b"), new("c", "g")])
    (running,) = queue.claim(1_000, 1)
    assert queue.delete_function("f") == 1
    assert queue.depths() == {"f": Depth(0, 1, 1_000), "g": Depth(1, 0, 1_000)}
    assert queue.done([running.id]) == 1


def test_finished_events_leave_no_payload(queue: EventQueue, tmp_path: Path) -> None:
    queue.enqueue([new(str(n), payload=b"x" * 100_000) for n in range(30)])
    queue.done([event.id for event in queue.claim(1_000, 100)])
    for _ in range(5):
        queue.shrink()
    queue.close()
    with sqlite3.connect(tmp_path / "events.db") as connection:
        assert connection.execute("SELECT count(*) FROM payloads").fetchone() == (0,)
    connection.close()
    assert (tmp_path / "events.db").stat().st_size < 1_000_000


def test_what_was_in_flight_is_due_again(tmp_path: Path) -> None:
    first = EventQueue(tmp_path / "events.db", "first")
    first.enqueue([new("a"), new("b")])
    first.claim(1_000, 1)
    first.close()
    second = EventQueue(tmp_path / "events.db", "second")
    assert [event.request_id for event in second.claim(1_000, 10)] == ["b"]
    assert second.recover() == 1
    (event,) = second.claim(1_000, 10)
    assert (event.request_id, event.recoveries) == ("a", 1)
    assert second.recover() == 0, "its own are not made due again"
    second.close()


VICTIM = """
import sys
from pathlib import Path
from lambdanb.executor.event_queue import EventQueue, NewEvent

queue = EventQueue(Path(sys.argv[1]), "victim")
queue.enqueue([NewEvent(str(n), "f", None, b'{"n": %d}' % n, 1000, 60) for n in range(1000)])
print("acknowledged", flush=True)
queue.claim(1000, 300)
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("line", ["acknowledged", "claimed"])
def test_a_thousand_events_survive_a_kill(tmp_path: Path, line: str) -> None:
    path = tmp_path / "events.db"
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        while victim.stdout.readline() != f"{line}\n":
            assert victim.poll() is None
        os.kill(victim.pid, signal.SIGKILL)
    queue = EventQueue(path, "next")
    queue.recover()
    events = queue.claim(1_000, 2_000)
    assert sorted(int(event.request_id) for event in events) == list(range(1000))
    assert all(event.payload == b'{"n": %d}' % int(event.request_id) for event in events)
    queue.close()


def test_a_batch_is_queued_whole_or_not_at_all(queue: EventQueue) -> None:
    bad = NewEvent("b", "f", None, None, 1, 60)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        queue.enqueue([new("a"), bad])
    assert queue.depths() == {}
    queue.enqueue([new("a")])
    assert [event.request_id for event in queue.claim(1_000, 10)] == ["a"]


def test_another_version_s_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventQueue(path, "first").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(StoreUnusable, match=r"schema is 999, this one's is 1.*move the file away"):
        EventQueue(path, "second")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreUnusable, match=r"events\.db can't be opened: file is not a database.*move it away"):
        EventQueue(path, "first")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="can't be opened"):
        EventQueue(tmp_path / "nowhere" / "events.db", "first")
