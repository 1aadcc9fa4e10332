"""Figures that stay: one function, and one file, for each.

    from lambdanb.analysis.figures import concurrency
    concurrency(outcome).figure                  # a figure of its own
    concurrency(outcome, ax=ax)                  # or drawn into axes that one has

What is drawn of a run takes an `Outcome`, or the load test's result or the forecast that has one. Each takes `ax=`
(`axes=` where it has several panels), draws there or into a new Figure, and returns the Axes. Nothing touches pyplot.
Each says in its upper right corner whether it is measured or simulated. Legends stand right of the axes: give a Figure
of your own `layout="constrained"`, so that there is room for them.

Wrong input raises ValueError, which names what is wrong.
"""

from lambdanb.analysis.figures.cold_by_interval import cold_by_interval
from lambdanb.analysis.figures.cold_share_by_rate import cold_share_by_rate
from lambdanb.analysis.figures.concurrency import concurrency
from lambdanb.analysis.figures.environments import environments
from lambdanb.analysis.figures.estimates import estimates
from lambdanb.analysis.figures.keep_alive_panels import keep_alive_panels
from lambdanb.analysis.figures.keep_alive_pareto import keep_alive_pareto
from lambdanb.analysis.figures.latency_cdf import latency_cdf
from lambdanb.analysis.figures.latency_heatmap import latency_heatmap
from lambdanb.analysis.figures.memory_and_cost import memory_and_cost
from lambdanb.analysis.figures.memory_study_panels import memory_study_panels
from lambdanb.analysis.figures.month_cost import month_cost
from lambdanb.analysis.figures.run_panels import run_panels
from lambdanb.analysis.figures.windows_over_time import windows_over_time

__all__ = [
    "cold_by_interval",
    "cold_share_by_rate",
    "concurrency",
    "environments",
    "estimates",
    "keep_alive_panels",
    "keep_alive_pareto",
    "latency_cdf",
    "latency_heatmap",
    "memory_and_cost",
    "memory_study_panels",
    "month_cost",
    "run_panels",
    "windows_over_time",
]
