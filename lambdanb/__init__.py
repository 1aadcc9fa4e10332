"""AWS Lambda in a notebook: a cell becomes a function, which runs at once in local processes under Lambda's limits.

    %load_ext lambdanb          then  %%lambda NAME  in a cell, and call NAME(event)

or, from a script,

    import lambdanb
    resize = lambdanb.deploy("resize", source, memory=512, timeout=10)
    resize({"key": "cat.jpg"})

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it; importing that takes longer than all the rest of this
if TYPE_CHECKING:
    from typing import Any

    from lambdanb.analysis.load import load as load
    from lambdanb.analysis.simulate import simulate as simulate
    from lambdanb.analysis.tune import tune as tune
    from lambdanb.client.deploy import deploy as deploy
    from lambdanb.client.deploy import function as function
    from lambdanb.client.deploy import functions as functions
    from lambdanb.client.deploy import get as get
    from lambdanb.client.function import Function as Function
    from lambdanb.client.invocation import Invocation as Invocation
    from lambdanb.model.errors import ExecutorLost as ExecutorLost
    from lambdanb.model.errors import FunctionError as FunctionError
    from lambdanb.model.errors import ServiceError as ServiceError
    from lambdanb.model.errors import TooManyRequestsException as TooManyRequestsException
    from lambdanb.notebook import load_ipython_extension as load_ipython_extension
    from lambdanb.notebook import unload_ipython_extension as unload_ipython_extension
    from lambdanb.notebook.cost_calculator import calculate_cost as calculate_cost
    from lambdanb.notebook.keep_alive_explorer import explore_keep_alive as explore_keep_alive
    from lambdanb.notebook.memory_explorer import explore_memory as explore_memory

__version__ = "0.1.0.dev0"

_WHERE = {
    "calculate_cost": "lambdanb.notebook.cost_calculator",
    "deploy": "lambdanb.client.deploy",
    "explore_keep_alive": "lambdanb.notebook.keep_alive_explorer",
    "explore_memory": "lambdanb.notebook.memory_explorer",
    "function": "lambdanb.client.deploy",
    "functions": "lambdanb.client.deploy",
    "get": "lambdanb.client.deploy",
    "load": "lambdanb.analysis.load",
    "simulate": "lambdanb.analysis.simulate",
    "tune": "lambdanb.analysis.tune",
    "Function": "lambdanb.client.function",
    "Invocation": "lambdanb.client.invocation",
    "ExecutorLost": "lambdanb.model.errors",
    "FunctionError": "lambdanb.model.errors",
    "ServiceError": "lambdanb.model.errors",
    "TooManyRequestsException": "lambdanb.model.errors",
    "load_ipython_extension": "lambdanb.notebook",
    "unload_ipython_extension": "lambdanb.notebook",
}
__all__ = [*_WHERE]
_ROOMS = ("analysis", "simulator", "streams")
"""Packages that people use by name."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    module = _WHERE.get(name)
    if module is None and name not in _ROOMS:
        raise AttributeError(f"module 'lambdanb' has no attribute {name!r}; it has {', '.join((*_WHERE, *_ROOMS))}")
    import importlib

    if module is None:
        return importlib.import_module(f"lambdanb.{name}")
    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_ROOMS})
