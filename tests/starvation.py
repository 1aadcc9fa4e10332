"""Whether other programs, or other guests of the same hypervisor, left a test too little CPU to say anything."""

from __future__ import annotations

import os
import time

OTHERS = 0.15
"""Of all CPUs: what others may use for a test not to be called starved."""


def busy_s() -> float:
    """CPU time that the whole machine has used so far, by all CPUs; what a hypervisor took counts as used."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, *interrupts_and_stolen = map(int, stat.readline().split()[1:9])
    return (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")


class Watch:
    """From its making on: `starved(own_s)` tells whether others used much, while the test itself used `own_s`."""

    def __init__(self) -> None:
        self._began_s, self._busy_s = time.monotonic(), busy_s()

    def starved(self, own_s: float) -> bool:
        others_s = busy_s() - self._busy_s - own_s
        return others_s > OTHERS * (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
