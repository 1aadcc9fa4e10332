"""Placement's counters: who is let in, who isn't and for what reason, and that everything taken is given back."""

from __future__ import annotations

import random

import pytest

from lambdanb.executor.placement import Placement, TokenBucket, carried_memory_mb
from lambdanb.model.errors import TooManyRequestsException
from lambdanb.model.rules import PREVIEW_2014, TODAY

FULL = "ConcurrentInvocationLimitExceeded"
RESERVED_FULL = "ReservedFunctionConcurrentInvocationLimitExceeded"
TOO_FAST = "FunctionInvocationRateLimitExceeded"
RESERVED_TOO_FAST = "ReservedFunctionInvocationRateLimitExceeded"


def account(concurrency: int = 10, memory_mb: int = 10_000) -> Placement:
    return Placement(TODAY, concurrency, memory_mb, 0.0)


def enter(placement: Placement, name: str, times: int = 1, at_s: float = 0.0) -> None:
    for _ in range(times):
        placement.enter(name, at_s, synchronous=False)


def refused(placement: Placement, name: str, at_s: float = 0.0, *, synchronous: bool = False) -> str | None:
    """The reason for which an invocation isn't let in."""
    with pytest.raises(TooManyRequestsException) as raised:
        placement.enter(name, at_s, synchronous=synchronous)
    # A function that is stopped isn't worth waiting for.
    assert (raised.value.retry_after_s is None) == (placement.share(name).reserved == 0)
    return raised.value.reason


def test_account_s_concurrency_is_shared_and_given_back() -> None:
    placement = account(3)
    enter(placement, "a", 2)
    enter(placement, "b")
    assert refused(placement, "a") == FULL
    assert refused(placement, "c") == FULL
    placement.leave("b")
    enter(placement, "c")
    assert refused(placement, "b") == FULL


def test_reserved_is_kept_free_and_never_passed() -> None:
    placement = account(5)
    placement.reserve("own", 2, 0.0)
    enter(placement, "others", 3)
    assert refused(placement, "others") == FULL
    enter(placement, "own", 2)
    assert refused(placement, "own") == RESERVED_FULL
    placement.leave("own")
    assert refused(placement, "others") == FULL, "what is reserved is nobody else's, in use or not"
    enter(placement, "own")


def test_reserved_zero_stops_the_function() -> None:
    placement = account(5)
    placement.reserve("stopped", 0, 0.0)
    assert refused(placement, "stopped") == RESERVED_FULL
    assert refused(placement, "stopped", synchronous=True) == RESERVED_FULL
    assert placement.room("stopped") == 0
    placement.reserve("stopped", None, 0.0)
    enter(placement, "stopped", 5)


def test_provisioned_comes_out_of_the_unreserved_in_use_or_not() -> None:
    placement = account(5)
    placement.provision("ahead", 2)
    enter(placement, "others", 3)
    assert refused(placement, "others") == FULL
    enter(placement, "ahead", 2)
    assert refused(placement, "ahead") == FULL
    placement.leave("others")
    enter(placement, "ahead")  # over what is provisioned it takes of what all share


def test_reserving_while_invocations_run() -> None:
    placement = account(5)
    enter(placement, "own", 3)
    placement.reserve("own", 2, 0.0)
    assert refused(placement, "own") == RESERVED_FULL
    enter(placement, "others", 3)
    assert refused(placement, "others") == FULL
    placement.reserve("own", None, 0.0)
    for _ in range(3):
        placement.leave("own")
    for _ in range(3):
        placement.leave("others")
    assert placement.unreserved_taken == 0


def test_a_deleted_function_s_invocations_are_given_back_as_they_end() -> None:
    placement = account(3)
    placement.reserve("gone", 2, 0.0)
    enter(placement, "gone", 2)
    placement.forget("gone")
    enter(placement, "others")
    assert refused(placement, "others") == FULL
    placement.leave("gone")
    placement.leave("gone")
    enter(placement, "others", 2)


