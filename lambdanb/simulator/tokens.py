"""Buckets of tokens: how an account's growth and its requests per second are limited."""

from __future__ import annotations

from numba import njit

from lambdanb.simulator.laws import Floats


@njit(cache=True, nogil=True)
def take_token(tokens: Floats, updated_s: Floats, which: int, now_s: float, per_s: float, burst: float) -> bool:
    """Take a token from a bucket that fills continuously and holds at most `burst`; False where there is none."""
    filled = min(burst, tokens[which] + (now_s - updated_s[which]) * per_s)
    updated_s[which] = now_s
    if filled >= 1.0:
        tokens[which] = filled - 1.0
        return True
    tokens[which] = filled
    return False
