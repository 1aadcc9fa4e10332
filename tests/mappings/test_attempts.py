"""What follows a failure: retries, ages, halves, partial failures; no clock, no service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lambdanb.sources import attempts
from lambdanb.sources.attempts import EXHAUSTED, LONGEST_WAIT_S, TOO_OLD, Batch, Policy


@dataclass(frozen=True)
class Item:
    number: int
    arrived_s: float = 0.0


def items(count: int) -> list[Item]:
    return [Item(number) for number in range(count)]


@dataclass
class Run:
    """All that came of a batch."""

    invocations: list[list[int]]
    done: list[int]
    given_up: list[tuple[str, list[int], int]]
    waits: int


def run(
    count: int, policy: Policy, fails: Callable[[list[int]], int | bool], most: int = 1000, now_s: float = 0.0
) -> Run:
    """Go on until nothing is left. fails: whether an invocation with these fails, or the place of the lowest that did,
    counted from 1."""
    came = Run([], [], [], 0)
    batches: list[Batch[Item]] = [Batch(items(count))]
    while batches:
        assert len(came.invocations) < most
        batch = batches.pop(0)
        follows = attempts.before(batch, policy, now_s)
        if follows is None:
            numbers = [item.number for item in batch.records]
            came.invocations.append(numbers)
            batch.invocations += 1
            failed = fails(numbers)
            if failed is False:
                follows = attempts.succeeded(batch)
            elif failed is True:
                follows = attempts.failed(batch, policy)
            else:
                follows = attempts.reported(batch, failed - 1, policy)
        if follows.given_up:
            numbers = [item.number for item in follows.given_up]
            came.given_up.append((follows.condition, numbers, batch.invocations))
        came.done += [item.number for item in follows.done]
        came.waits += follows.waits
        batches[:0] = follows.batches
    return came


def test_success_is_done_with() -> None:
    assert run(3, Policy(), lambda _: False) == Run([[0, 1, 2]], [0, 1, 2], [], 0)


def test_a_failed_batch_is_tried_again_as_often_as_is_allowed() -> None:
    came = run(2, Policy(maximum_retry_attempts=2), lambda _: True)
    assert came.invocations == [[0, 1]] * 3
    assert came.given_up == [(EXHAUSTED, [0, 1], 3)]
    assert came.waits == 2
    assert came.done == [0, 1]


def test_no_retries() -> None:
    assert run(2, Policy(maximum_retry_attempts=0), lambda _: True).invocations == [[0, 1]]


def test_minus_one_is_forever() -> None:
    left = [500]

    def fails(_: list[int]) -> bool:
        left[0] -= 1
        return left[0] > 0

    came = run(2, Policy(), fails)
    assert len(came.invocations) == 500
    assert came.given_up == []


def test_a_poison_record_among_64_is_isolated_in_at_most_15_invocations() -> None:
    for poison in range(64):
        came = run(64, Policy(maximum_retry_attempts=2, bisect=True), lambda numbers, p=poison: p in numbers)
        assert len(came.invocations) <= 15
        assert came.given_up == [(EXHAUSTED, [poison], 3)]
        assert came.done == list(range(64))


def test_a_split_does_not_use_up_a_retry() -> None:
    came = run(4, Policy(maximum_retry_attempts=1, bisect=True), lambda numbers: 0 in numbers)
    assert came.invocations == [[0, 1, 2, 3], [0, 1], [0], [0], [1], [2, 3]]


def test_the_rest_after_the_lowest_failure_has_all_its_retries() -> None:
    """As AWS was seen to do it: MaximumRetryAttempts 3 is four invocations of the record that fails."""
    came = run(3, Policy(maximum_retry_attempts=3), lambda numbers: numbers.index(2) + 1 if 2 in numbers else False)
    assert came.invocations == [[0, 1, 2], [2], [2], [2], [2]]
    assert came.given_up == [(EXHAUSTED, [2], 4)]
    assert came.done == [0, 1, 2]


def test_the_lowest_failure_cuts_with_bisect_too() -> None:
    came = run(
        8,
        Policy(maximum_retry_attempts=0, bisect=True),
        lambda numbers: numbers.index(5) + 1 if 5 in numbers else False,
    )
    assert came.invocations[:2] == [[0, 1, 2, 3, 4, 5, 6, 7], [5, 6, 7]]
    assert came.given_up == [(EXHAUSTED, [5], 1)]
    assert came.done == list(range(8))


def test_the_first_record_reported_failed_the_whole_batch() -> None:
    came = run(2, Policy(maximum_retry_attempts=1), lambda _: 1)
    assert came.invocations == [[0, 1], [0, 1]]
    assert came.given_up == [(EXHAUSTED, [0, 1], 2)]


def test_what_is_too_old_is_given_up_before_it_is_invoked() -> None:
    records = [Item(0, 100.0), Item(1, 139.9), Item(2, 140.0), Item(3, 200.0)]
    follows = attempts.before(Batch(records, failures=1, invocations=1), Policy(maximum_record_age_s=60), 200.0)
    assert follows is not None
    assert [item.number for item in follows.given_up] == [0, 1]
    assert follows.done == follows.given_up
    assert follows.condition == TOO_OLD
    assert [[item.number for item in batch.records] for batch in follows.batches] == [[2, 3]]
    assert follows.batches[0].failures == 1
    assert attempts.before(Batch(records), Policy(maximum_record_age_s=100), 200.0) is None
    assert attempts.before(Batch(records), Policy(), 1e12) is None
    everything = attempts.before(Batch(records), Policy(maximum_record_age_s=60), 1000.0)
    assert everything is not None
    assert everything.batches == []


def test_waits_grow_to_a_bound() -> None:
    assert attempts.wait_s(1, 1.0) == attempts.FIRST_WAIT_S
    assert attempts.wait_s(3, 1.0) == attempts.FIRST_WAIT_S * 4
    assert attempts.wait_s(10_000, 1.0) == LONGEST_WAIT_S
    assert attempts.wait_s(10_000, 0.0) == LONGEST_WAIT_S / 2


@given(
    count=st.integers(1, 40),
    poison=st.sets(st.integers(0, 39)),
    retries=st.integers(0, 2),
    bisect=st.booleans(),
    partial=st.booleans(),
)
def test_every_record_is_done_once_and_in_order(
    count: int, poison: set[int], retries: int, bisect: bool, partial: bool
) -> None:
    def fails(numbers: list[int]) -> int | bool:
        bad = [place for place, number in enumerate(numbers, 1) if number in poison]
        return False if not bad else bad[0] if partial else True

    came = run(count, Policy(maximum_retry_attempts=retries, bisect=bisect), fails)
    assert came.done == list(range(count))
    lost = [number for _, numbers, _ in came.given_up for number in numbers]
    assert set(lost) >= poison & set(range(count))
    if bisect:
        assert set(lost) == poison & set(range(count))
