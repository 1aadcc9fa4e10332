"""Streams of events: when requests arrive, and with which events.

Arrival processes compose (`stream` tells how); `samples` are events in AWS's shapes; `traces` reads what others have
measured.
"""

from lambdanb.streams import samples, traces
from lambdanb.streams.constant import Constant
from lambdanb.streams.counts import Counts
from lambdanb.streams.diurnal import Diurnal
from lambdanb.streams.events import event_source
from lambdanb.streams.markov import MarkovModulated
from lambdanb.streams.poisson import Poisson
from lambdanb.streams.ramp import Ramp
from lambdanb.streams.replay import Replay
from lambdanb.streams.self_similar import SelfSimilar
from lambdanb.streams.steps import Burst, Steps
from lambdanb.streams.stream import Stream

__all__ = [
    "Burst",
    "Constant",
    "Counts",
    "Diurnal",
    "MarkovModulated",
    "Poisson",
    "Ramp",
    "Replay",
    "SelfSimilar",
    "Steps",
    "Stream",
    "event_source",
    "samples",
    "traces",
]
