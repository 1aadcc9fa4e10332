"""The ring of departures: a calendar of slots, a fraction of the time between arrivals wide.

A departure is in slot `int(departure_s * slots_per_s)`, modulo the number of slots, on a chain in order of time. A word
has a bit for each of its slots that has any: what is due is found in its order without a look at empty slots, and
nearly always without a comparison of two departures, either of which a processor's branch prediction would get wrong
half of the time.

Slots per second and the number of slots are powers of two, so that a time's slot and a word's end are exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from lambdanb.simulator.laws import Floats
from lambdanb.simulator.state import Integers, Places, Ring

BITS_PER_WORD = 32
"""Half of what an integer has, so that no arithmetic here ever comes to its sign."""
WORD_SHIFT, WORD_MASK = 5, BITS_PER_WORD - 1
SLOTS_PER_ARRIVAL = 8.0

# Multiplied by a single bit of 32, the upper five bits of the product are another number for each (de Bruijn).
_DE_BRUIJN = 0x077CB531
_BIT_OF = np.zeros(BITS_PER_WORD, np.int64)
_BIT_OF[[((_DE_BRUIJN << bit) & 0xFFFFFFFF) >> 27 for bit in range(BITS_PER_WORD)]] = np.arange(BITS_PER_WORD)


def ring(per_s: float, least_slots: int) -> Ring:
    """An empty ring for so many arrivals per second."""
    slots = 1 << max(least_slots, BITS_PER_WORD).bit_length()
    return Ring(
        head=np.full(slots, -1, np.int32),
        bits=np.zeros(slots // BITS_PER_WORD, np.int64),
        slots_per_s=2.0 ** round(math.log2(per_s * SLOTS_PER_ARRIVAL)),
    )


@njit(cache=True, nogil=True)
def slot_of(word: int, single_bit: int) -> int:
    """The slot that a bit of a word stands for."""
    return int(word * BITS_PER_WORD + _BIT_OF[((single_bit * _DE_BRUIJN) & 0xFFFFFFFF) >> 27])


@njit(cache=True, nogil=True)
def put(
    e: int,
    end_s: float,
    head: Places,
    bits: Integers,
    slots_per_s: float,
    slot_mask: int,
    departure_s: Floats,
    link: Any,
) -> None:
    """Put an environment, whose departure is at `end_s`, onto its slot's chain."""
    slot = int(end_s * slots_per_s) & slot_mask
    following = head[slot]
    if following < 0:
        bits[slot >> WORD_SHIFT] |= 1 << (slot & WORD_MASK)
    before = -1
    while following >= 0 and departure_s[following] <= end_s:
        before = following
        following = link[following]
    link[e] = following
    if before < 0:
        head[slot] = e
    else:
        link[before] = e


@njit(cache=True, nogil=True)
def rebuild_ring(old: Ring, new: Ring, departure_s: Floats, link: Places) -> None:
    """Move every departure to a ring with other slots."""
    slot_mask = len(new.head) - 1
    for first in old.head:
        e = first
        while e >= 0:
            following = link[e]
            put(e, departure_s[e], new.head, new.bits, new.slots_per_s, slot_mask, departure_s, link)
            e = following
