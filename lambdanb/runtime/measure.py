"""What a process of the runtime can say of itself for a microsecond or two."""

from __future__ import annotations

import os
import resource

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def resident_kb() -> int:
    """Resident memory now, in KB."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * _PAGE_KB


def used() -> tuple[int, int]:
    """(CPU time in microseconds of this process and of the children it has waited for, the most memory in KB that it
    ever had resident). A fork starts with the memory that it holds at the fork, and with no CPU time.
    """
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return int(cpu_s * 1e6), own.ru_maxrss
