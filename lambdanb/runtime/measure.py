"""What a process of the runtime can say of itself for a microsecond or two."""

from __future__ import annotations

import os
import resource
import time

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def resident_kb() -> int:
    """Resident memory now, in KB."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * _PAGE_KB


def peak_kb() -> int:
    """The most memory that this process ever had resident, in KB. A fork starts with what it holds at the fork."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def cpu_us() -> int:
    """CPU time in microseconds of this process and of the children it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() // 1000 + int((children.ru_utime + children.ru_stime) * 1e6)
