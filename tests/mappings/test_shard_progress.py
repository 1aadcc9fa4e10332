"""Lanes and checkpoints: order per key, and what a restart does again; no clock, no service."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from lambdanb.sources.lineage import Shard, newest, readable
from lambdanb.sources.progress import Progress, Record, lane_of


def record(number: int, key: str, *, passes: bool = True) -> Record:
    return Record(str(number), key, 0.0, 0.0, b"{}", passes)


def test_a_key_has_one_lane_and_keys_spread() -> None:
    lanes = [lane_of(f"key-{n}", 10) for n in range(1000)]
    assert lanes == [lane_of(f"key-{n}", 10) for n in range(1000)]
    assert set(lanes) == set(range(10))
    assert {lane_of(f"key-{n}", 1) for n in range(100)} == {0}


def test_the_checkpoint_is_the_last_before_the_first_that_is_not_done() -> None:
    progress = Progress(2)
    keys = {lane_of(key, 2): key for key in ("a", "b", "c", "d", "e")}
    progress.add([record(10, keys[0]), record(11, keys[1]), record(12, keys[0]), record(13, keys[1])])
    slow, fast = progress.take(0, 2), progress.take(1, 2)
    assert not progress.finish(1, fast)
    assert progress.position is None
    assert progress.finish(0, slow[:1])
    assert progress.position == "11"
    assert progress.finish(0, slow[1:])
    assert progress.position == "13"
    assert progress.behind == progress.waiting == progress.waiting_bytes == 0


def test_filtered_records_move_the_checkpoint() -> None:
    progress = Progress(1)
    assert progress.add([record(1, "a", passes=False), record(2, "a", passes=False)])
    assert progress.position == "2"
    assert not progress.add([record(3, "a"), record(4, "a", passes=False)])
    progress.finish(0, progress.take(0, 1))
    assert progress.position == "4"


def test_sequence_numbers_are_numbers() -> None:
    progress = Progress(1, "9")
    progress.add([record(8, "a"), record(9, "a"), record(10, "a")])
    assert [each.sequence_number for each in progress.lanes[0]] == ["10"]


@given(
    keys=st.lists(st.integers(0, 7), min_size=1, max_size=60),
    factor=st.integers(1, 10),
    seed=st.integers(0, 2**32),
    kills=st.integers(0, 4),
)
def test_each_record_once_and_in_order_per_key_over_restarts(
    keys: list[int], factor: int, seed: int, kills: int
) -> None:
    """Lanes go on at random; a restart reads again behind the checkpoint, and hands over nothing that was done."""
    chance = random.Random(seed)
    stream = [(number, f"key-{key}") for number, key in enumerate(keys, 100)]
    progress = Progress(factor)
    progress.add(record(number, key) for number, key in stream)
    handled: list[tuple[str, int]] = []
    deaths = sorted(chance.sample(range(len(stream) + 4), kills))
    step = 0
    while progress.behind:
        step += 1
        if deaths and step >= deaths[0]:
            deaths.pop(0)
            position, ends = progress.position, progress.lane_ends()
            progress = Progress(factor, position, ends)
            after = 0 if position is None else int(position)
            progress.add(record(number, key) for number, key in stream if number > after)
            continue
        lane = chance.choice([n for n, waiting in enumerate(progress.lanes) if waiting])
        batch = progress.take(lane, min(chance.randint(1, 4), len(progress.lanes[lane])))
        handled += [(each.key, each.number) for each in batch]
        progress.finish(lane, batch)
    assert sorted(number for _, number in handled) == [number for number, _ in stream]
    for key in set(dict(handled)):
        mine = [number for each, number in handled if each == key]
        assert mine == sorted(mine)


def test_parents_are_read_before_their_children() -> None:
    shards = [Shard("1"), Shard("2"), Shard("3", ("1",)), Shard("4", ("1", "2")), Shard("5", ("3", "4"))]
    assert [shard.id for shard in readable(shards, ())] == ["1", "2"]
    assert [shard.id for shard in readable(shards, ("1",))] == ["2", "3"]
    assert [shard.id for shard in readable(shards, ("1", "2"))] == ["3", "4"]
    assert [shard.id for shard in readable(shards, ("1", "2", "3"))] == ["4"]
    assert [shard.id for shard in readable(shards, ("1", "2", "3", "4"))] == ["5"]


def test_parents_that_are_listed_no_more_hold_nobody_up() -> None:
    assert [shard.id for shard in readable([Shard("3", ("1", "2"))], ())] == ["3"]


def test_latest_begins_at_shards_without_children() -> None:
    assert [shard.id for shard in newest([Shard("1"), Shard("2", ("1",)), Shard("3", ("1",)), Shard("4")])] == [
        *("2", "3", "4"),
    ]
