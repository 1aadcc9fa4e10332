"""The memory and cost explorer: time and a month's cost against memory, of a law or of a function that was tuned."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lambdanb.analysis.bill_table import dollars
from lambdanb.analysis.figures import style
from lambdanb.analysis.memory_study import SIZES_MB, MemoryLaw, MemoryStudy, Tuned, memory_study
from lambdanb.analysis.month_bill import ARCHITECTURES
from lambdanb.analysis.tuning import Tuning
from lambdanb.model.rules import RULES, TODAY, cpu_share
from lambdanb.notebook.chart import Chart
from lambdanb.notebook.controls import Magnitudes, choice, decades, percent_slider, tick, whole_slider
from lambdanb.notebook.explorer import Explorer, milliseconds, tiles_html
from lambdanb.notebook.panels import Panel, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tiles(study: MemoryStudy, memory_mb: int) -> list[tuple[str, str, str]]:
    """What the explorer says of a memory size: the nearest that the study has."""
    at = study.nearest(memory_mb)
    size = int(study.memory_mb[at])
    time = f"{cpu_share(size):.2f} vCPU; p99 {milliseconds(float(study.p99_ms[at]))}"
    told = [(f"duration at {size:,} MB", milliseconds(float(study.mean_ms[at])), time)]
    for name, costs in study.month_usd.items():
        cost = float(costs[at])
        cheapest = study.cheapest(name)
        best = "could run at no size" if cheapest is None else f"cheapest at {cheapest:,} MB"
        told.append((f"a month, {name}", dollars(Decimal(cost)) if cost == cost else "could not run", best))
    told.append(("fastest", f"{study.fastest():,} MB", "the smallest within 1 % of the least"))
    return told


_TICKS = tuple((float(mb), f"{mb:,}") for mb in (128, 256, 512, 1024, 1769, 3008, 5120, 10_240))
PANELS = (
    Panel(
        "time",
        "duration (ms)",
        (Series("mean", style.BLACK, width=2.0), Series("p99", style.SKY, (6, 3), 2.0)),
        x="memory (MB)",
        ticks_x=_TICKS,
        log_x=True,
        log_y=True,
    ),
    Panel(
        "cost",
        "a month's cost ($)",
        (Series("today", style.BLACK, width=2.0), Series("preview-2014", style.ORANGE, (6, 3), 2.0)),
        x="memory (MB)",
        ticks_x=_TICKS,
        log_x=True,
    ),
)


def points(study: MemoryStudy, memory_mb: int) -> tuple[dict[str, list[Any]], dict[str, float | None]]:
    """What the chart draws: the columns of each panel, and where the memory size is marked."""
    time, cost = (panel.name for panel in PANELS)
    x = study.memory_mb
    marked = float(x[study.nearest(memory_mb)])
    columns = {time: [x, study.mean_ms, study.p99_ms], cost: [x, *study.month_usd.values()]}
    return columns, {time: marked, cost: marked}


def megabytes(memory_mb: float) -> str:
    """A memory size."""
    return f"{memory_mb:,.0f} MB"


def in_words(count: float) -> str:
    """A number of requests: 250,000, 10 million, 2.5 billion."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.4g} {name}"
    return f"{count:,.0f}"


