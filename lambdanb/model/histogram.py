"""A histogram of durations in buckets that each are 1 % wider than the one before: any percentile within 1 %, in a few
hundred bytes, and two are merged by adding.

Bucket `b` holds the durations from 1.01**b (inclusive) to 1.01**(b+1) ms; what is under 0.01 ms is in the first one.
As a BLOB: pairs of 32-bit integers of the machine's order, bucket and count.

The idea is that of DDSketch (Masson, Rim, Lee: DDSketch, PVLDB 12, 2019).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, MutableMapping

GROWTH = 1.01
_PER_LOG = 1 / math.log(GROWTH)
_SMALLEST_MS = 0.01
_SMALLEST = math.floor(math.log(_SMALLEST_MS) * _PER_LOG)


def bucket(duration_ms: float) -> int:
    """The bucket of a duration."""
    return math.floor(math.log(duration_ms) * _PER_LOG) if duration_ms > _SMALLEST_MS else _SMALLEST


def middle_ms(bucket: int) -> float:
    """The duration that stands for a bucket: at most 0.5 % from any in it."""
    return math.exp((bucket + 0.5) / _PER_LOG)


def to_blob(counts: Mapping[int, int]) -> bytes:
    flat = array("i")
    for pair in sorted(counts.items()):
        flat.extend(pair)
    return flat.tobytes()


def add_blob(counts: MutableMapping[int, int], blob: bytes) -> None:
    """Add what `to_blob` gave to the counts."""
    flat = array("i")
    flat.frombytes(blob)
    for place in range(0, len(flat), 2):
        counts[flat[place]] = counts.get(flat[place], 0) + flat[place + 1]


def percentile_ms(counts: Mapping[int, int], percent: float) -> float | None:
    """The duration that `percent` of the durations don't pass (the nearest rank); None when there are none.

    ValueError for a percent that isn't from 0 to 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent!r}: it must be from 0 to 100")
    total = sum(counts.values())
    rank = max(math.ceil(total * percent / 100), 1)
    for its_bucket, count in sorted(counts.items()):
        rank -= count
        if rank <= 0:
            return middle_ms(its_bucket)
    return None
