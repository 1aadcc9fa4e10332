"""The simulator beside SimPy, and beside the floor: drawing the random numbers alone.

    python benchmarks/simulate.py [--invocations N] [--simpy N] [--big N]

One function, Poisson arrivals, exponential times (1.991 s warm, 2.244 s cold), keep-alive 600 s, 1,000 concurrent
invocations, at four rates: SimFaaS's published example, and more of it. Ours keeps windows, histograms and the bill;
SimPy counts cold starts and throttles only. Seconds are the clock's. Ours draws its random numbers in a second thread:
the table tells how many processors that kept busy, and what is left of the ratio by processor seconds. Of each rate the
median of the rounds counts, in which they take turns. It wants at least 100 times SimPy's invocations a second at each
rate, and that --big invocations in one process (say 1e8) don't make its memory grow.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import simpy

from lambdanb.analysis.simulate import simulate
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Exponential
from lambdanb.streams import Poisson
from measure import print_table, verdict

RATES = (0.9, 10.0, 100.0, 400.0)
WARM_S, COLD_S, KEEP_ALIVE_S, CONCURRENCY = 1.991, 2.244, 600.0, 1_000
ROUNDS = 5
MODEL = Simulated(warm=Exponential(WARM_S), cold=Exponential(COLD_S), keep_alive_s=KEEP_ALIVE_S)


def ours(rate: float, invocations: int) -> float:
    """The share of cold starts."""
    forecast = simulate(MODEL, Poisson(rate), seconds=invocations / rate, concurrency=CONCURRENCY)
    return float(forecast.outcome.figures()["cold_share"])


def with_simpy(rate: float, invocations: int) -> float:
    """The same by SimPy: a process for each invocation, a stack of idle environments, looked at when one is needed."""
    random = np.random.default_rng(1)
    environment = simpy.Environment()
    idle: list[float] = []
    busy = cold = accepted = 0

    def invocation(seconds: float):  # type: ignore[no-untyped-def]
        nonlocal busy
        yield environment.timeout(seconds)
        busy -= 1
        idle.append(environment.now)

    def arrivals():  # type: ignore[no-untyped-def]
        nonlocal busy, cold, accepted
        gaps = iter(random.standard_exponential(invocations) / rate)
        times = iter(random.standard_exponential(invocations))
        for gap in gaps:
            yield environment.timeout(gap)
            run = next(times)
            if busy >= CONCURRENCY:
                continue
            accepted += 1
            busy += 1
            if idle and environment.now - idle[-1] < KEEP_ALIVE_S:
                idle.pop()
                environment.process(invocation(run * WARM_S))
            else:
                idle.clear()
                cold += 1
                environment.process(invocation(run * COLD_S))

    environment.process(arrivals())
    environment.run()
    return cold / accepted


def floor(rate: float, invocations: int) -> float:
    """Two exponential numbers for each invocation, in chunks."""
    generator, out = np.random.Generator(np.random.SFC64(1)), np.empty(65_536)
    for _ in range(0, 2 * invocations, len(out)):
        generator.standard_exponential(out=out)
    return 0.0


def timed(run: Callable[[float, int], float], rate: float, invocations: int) -> tuple[float, float]:
    """Invocations a second, and how many processors were busy."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    run(rate, invocations)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return invocations / took_s, cpu_s / took_s


def main() -> None:
    """Measure in turn, print."""
    parser = argparse.ArgumentParser(description="The simulator beside SimPy.")
    parser.add_argument("--invocations", type=float, default=5e6, help="of ours at each rate")
    parser.add_argument("--simpy", type=float, default=1e5, help="of SimPy's at each rate")
    parser.add_argument("--big", type=float, default=0, help="one long run, for its memory")
    asked = parser.parse_args()
    sizes = {ours: int(asked.invocations), with_simpy: int(asked.simpy), floor: int(asked.invocations)}
    ours(1.0, 1_000)  # compiles, or reads what was compiled
    rows, ratios = [], []
    for rate in RATES:
        found: dict[Callable[[float, int], float], list[tuple[float, float]]] = {run: [] for run in sizes}
        for _ in range(ROUNDS):
            for run, size in sizes.items():
                found[run].append(timed(run, rate, size))
        turns = list(zip(found[ours], found[with_simpy], strict=True))
        ratios.append(median(one / other for (one, _), (other, _) in turns))
        by_cpu = median(one / cpus / (other / simpys) for (one, cpus), (other, simpys) in turns)
        per_s = [f"{median(each for each, _ in found[run]) / 1e6:.3f}" for run in sizes]
        processors = median(cpus for _, cpus in found[ours])
        rows.append([f"{rate:g}", *per_s, f"{ratios[-1]:.0f}", f"{processors:.2f}", f"{by_cpu:.0f}"])
    print_table(
        f"Million invocations a second, the median of {ROUNDS} rounds",
        [
            "arrivals per s",
            "lambdanb",
            "SimPy",
            "floor: two random numbers",
            "lambdanb / SimPy",
            "our processors",
            "ratio by processor time",
        ],
        rows,
    )
    verdict("ours over SimPy's, the least of the four", min(ratios), "at least 100")
    if asked.big:
        ours(400.0, int(asked.invocations))
        before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        speed, _ = timed(ours, 400.0, int(asked.big))
        after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{asked.big:,.0f} invocations at {speed / 1e6:.1f} M/s: peak memory {before_mb:.0f} -> {after_mb:.0f} MB"
        )


if __name__ == "__main__":
    main()
