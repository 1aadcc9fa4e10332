"""Event source mappings, as the simulator takes them: a function's invocations are batches of a stream's or a queue's
records.

Source: "Event source mappings", "Kinesis", "DynamoDB" and "SQS: scaling" in the developer guide of AWS Lambda; limits:
`model.mapping_limits`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lambdanb.model.mapping_limits import BATCHING_WINDOW_S, QUEUE, QUEUE_BATCH_WITHOUT_WINDOW, STREAM
from lambdanb.model.numbers import is_number, is_whole

FIRST_POLLERS = 5
POLLERS_PER_S = 300 / 60
MOST_POLLERS = 1_000
MOST_SHARDS = 1_000
MOST_RETRIES = 10_000


@dataclass(frozen=True, kw_only=True)
class StreamMapping:
    """A function is invoked with batches of a Kinesis or DynamoDB stream's records.

    shards                   1 to 1,000; records spread over them at random, evenly, as by the hash of partition keys
    parallelization_factor   1 to 10 batches of a shard at a time, each of records of its own keys
    batch_size               1 to 10,000 records at most
    batching_window_s        0 to 300: a batch that isn't full waits so long from its first record's arrival; 0: not
    maximum_retry_attempts   0 to 10,000: a failed batch is tried again at once, and nothing of its lane before it is
                             through or given up. AWS's default, forever, is left out: here it is 10
    per_record_s             is added to the duration for each record of the batch

    Each shard and parallel batch is a lane. A lane whose batch finds the function's concurrency used up waits, and the
    one that has waited longest goes first. Left out: bisecting, record age, partial failures, tumbling windows, the
    6 MB of a batch, the time between two polls of a shard (up to 1 s).
    """

    shards: int = 1
    parallelization_factor: int = 1
    batch_size: int = 100
    batching_window_s: float = 0.0
    maximum_retry_attempts: int = 10
    per_record_s: float = 0.0

    def __post_init__(self) -> None:
        _check_whole("shards", self.shards, 1, MOST_SHARDS)
        _check_whole("parallelization_factor", self.parallelization_factor, STREAM[2].minimum, STREAM[2].maximum)
        _check_whole("batch_size", self.batch_size, STREAM[0].minimum, STREAM[0].maximum)
        _check_rest(self)

    @property
    def lanes(self) -> int:
        """Batches that can be under way at a time."""
        return self.shards * self.parallelization_factor


@dataclass(frozen=True, kw_only=True)
class QueueMapping:
    """A function is invoked with batches of an SQS standard queue's messages.

    batch_size               1 to 10,000 messages at most; over 10 needs a window of at least 1 s
    batching_window_s        0 to 300: a batch that isn't full waits so long from its first message's arrival; 0: not
    maximum_concurrency      2 to 1,000 batches at a time; None: 1,000
    maximum_retry_attempts   0 to 10,000: what the queue's redrive policy allows, less the first time
    per_record_s             is added to the duration for each message of the batch

    Pollers take batches from the queue: 5 at first, and while all are busy 300 more a minute, up to the maximum
    concurrency and the function's. Left out: fewer pollers when less comes, and the visibility timeout: the poller
    tries a failed batch again at once.
    """

    batch_size: int = 10
    batching_window_s: float = 0.0
    maximum_concurrency: int | None = None
    maximum_retry_attempts: int = 10
    per_record_s: float = 0.0

    def __post_init__(self) -> None:
        _check_whole("batch_size", self.batch_size, QUEUE[0].minimum, QUEUE[0].maximum)
        _check_rest(self)
        if self.batch_size > QUEUE_BATCH_WITHOUT_WINDOW and self.batching_window_s < 1:
            raise ValueError(
                f"batching_window_s is {self.batching_window_s!r}: a batch_size over {QUEUE_BATCH_WITHOUT_WINDOW} "
                "needs at least 1"
            )
        if self.maximum_concurrency is not None:
            _check_whole("maximum_concurrency", self.maximum_concurrency, QUEUE[2].minimum, QUEUE[2].maximum)

    @property
    def lanes(self) -> int:
        """Batches that can be under way at a time."""
        return MOST_POLLERS if self.maximum_concurrency is None else self.maximum_concurrency


def _check_rest(mapping: StreamMapping | QueueMapping) -> None:
    window_s, each_s = mapping.batching_window_s, mapping.per_record_s
    longest_s = BATCHING_WINDOW_S.maximum
    if not (is_number(window_s) and 0 <= window_s <= longest_s):
        raise ValueError(f"batching_window_s is {window_s!r}: it must be from 0 to {longest_s}")
    _check_whole("maximum_retry_attempts", mapping.maximum_retry_attempts, 0, MOST_RETRIES)
    if not (is_number(each_s) and 0 <= each_s < math.inf):
        raise ValueError(f"per_record_s is {each_s!r}: it must be a finite number from 0")


def _check_whole(name: str, value: int, least: int, most: int) -> None:
    if not is_whole(value) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}: it must be a whole number from {least:,} to {most:,}")
