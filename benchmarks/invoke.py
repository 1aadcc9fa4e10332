"""Warm invocations: ours beside process pools, AWS's runtime client over HTTP, and the floor.

    python benchmarks/invoke.py [--rounds N] [--calls N]

All are measured in one run, in turn, from the main thread of this process. Ours has logs, records, deadlines and
every limit on; the others have none of them. It wants at most 1.25 times ProcessPoolExecutor(fork)'s p50, a 2.5th of
awslambdaric's, and with 25 in flight 1.3 times ProcessPoolExecutor's throughput: of the one with as many workers as
we have environments, and of the one with as many as this machine has processors.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

from measure import OURS, Contender, calls_per_s, interleaved, median, print_table, print_times, verdict
from peers.aws_ric import RIC, runtime_clients
from peers.floor import bare_processes
from peers.pools import loky_pool, multiprocess_pool, process_pool

IN_FLIGHT = 25
PEER = "ProcessPoolExecutor"
FEW = 2
"""Workers of a pool that answers one call at a time: more of them only cool its caches."""


def latencies(contenders: Sequence[Contender], rounds: int, calls: int) -> None:
    """Print the times of one call after the other."""
    times = interleaved(contenders, rounds, calls)
    print_times("One call after the other", times)
    p50 = {told.name: told.quantile(0.5) for told in times}
    verdict(
        "p50, ours over ProcessPoolExecutor(fork)'s", p50[OURS] / p50[f"{PEER}, fork, {FEW} workers"], "at most 1.25"
    )
    for http in (name for name in p50 if name.startswith(RIC)):
        verdict(f"p50, {http}'s over ours", p50[http] / p50[OURS], "at least 2.5")


def throughputs(contenders: Sequence[Contender], rounds: int, calls: int) -> None:
    """Print answers a second with 25 in flight, the median of the rounds."""
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            rates[contender.name].append(calls_per_s(contender, calls, IN_FLIGHT))
    ours = median(rates[OURS])
    rows = [
        [name, f"{median(rate):,.0f}", f"{min(rate):,.0f} to {max(rate):,.0f}", f"{ours / median(rate):.2f}"]
        for name, rate in sorted(rates.items(), key=lambda item: -median(item[1]))
    ]
    print_table(f"{IN_FLIGHT} in flight", ["", "calls/s", "of all rounds", "ours / this"], rows)
    for name in (name for name in rates if name.startswith(f"{PEER}, fork")):
        verdict(f"throughput, ours over {name}'s", ours / median(rates[name]), "at least 1.3")


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description="Warm invocations, ours beside its peers.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=150, help="of each contender in each round")
    asked = parser.parse_args()
    with ExitStack() as stack:

        def start(*ready: AbstractContextManager[Contender]) -> list[Contender]:
            return [stack.enter_context(contender) for contender in ready]

        # What forks this process comes first, while it is small and has no threads.
        both = start(bare_processes(IN_FLIGHT))
        both += start(process_pool("fork", FEW))
        many = start(process_pool("fork", IN_FLIGHT), multiprocess_pool(IN_FLIGHT))
        few = start(multiprocess_pool(FEW), process_pool("forkserver", FEW), loky_pool(FEW))
        many += start(process_pool("forkserver", IN_FLIGHT), loky_pool(IN_FLIGHT))
        both += start(runtime_clients(IN_FLIGHT, "runtime_api", "a Runtime API by hand"))
        both += start(runtime_clients(IN_FLIGHT, "runtime_api_aiohttp", "a Runtime API of aiohttp"))

        from busy_notebook import measure_busy_notebook
        from ours import MANY_MEMORY_MB, MEMORY_MB, NAME, deployed, own_home

        stack.enter_context(own_home())
        few += start(deployed(NAME, MEMORY_MB))
        many += start(deployed(f"{NAME}-many", MANY_MEMORY_MB, IN_FLIGHT))

        latencies(both + few, asked.rounds, asked.calls)
        throughputs(both + many, asked.rounds, asked.calls * 8)
        measure_busy_notebook()


if __name__ == "__main__":
    main()
