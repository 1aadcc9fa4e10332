"""How far a shard has been read and dealt with: plain data, no clock and no service.

Records come in the shard's order and go to lanes by their key (ParallelizationFactor of them), so that the records of
one key are one lane's. A lane deals with its records in order; lanes run beside each other. The checkpoint is the last
record before the first one that isn't dealt with; besides, each lane remembers its own last one, so that after a
restart what a faster lane had done already isn't done again.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Record:
    """A record of a stream on its way to a function.

    number      the sequence number as a number: they grow within a shard
    arrived_s   when it came to the stream, seconds since 1970
    read_s      when it was read, on the monotonic clock
    body        its JSON in the event
    passes      whether the mapping's filters let it through
    """

    sequence_number: str
    key: str
    arrived_s: float
    read_s: float
    body: bytes
    passes: bool = True
    done: bool = False
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = int(self.sequence_number)


def lane_of(key: str, lanes: int) -> int:
    """The lane of a key, the same in every process."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % lanes if lanes > 1 else 0


class Progress:
    """One shard's records under way.

    position    the checkpoint's sequence number: all up to it is done with; None: nothing is
    lanes       for each lane what waits for it, in order
    """

    def __init__(self, factor: int, position: str | None = None, lane_ends: Sequence[int] = ()) -> None:
        self.position = position
        self.lanes: list[deque[Record]] = [deque() for _ in range(factor)]
        first = -1 if position is None else int(position)
        self._lane_ends = [max(first, end) for end in lane_ends] or [first] * factor
        self._order: deque[Record] = deque()
        self.waiting = 0
        self.waiting_bytes = 0

    def add(self, records: Iterable[Record]) -> bool:
        """Take what was read, in order. Returns whether the checkpoint moved: over what is done already or filtered."""
        for record in records:
            lane = lane_of(record.key, len(self.lanes))
            self._order.append(record)
            if not record.passes or record.number <= self._lane_ends[lane]:
                record.done = True
                record.body = b""
            else:
                self.lanes[lane].append(record)
                self.waiting += 1
                self.waiting_bytes += len(record.body)
        return self._advance()

    def take(self, lane: int, count: int) -> list[Record]:
        """The first records that wait for a lane, out of its queue."""
        return [self.lanes[lane].popleft() for _ in range(count)]

    def finish(self, lane: int, records: Sequence[Record]) -> bool:
        """These of the lane are dealt with, or given up. Returns whether the checkpoint moved."""
        for record in records:
            record.done = True
            self.waiting -= 1
            self.waiting_bytes -= len(record.body)
            record.body = b""
        if records:
            self._lane_ends[lane] = records[-1].number
        return self._advance()

    @property
    def behind(self) -> int:
        """Records that were read, and stand behind the checkpoint: 0 when all are dealt with."""
        return len(self._order)

    def lane_ends(self) -> list[int]:
        """The number of each lane's last record that is dealt with."""
        return list(self._lane_ends)

    def _advance(self) -> bool:
        moved = False
        while self._order and self._order[0].done:
            self.position = self._order.popleft().sequence_number
            moved = True
        return moved
