"""What MiniStack would do at each request is done now and then."""

from __future__ import annotations

from lambdanb.sources.emulated import seldom


def test_work_is_done_now_and_then() -> None:
    times = iter([100.0, 101.0, 110.9, 111.0, 120.0, 125.0])
    done: list[int] = []
    maybe = seldom(lambda: done.append(0), 10.0, lambda: next(times))
    seen = []
    for _ in range(5):
        maybe()
        seen.append(len(done))
    assert seen == [1, 1, 2, 2, 3]
