"""Does a busy notebook disturb its functions? A client in another process measures, while the processor is kept
busy by (a) a cell that runs a Python loop, (b) a cell in a C call that holds the GIL, (c) an unrelated program.

The executor is no part of the notebook's process: (a) and (b) should cost what (c) costs, and no more.
This process plays the notebook; with the argument `client` it is the other one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from measure import EVENT, Times, print_table
from ours import NAME

ROUNDS = 4
SECONDS = 1.0
C_CALL_NUMBERS = 5_000_000
"""sum(range(n)) never lets go of the GIL: some 50 to 100 ms a call."""


def client() -> None:
    """For each line on standard input, call the function for that many seconds and print the milliseconds of each."""
    import lambdanb

    function = lambdanb.get(NAME)
    function(EVENT)
    print("ready", flush=True)
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        times = []
        while (start := time.perf_counter()) < end:
            function(EVENT)
            times.append(f"{(time.perf_counter() - start) * 1e3:.4f}")
        print(" ".join(times), flush=True)


def quiet(until: float) -> None:
    """A notebook that waits."""
    time.sleep(max(until - time.monotonic(), 0))


def python_loop(until: float) -> None:
    """A cell that computes in Python."""
    while time.monotonic() < until:
        sum(n * n for n in range(10_000))


def c_call(until: float) -> None:
    """A cell inside of C calls that hold the GIL."""
    while time.monotonic() < until:
        sum(range(C_CALL_NUMBERS))


def other_program(until: float) -> None:
    """Another process that computes in Python, while the notebook waits."""
    code = f"import time\nwhile time.monotonic() < {until}: sum(n * n for n in range(10_000))"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)


LOADS: dict[str, Callable[[float], None]] = {
    "quiet": quiet,
    "(a) the notebook: a Python loop": python_loop,
    "(b) the notebook: C calls holding the GIL": c_call,
    "(c) an unrelated program": other_program,
}


@contextmanager
def other_process() -> Iterator[Callable[[Callable[[float], None]], list[float]]]:
    """The client, as a function: the milliseconds that it measured while the given load ran."""
    with subprocess.Popen([sys.executable, __file__, "client"], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        if stdout.readline() != "ready\n":
            raise SystemExit("the client in another process did not get ready")

        def measure(load: Callable[[float], None]) -> list[float]:
            stdin.write(f"{SECONDS}\n")
            stdin.flush()
            # A little longer than the client measures, so that it measures under the load alone.
            load(time.monotonic() + SECONDS + 0.1)
            return [float(value) for value in stdout.readline().split()]

        yield measure
        stdin.close()


def measure_busy_notebook() -> None:
    """Print the table. The function must be deployed, in the home that LAMBDANB_HOME names."""
    times = [Times(name) for name in LOADS]
    with other_process() as measure:
        for _ in range(ROUNDS):
            for told, load in zip(times, LOADS.values(), strict=True):
                told.ms += measure(load)
    base = times[-1].quantile(0.99)
    rows = [
        [
            told.name,
            str(len(told.ms)),
            *(f"{told.quantile(q):.3f}" for q in (0.5, 0.99)),
            f"{told.quantile(0.99) / base:.2f}",
        ]
        for told in times
    ]
    print_table(
        "A client in another process, while the processor is kept busy (a, b against c: at most 1.5)",
        ["", "calls", "p50 ms", "p99 ms", "p99 / (c)'s"],
        rows,
    )


if __name__ == "__main__" and sys.argv[1:] == ["client"]:
    client()
