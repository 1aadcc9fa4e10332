"""The table that the executor and the watchdog share: what to watch, and what was seen.

The executor must not pay for being watched. So it tells the watchdog nothing by messages on the hot path: it stores one
byte ("this environment is busy") in memory that both processes have mapped, and the watchdog, which polls anyway, reads
it. Only a watchdog that has nothing to do blocks; it says so in the table (`parked`), and then, and only then, the
executor writes to an eventfd.

Layout (all words are 64 bits, native order, so that one store is one machine store):

    header      16 words   magic, parked, ready, high-water mark of used slots
    states      one byte per slot: FREE, IDLE or BUSY (a busy slot is found by one memchr)
    processes   pairs of words (pid, start time): processes that belong to no environment, such as zygotes
    slots       40 words each, named below; the last sixteen hold the names of the cgroup and of the environment

A pid is always kept with its start time (field 22 of /proc/<pid>/stat): a number alone could have been given to
somebody else since.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Final

SLOTS: Final = 4096
PROCESSES: Final = 1024

FREE: Final = 0
IDLE: Final = 1
BUSY: Final = 2

MAGIC: Final = 0x31624E6164626D6C

# Words of the header.
_HEADER_WORDS: Final = 16
PARKED: Final = 1
_READY: Final = 2
_HIGH_WATER: Final = 3

_STATES_AT: Final = _HEADER_WORDS * 8
_PROCESSES_AT: Final = _STATES_AT + SLOTS
_SLOTS_AT: Final = _PROCESSES_AT + PROCESSES * 16
_SLOT_WORDS: Final = 40
_NAME_BYTES: Final = 64
_GROUP_NAME_AT: Final = 24 * 8
_ENVIRONMENT_AT: Final = 32 * 8
SIZE: Final = _SLOTS_AT + SLOTS * _SLOT_WORDS * 8

# Words of a slot. Written by the executor:
GENERATION: Final = 0  # one higher each time that the slot is given to another environment
INIT_PID: Final = 1
INIT_START: Final = 2
RUNTIME_PID: Final = 3
RUNTIME_START: Final = 4
WATCH: Final = 5  # what to enforce: the WATCH_ bits below
MEMORY_BYTES: Final = 6
SHARED_BYTES: Final = 7  # what the runtime already held when it was forked
TMP_BYTES: Final = 8  # the size of /tmp
CPU_PPM: Final = 9  # share of one vCPU in millionths; 0: no limit at this moment (the init phase)
PROCESS_LIMIT: Final = 10
ENDING: Final = 11  # the pid of the runtime that is being ended (by the watchdog, too), and isn't looked at any more
# Written by the watchdog:
OUT_OF_MEMORY: Final = 16  # the pid of the runtime whose tree it ended for its memory
PEAK_BYTES: Final = 17
CPU_NS: Final = 18
TMP_PEAK_BYTES: Final = 19
OVER_TMP: Final = 20  # the pid of the runtime that was ended for its /tmp
OVER_PROCESSES: Final = 21  # the pid of the runtime that was ended for its processes

WATCH_MEMORY: Final = 1  # poll the tree's memory and end it
WATCH_CPU: Final = 2  # token bucket
WATCH_PROCESSES: Final = 4  # count processes and threads
WATCH_TMP: Final = 8  # /tmp is a plain folder: measure it
WATCH_CGROUP_MEMORY: Final = 16  # a memory cgroup: allow for /tmp, see cgroup_memory.py


class WatchTable:
    """The shared memory, mapped. `words` is all of it as 64-bit words, `states` the bytes of the slots' states."""

    def __init__(self, fd: int) -> None:
        """Map the table behind `fd` (of `create_memory()`); the descriptor stays the caller's."""
        self.memory = mmap.mmap(fd, SIZE)
        self._view = memoryview(self.memory)
        self.words: memoryview = self._view.cast("Q")
        self.words[0] = MAGIC

    def close(self) -> None:
        """Give the mapping back. The other process keeps its own."""
        self.words.release()
        self._view.release()
        self.memory.close()

    # Slots -------------------------------------------------------------------------------------------------------

    @staticmethod
    def base(slot: int) -> int:
        """Where the words of a slot begin: `table.words[base + RUNTIME_PID]`."""
        return _SLOTS_AT // 8 + slot * _SLOT_WORDS

    @staticmethod
    def state_at(slot: int) -> int:
        """Where the state byte of a slot is: `table.memory[state_at] = BUSY`."""
        return _STATES_AT + slot

    def take_slot(self, environment_id: str, group_name: str) -> int | None:
        """Give a free slot to an environment; None when all are taken."""
        at = self.memory.find(b"\0", _STATES_AT, _STATES_AT + SLOTS)
        if at < 0:
            return None
        slot = at - _STATES_AT
        base = self.base(slot)
        generation = self.words[base + GENERATION] + 1
        for word in range(base, base + _SLOT_WORDS):
            self.words[word] = 0
        self.words[base + GENERATION] = generation
        for name, offset in ((group_name, _GROUP_NAME_AT), (environment_id, _ENVIRONMENT_AT)):
            start = base * 8 + offset
            self.memory[start : start + _NAME_BYTES] = name.encode()[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
        self.memory[at] = IDLE
        if slot >= self.words[_HIGH_WATER]:
            self.words[_HIGH_WATER] = slot + 1
        return slot

    def free_slot(self, slot: int) -> None:
        """Nobody watches it from here on."""
        self.memory[_STATES_AT + slot] = FREE

    def group_name(self, slot: int) -> str:
        """The name of the environment's cgroup; empty when it has none."""
        return self._name(self.base(slot) * 8 + _GROUP_NAME_AT)

    def environment_id(self, slot: int) -> str:
        """The id of the environment that has the slot, which is its temporary folder's name too."""
        return self._name(self.base(slot) * 8 + _ENVIRONMENT_AT)

    def _name(self, start: int) -> str:
        return self.memory[start : start + _NAME_BYTES].rstrip(b"\0").decode()

    def states(self) -> bytes:
        """The states of all slots that were ever used, to see whether any has changed."""
        return self.memory[_STATES_AT : _STATES_AT + self.words[_HIGH_WATER]]

    def slots_in(self, state: int) -> list[int]:
        """The slots in a state, lowest first."""
        found: list[int] = []
        end = _STATES_AT + self.words[_HIGH_WATER]
        wanted = bytes([state])
        at = self.memory.find(wanted, _STATES_AT, end)
        while at >= 0:
            found.append(at - _STATES_AT)
            at = self.memory.find(wanted, at + 1, end)
        return found

    # The watchdog's sleep ----------------------------------------------------------------------------------------

    @property
    def parked(self) -> bool:
        """Whether the watchdog blocks and must be woken by its eventfd."""
        return bool(self.words[PARKED])

    @parked.setter
    def parked(self, value: bool) -> None:
        self.words[PARKED] = int(value)

    @property
    def ready(self) -> bool:
        """Whether the watchdog has come up."""
        return bool(self.words[_READY])

    @ready.setter
    def ready(self, value: bool) -> None:
        self.words[_READY] = int(value)

    # Processes of no environment ----------------------------------------------------------------------------------

    def add_process(self, pid: int, start_time: int) -> None:
        """Note a process (a zygote) that must not outlive the executor."""
        first = _PROCESSES_AT // 8
        free = next((at for at in range(first, first + PROCESSES * 2, 2) if self.words[at] == 0), first)
        self.words[free + 1] = start_time
        self.words[free] = pid

    def remove_process(self, pid: int) -> None:
        """Forget a process that has ended and been waited for."""
        first = _PROCESSES_AT // 8
        for at in range(first, first + PROCESSES * 2, 2):
            if self.words[at] == pid:
                self.words[at] = 0

    def processes(self) -> list[tuple[int, int]]:
        """All (pid, start time) noted."""
        first = _PROCESSES_AT // 8
        return [(self.words[at], self.words[at + 1]) for at in range(first, first + PROCESSES * 2, 2) if self.words[at]]


def create_memory() -> int:
    """A descriptor of fresh, zeroed memory of the table's size, which leaves nothing on disk."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("lambdanb-watch", os.MFD_CLOEXEC)
    else:  # not Linux: a file without a name
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, SIZE)
    return fd
