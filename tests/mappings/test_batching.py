"""Which records make a batch, and when: no clock, no service."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lambdanb.model.mapping_limits import BATCH_BYTES
from lambdanb.sources.batching import ENVELOPE_BYTES, Cut, cut, window_start


@dataclass
class Item:
    body: bytes = b"{}"
    arrived_s: float = 1000.0
    read_s: float = 50.0


def items(count: int, body: bytes = b"{}") -> list[Item]:
    return [Item(body) for _ in range(count)]


def test_without_a_window_what_waits_goes_at_once() -> None:
    assert cut(items(1), now_s=50.0, batch_size=100) == Cut(1)
    assert cut([], now_s=50.0, batch_size=100) == Cut(0)


def test_never_more_than_the_batch_size() -> None:
    assert cut(items(101), now_s=50.0, batch_size=100) == Cut(100)
    assert cut(items(99), now_s=50.0, batch_size=100, batching_window_s=5) == Cut(0, 55.0)
    assert cut(items(100), now_s=50.0, batch_size=100, batching_window_s=5) == Cut(100)


def test_a_batching_window_is_waited_for_from_the_first_record_on() -> None:
    waiting = [Item(read_s=50.0), Item(read_s=54.0)]
    assert cut(waiting, now_s=54.9, batch_size=100, batching_window_s=5) == Cut(0, 55.0)
    assert cut(waiting, now_s=55.0, batch_size=100, batching_window_s=5) == Cut(2)


def test_6_mb_end_a_batch_before_it_is_full() -> None:
    body = b"x" * (1024 * 1024)
    count = (BATCH_BYTES - ENVELOPE_BYTES) // (len(body) + 1)
    assert count == 5
    assert cut(items(20, body), now_s=0.0, batch_size=100, batching_window_s=300) == Cut(count)
    assert cut(items(count, body), now_s=50.0, batch_size=100, batching_window_s=300) == Cut(0, 350.0)


def test_a_record_over_6_mb_goes_alone_and_not_never() -> None:
    assert cut(items(2, b"x" * (BATCH_BYTES + 1)), now_s=50.0, batch_size=100) == Cut(1)


def test_a_windows_state_takes_room() -> None:
    body = b"x" * (1024 * 1024)
    assert cut(items(20, body), now_s=50.0, batch_size=100, taken_bytes=1024 * 1024) == Cut(4)


def test_a_batch_is_of_one_tumbling_window() -> None:
    waiting = [Item(arrived_s=59.0), Item(arrived_s=59.9), Item(arrived_s=60.0)]
    assert cut(waiting, now_s=50.0, batch_size=100, batching_window_s=300, tumbling_window_s=30) == Cut(2)
    assert cut(waiting[2:], now_s=50.0, batch_size=100, batching_window_s=300, tumbling_window_s=30) == Cut(0, 350.0)


@pytest.mark.parametrize(("arrived_s", "start_s"), [(0.0, 0), (29.9, 0), (30.0, 30), (1_700_000_017.5, 1_700_000_010)])
def test_a_tumbling_window_is_told_by_the_arrival(arrived_s: float, start_s: int) -> None:
    assert window_start(arrived_s, 30) == start_s
    assert window_start(arrived_s, 0) == 0
