"""Forecasts what a stream of invocations would come to: latency, concurrency, cold starts, throttles and the bill.

The model and its kernel; `lambdanb.simulate` (analysis/simulate.py) is the way in. What a person needs of it is here:

    Simulated, EventInvocations, StreamMapping, QueueMapping   a function, and what invokes it
    Profile                              what is known of a real one: by its records, an AWS log, CloudWatch Logs, a law
    HybridHistogram, Window, replay_policy                     keep-alive policies; more are in `policies`
    laws, policies, theory, keep_alive_curve                   modules: durations; the closed forms of queueing theory

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambdanb.simulator.function_model import EventInvocations as EventInvocations
    from lambdanb.simulator.function_model import Simulated as Simulated
    from lambdanb.simulator.mappings import QueueMapping as QueueMapping
    from lambdanb.simulator.mappings import StreamMapping as StreamMapping
    from lambdanb.simulator.policies import HybridHistogram as HybridHistogram
    from lambdanb.simulator.policies import Window as Window
    from lambdanb.simulator.policies import replay_policy as replay_policy
    from lambdanb.simulator.profile import Profile as Profile

_WHERE = {
    "EventInvocations": "function_model",
    "HybridHistogram": "policies",
    "Profile": "profile",
    "QueueMapping": "mappings",
    "Simulated": "function_model",
    "StreamMapping": "mappings",
    "Window": "policies",
    "replay_policy": "policies",
}
_MODULES = ("keep_alive_curve", "laws", "policies", "theory")
__all__ = [*_WHERE, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join((*_WHERE, *_MODULES))}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_MODULES})
