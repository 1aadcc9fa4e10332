"""The bucket of a duration without a logarithm: exactly that of `model.histogram`, from tables.

A logarithm for each invocation would cost as much as drawing its duration. The first bits of a float, its exponent and
7 bits of its fraction, are the number of a cell at most 0.8 % wide, which therefore has at most one edge of a bucket in
it: which side of it a duration is on tells the rest.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lambdanb.model import histogram
from lambdanb.simulator.state import BUCKETS, FIRST_BUCKET

_CELL_BITS = 7
_SHIFT = 52 - _CELL_BITS
_LONGEST = FIRST_BUCKET + BUCKETS - 1


def _of(seconds: float) -> int:
    """What the tables are made from."""
    return min(histogram.bucket(seconds * 1000.0), _LONGEST) - FIRST_BUCKET


def _edge_s(bucket: int) -> float:
    """The least number of seconds that is in a bucket, to the last bit: rounding may move it by some."""
    guess = int(np.float64(math.exp((bucket + FIRST_BUCKET) * math.log(histogram.GROWTH)) / 1000.0).view(np.int64))
    low, high = guess - 256, guess + 256
    while high - low > 1:
        middle = (low + high) // 2
        if _of(float(np.int64(middle).view(np.float64))) >= bucket:
            high = middle
        else:
            low = middle
    return float(np.int64(high).view(np.float64))


EDGES_S = np.array([0.0, *(_edge_s(bucket) for bucket in range(1, BUCKETS)), math.inf])
_FIRST_CELL = int(EDGES_S[1:2].view(np.int64)[0] >> _SHIFT)
_LAST_CELL = int(EDGES_S[-2:-1].view(np.int64)[0] >> _SHIFT) + 1
_CELLS_S = (np.arange(_FIRST_CELL, _LAST_CELL + 1) << _SHIFT).view(np.float64)
_BUCKET_OF_CELL = np.array([_of(float(start_s)) for start_s in _CELLS_S], np.int32)


@njit(cache=True, nogil=True)
def bucket(seconds: float, bits: int) -> int:
    """The place of a duration in a dense histogram: `model.histogram.bucket`, counted from the first.

    `bits` is the same float as an integer: `array.view(np.int64)` gives it.
    """
    cell = min(max((bits >> _SHIFT) - _FIRST_CELL, 0), _LAST_CELL - _FIRST_CELL)
    found = int(_BUCKET_OF_CELL[cell])
    return found + 1 if seconds >= EDGES_S[found + 1] else found
