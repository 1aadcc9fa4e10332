"""Cold starts: the first answer of a new, fully sandboxed execution environment, which is asked for with `cold=True`.

    python benchmarks/cold_start.py [--rounds N]

- A trivial function beside a bare fork of the same zygote to its first answer (wanted: at most 3 times that).
- The same, ten at once: the time until all ten have answered, beside ten bare forks at once.
- A pandas function beside a fresh process that imports pandas (wanted: at least 30 times faster).
- SnapStart of a function whose init builds 50 MB, beside running that init (wanted: at least 10 times faster).

What is measured is a call's whole time at the client. The executor keeps one spare for each zygote, forked ahead and
assigned to the function by a cold start; "a spare ready" is a cold start after a pause in which the spare of the last
one was replaced, as a function's first call or a lone new environment finds it. Of a burst, the first takes the spare
and the others are forked while their callers wait. The bare fork has nothing forked ahead: it is the floor of what has
to be forked. All in one run, in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import lambdanb
from measure import OURS, Contender, Times, interleaved, print_times, verdict
from ours import MEMORY_MB, SOURCE, own_home
from peers.zygote import bare_zygote, fresh_process

PANDAS = """
import pandas

def lambda_handler(event, context):
    frame = pandas.DataFrame({"n": [event["n"], 0]})
    return {"n": int(frame["n"].sum())}
"""
INIT_50_MB = """
model = b"x" * 20_000_000
index = {n: [n] for n in range(200_000)}

def lambda_handler(event, context):
    return {"n": index[event["n"]][0]}
"""
FLOOR = "floor: bare fork of the zygote"
SPARE = f"{OURS}, a spare ready"
BURST = 10
PAUSE_S = 0.15
"""In which a spare is replaced, on a busy machine too."""
BURST_MEMORY_MB = 512
FRESH = "fresh process"
INIT = f"{OURS}, running the init"
SNAP_START = f"{OURS}, SnapStart"


def cold(name: str, function: lambdanb.Function) -> Contender:
    """Each call in a new environment."""

    def call(event: dict[str, object]) -> object:
        invocation = function.invoke(event, cold=True)
        if invocation.error is not None:
            raise invocation.error
        return invocation.payload

    return Contender(name, call, prepare=lambda: time.sleep(PAUSE_S))


@contextmanager
def at_once(name: str, one: Contender) -> Iterator[Contender]:
    """A burst of the contender's calls; its answer is the last one's."""
    with ThreadPoolExecutor(BURST) as callers:

        def call(event: dict[str, object]) -> object:
            return list(callers.map(one.call, [event] * BURST))[-1]

        yield Contender(name, call, prepare=one.prepare)


def ours(name: str, function_name: str, source: str, memory_mb: int = MEMORY_MB) -> Contender:
    """A function without SnapStart."""
    return cold(name, lambdanb.deploy(function_name, source, memory=memory_mb, timeout=30))


def snap_start(name: str, function_name: str, source: str) -> Contender:
    """A published version with SnapStart."""
    function = lambdanb.deploy(function_name, source, memory=MEMORY_MB, timeout=30, snap_start=True)
    return cold(name, function.publish())


def ratio(dear: Times, cheap: Times) -> float:
    """Of the medians."""
    return dear.quantile(0.5) / cheap.quantile(0.5)


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description="Cold starts, ours beside the floor and a fresh process.")
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        stack.enter_context(own_home())
        bare = stack.enter_context(bare_zygote(FLOOR, SOURCE, []))
        groups = [
            [
                ours(SPARE, "trivial", SOURCE),
                bare,
                stack.enter_context(fresh_process(FRESH, SOURCE)),
            ],
            [
                stack.enter_context(at_once(OURS, ours(OURS, "burst", SOURCE, BURST_MEMORY_MB))),
                stack.enter_context(at_once(FLOOR, bare)),
            ],
            [
                ours(OURS, "pandas", PANDAS),
                stack.enter_context(bare_zygote(FLOOR, PANDAS, ["pandas"])),
                stack.enter_context(fresh_process(FRESH, PANDAS)),
            ],
            [ours(INIT, "init", INIT_50_MB), snap_start(SNAP_START, "snap", INIT_50_MB)],
        ]
        # The first answers bring zygotes and templates up; they are those of a first deploy, not of a cold start.
        for group in groups:
            interleaved(group, 1, calls=0, warm=3)
        trivial, burst, pandas, snap = (interleaved(group, rounds, calls=1, warm=0) for group in groups)
    print_times("A trivial function, cold, a spare ready", trivial, against=FLOOR)
    verdict("sandboxed cold start over a bare fork", ratio(trivial[0], trivial[1]), "at most 3")
    print_times(f"A trivial function, {BURST} cold starts at once (no spare for the others)", burst, against=FLOOR)
    verdict("a burst of sandboxed cold starts over a burst of bare forks", ratio(burst[0], burst[1]), "at most 3 each")
    print_times("A pandas function, cold", pandas)
    verdict("a fresh process over a cold start", ratio(pandas[2], pandas[0]), "at least 30")
    print_times("An init of 50 MB, cold", snap, against=SNAP_START)
    verdict("running the init over SnapStart", ratio(snap[0], snap[1]), "at least 10")


if __name__ == "__main__":
    main()
