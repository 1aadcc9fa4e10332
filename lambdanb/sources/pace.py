"""How often a source is asked: a trade of the machine's time against the first record's wait, with the time handed in.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

from __future__ import annotations

REMOTE_PAUSE_S = 1.0
"""Between two reads of a shard that isn't on this machine, as Lambda does it: all of a shard's readers together have 5
reads a second."""

FIRST_CONCURRENCY = 5
GROWTH_PER_S = 300 / 60
MOST_CONCURRENCY = 1000


def pause_s(silent_s: float, *, local: bool) -> float:
    """Between two reads that found nothing. Of a source on this machine: a twentieth of how long nothing has come, from
    20 ms to 0.5 s, so that a busy stream is prompt and an idle one costs little: each read costs three processes some
    milliseconds."""
    return min(max(silent_s / 20, 0.02), 0.5) if local else REMOTE_PAUSE_S


class Concurrency:
    """How many batches of a queue may be under way: 5 at first, 5 more each second while all are busy, half as many
    after each failure or throttle; never over the mapping's maximum."""

    def __init__(self, maximum: int | None) -> None:
        self._most = MOST_CONCURRENCY if maximum is None else maximum
        self._allowed = float(min(FIRST_CONCURRENCY, self._most))
        self._busy_since_s: float | None = None

    def allowed(self, under_way: int, now_s: float) -> int:
        """How many may be under way now, of which so many are."""
        if under_way < int(self._allowed):
            self._busy_since_s = None
            if under_way == 0:
                self._allowed = min(self._allowed, float(FIRST_CONCURRENCY))
        elif self._busy_since_s is None:
            self._busy_since_s = now_s
        else:
            grown = (now_s - self._busy_since_s) * GROWTH_PER_S
            self._busy_since_s = now_s
            self._allowed = min(self._allowed + grown, float(self._most))
        return int(self._allowed)

    def failed(self) -> None:
        """A batch failed, or was throttled."""
        self._allowed = max(self._allowed / 2, 1.0)

    def succeeded(self) -> None:
        """A batch went through: what failures took away comes back, one by one."""
        self._allowed = max(self._allowed, min(self._allowed + 1, float(FIRST_CONCURRENCY), float(self._most)))