def test_room_says_what_enter_does() -> None:
    """Whatever happens in whatever order, `room` and `enter` agree, and nothing is lost or made."""
    rng = random.Random(2026)
    placement = account(12)
    running: list[str] = []
    for _ in range(20_000):
        name = rng.choice("abc")
        action = rng.random()
        if action < 0.45:
            room = placement.room(name)
            if room > 0:
                enter(placement, name)
                running.append(name)
            else:
                refused(placement, name)
        elif action < 0.9 and running:
            placement.leave(running.pop(rng.randrange(len(running))))
        elif action < 0.95:
            placement.reserve(name, rng.choice([None, 0, 1, 3]), 0.0)
        else:
            placement.provision(name, rng.choice([0, 1, 2]))
        for share_name, share in placement.shares.items():
            assert share.in_flight == running.count(share_name)
        assert placement.unreserved_taken == sum(share.taken for share in placement.shares.values())
    for name in running:
        placement.leave(name)
    for name in "abc":
        placement.forget(name)
    assert (placement.unreserved_taken, placement.reserved) == (0, 0)


def test_growth_is_1000_in_10_s_refilled_continuously_and_not_saved_up() -> None:
    placement = account()
    for _ in range(1000):
        placement.grow("f", 0.0)
    with pytest.raises(TooManyRequestsException) as raised:
        placement.grow("f", 0.0)
    assert raised.value.reason == TOO_FAST
    placement.grow("another", 0.0)  # each function has its own
    for _ in range(100):
        placement.grow("f", 1.0)  # 100 a second come back
    with pytest.raises(TooManyRequestsException):
        placement.grow("f", 1.0)
    for _ in range(1000):
        placement.grow("f", 3600.0)
    with pytest.raises(TooManyRequestsException):
        placement.grow("f", 3600.0)


def test_2014_s_rules_know_no_growth_nor_rate() -> None:
    placement = Placement(PREVIEW_2014, PREVIEW_2014.concurrency, 10_000, 0.0)
    for _ in range(5000):
        placement.grow("f", 0.0)
        placement.enter("f", 0.0, synchronous=True)
        placement.leave("f")
    enter(placement, "f", 25)
    assert refused(placement, "f") == FULL


def test_synchronous_rate_is_ten_times_the_concurrency() -> None:
    placement = account(2)
    for _ in range(20):
        placement.enter("f", 0.0, synchronous=True)
        placement.leave("f")
    assert refused(placement, "f", synchronous=True) == TOO_FAST
    enter(placement, "f")  # events have no rate
    placement.leave("f")
    for _ in range(2):
        placement.enter("f", 0.1, synchronous=True)
        placement.leave("f")
    assert refused(placement, "f", 0.1, synchronous=True) == TOO_FAST


def test_reserved_function_has_a_rate_of_its_own() -> None:
    placement = account(10)
    placement.reserve("own", 1, 0.0)
    for _ in range(10):
        placement.enter("own", 0.0, synchronous=True)
        placement.leave("own")
    assert refused(placement, "own", synchronous=True) == RESERVED_TOO_FAST
    placement.enter("another", 0.0, synchronous=True)


def test_other_rules_keep_what_is_under_way() -> None:
    placement = account(1000)
    enter(placement, "f", 30)
    placement.change_rules(PREVIEW_2014, 25)
    assert refused(placement, "f") == FULL
    for _ in range(6):
        placement.leave("f")
    enter(placement, "f")
    assert placement.share("f").growth is None


def test_memory() -> None:
    placement = account(memory_mb=1000)
    placement.used_memory_mb = 900
    assert placement.fits(100)
    assert not placement.fits(101)


def test_the_machine_carries_less_than_it_has() -> None:
    with open("/proc/meminfo", encoding="ascii") as file:
        total_mb = int(file.readline().split()[1]) // 1024
    assert 0 < carried_memory_mb() <= 0.9 * total_mb


def test_token_bucket_tells_when_to_come_back() -> None:
    bucket = TokenBucket(4.0, 1.0, 0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == pytest.approx(0.25)
    assert bucket.take(0.25) == 0.0
