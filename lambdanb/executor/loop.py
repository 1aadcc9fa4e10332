"""The executor's loop: one thread, one epoll, timers. Everything in the executor is a callback from here.

Callbacks must not block. One that raises is a defect: it is logged with its traceback and the loop goes on, since one
function's trouble must not become another's.
"""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lambdanb.executor.own_log import report_defect

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_LONGEST_WAIT_S = 3600.0
_MOST_A_ROUND = 256


@dataclass(order=True)
class Timer:
    """A call due at a time of the monotonic clock. `cancel` is free; the heap forgets it when it comes due."""

    due_s: float
    number: int
    callback: Callable[[], object] | None = field(compare=False)

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Readable and writable descriptors, timers, and what is to be done at the end of a round."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._numbers = itertools.count()
        self._soon: list[Callable[[], object]] = []
        self._running = True
        self._round: dict[int, int] = {}

    def watch(self, descriptor: int, callback: Callable[[int], None], events: int = READ) -> None:
        """Call `callback(events)` whenever the descriptor is ready. A second call changes what is watched."""
        if descriptor in self._callbacks:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._callbacks[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """Stop watching; do this before closing the descriptor."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_at(self, due_s: float, callback: Callable[[], object]) -> Timer:
        """Call at a time of `time.monotonic()`."""
        timer = Timer(due_s, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        return self.call_at(time.monotonic() + delay_s, callback)

    def at_end_of_round(self, callback: Callable[[], object]) -> None:
        """Call once, after the descriptors that are ready now have been served: the place to write in one go."""
        self._soon.append(callback)

    def may_be_ready(self, descriptor: int) -> bool:
        """False only if nothing was to be read from the descriptor when this round began: saves asking the kernel."""
        return descriptor in self._round or len(self._round) == _MOST_A_ROUND

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        callbacks = self._callbacks
        while self._running:
            self._round = dict(self._epoll.poll(self._wait_s(), _MOST_A_ROUND))
            for descriptor, events in self._round.items():
                callback = callbacks.get(descriptor)
                if callback is not None:
                    try:
                        callback(events)
                    except Exception:
                        report_defect()
            if self._timers:
                self._call_timers()
            while self._soon:
                soon, self._soon = self._soon, []
                for later in soon:
                    guarded(later)

    def _wait_s(self) -> float:
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_WAIT_S
        return min(max(self._timers[0].due_s - time.monotonic(), 0.0), _LONGEST_WAIT_S)

    def _call_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].due_s <= now:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                guarded(callback)


def guarded(callback: Callable[[], object]) -> None:
    """Call; a defect is written to the executor's own log instead of ending the loop."""
    try:
        callback()
    except Exception:
        report_defect()