class MemoryExplorer(Explorer[MemoryStudy]):
    """What `explore_memory` gives. `answer` is the `MemoryStudy` of what the sliders say."""

    title = "Memory and cost explorer"

    def __init__(self, tuning: Tuning | None, law: MemoryLaw, requests: int, memory_mb: int) -> None:
        self.tuning = tuning
        if tuning is not None:
            self.title = f"Memory and cost explorer: {tuning.function}, as tuned"
        sizes = SIZES_MB if tuning is None else Tuned(tuning).sizes_mb()
        controls: dict[str, Any] = {
            "memory_mb": Magnitudes("memory", memory_mb, sizes, megabytes, "the size that is read off, or the nearest"),
            "requests": Magnitudes("requests a month", requests, decades(1e3, 1e11), in_words, "invocations, all warm"),
        }
        if tuning is None:
            controls |= {
                "duration_ms": Magnitudes(
                    "duration, 1 vCPU",
                    law.duration_ms,
                    decades(1, 100_000),
                    milliseconds,
                    "the mean at 1,769 MB, where a function has the whole of one vCPU",
                ),
                "cpu_percent": percent_slider(
                    "CPU-bound", law.cpu_share, "of that time; the rest waits, and as long at any size"
                ),
                "threads": whole_slider("threads", law.threads, 1, 6, "vCPUs that the part bound by CPU can use"),
                "p99_ratio": Magnitudes(
                    "p99 / median",
                    law.p99_ratio,
                    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20),
                    lambda ratio: f"{ratio:g}",
                    "how far durations spread (lognormal); 1: always the same",
                ),
                "needs_mb": whole_slider(
                    "needs (MB)",
                    law.needs_mb,
                    0,
                    TODAY.memory_mb.maximum,
                    "what it uses: smaller sizes can't run it",
                ),
            }
        controls |= {
            "architecture": choice("architecture", "x86_64", ARCHITECTURES, "2014 had x86_64 alone"),
            "free_tier": tick("free tier", True, "1 million requests and 400,000 GB-s a month"),
        }
        self.chart = Chart(PANELS, label=self.title)
        super().__init__(controls, [self.chart])

    def compute(self, values: Mapping[str, Any]) -> MemoryStudy:
        """The study at these values."""
        if values["memory_mb"] not in TODAY.memory_mb:
            raise ValueError(
                f"memory_mb is {values['memory_mb']!r}: it must be a whole number, {TODAY.memory_mb.range}"
            )
        function: Tuning | MemoryLaw | None = self.tuning
        if function is None:
            of_law = {name: values[name] for name in ("duration_ms", "threads", "p99_ratio", "needs_mb")}
            function = MemoryLaw(cpu_share=values["cpu_percent"] / 100, **of_law)
        return memory_study(
            function,
            requests=round(values["requests"]),
            architecture=values["architecture"],
            free_tier=values["free_tier"],
        )

    def show(self, answer: MemoryStudy) -> str:
        """Time and cost with the size marked, and its numbers."""
        memory_mb = self.controls["memory_mb"].value
        self.chart.replace(*points(answer, memory_mb))
        return tiles_html(tiles(answer, memory_mb))

    def figure(self) -> Figure:
        """The same two panels."""
        from lambdanb.analysis.figures.memory_study_panels import memory_study_panels

        size = int(self.answer.memory_mb[self.answer.nearest(self.controls["memory_mb"].value)])
        return memory_study_panels(self.answer, size)[0].figure  # type: ignore[return-value]

    def sentence(self) -> str:
        """What the memory size does."""
        time, *costs, _ = tiles(self.answer, self.controls["memory_mb"].value)
        told = ", ".join(f"{rules} {cost[1]}" for rules, cost in zip(RULES, costs, strict=True))
        kind = "measured" if self.answer.measured else "computed"
        return f"{time[0]} {time[1]}; {self.answer.requests:,} requests a month: {told} ({kind})"


def explore_memory(
    function: Tuning | MemoryLaw | None = None, *, requests: int = 10_000_000, memory_mb: int = 512
) -> MemoryExplorer:
    """Sliders over the memory size: an invocation's time and a month's cost, under both sets of rules.

    function   what `tune` measured; or a `lambdanb.analysis.memory_study.MemoryLaw` to begin with: a duration, how much
               of it is bound by the processor, how many vCPUs it can use, how it spreads
    requests   a month's, 1,000 to 10^11
    memory_mb  the size to read off, 128 to 10,240

    Costs are computed from list prices, requests and duration, all warm: the cost calculator has the rest. In the
    result, `.answer` has the numbers (`.answer.table`), `.figure()` the picture, `.controls` the sliders, and
    `.close()` ends it. Raises ValueError for a number out of range and a tuning of which nothing succeeded.
    """
    if function is not None and not isinstance(function, Tuning | MemoryLaw):
        raise ValueError(f"function is {function!r}: it must be what lambdanb.tune gives, or a MemoryLaw")
    if not 1_000 <= requests <= 10**11:
        raise ValueError(f"requests is {requests!r}: it must be a number from 1,000 to 10^11")
    tuning = function if isinstance(function, Tuning) else None
    law = function if isinstance(function, MemoryLaw) else MemoryLaw()
    return MemoryExplorer(tuning, law, requests, memory_mb)
