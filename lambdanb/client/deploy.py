"""Deploying functions, and finding those that are deployed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lambdanb.client.connection import Executor
from lambdanb.client.function import Function, settings_to_wire
from lambdanb.client.imports import imports_of
from lambdanb.client.source import source_text

CLOSURE_FILE = "closure.pkl"

_CLOSURE_MODULE = '''\
"""A Python function with all that it closes over, as lambdanb.function shipped it."""
import pathlib

import dill

_function = dill.loads((pathlib.Path(__file__).parent / "{file}").read_bytes())


def lambda_handler(event, context):
    return _function({arguments})
'''


def deploy(
    name: str,
    source: str | Path,
    *,
    runtime: str | None = None,
    handler: str = "lambda_function.lambda_handler",
    memory: int | None = None,
    timeout: int | None = None,
    tmp: int | None = None,
    environment: Mapping[str, str] | None = None,
    role: str | None = None,
    description: str | None = None,
    snap_start: bool | None = None,
    keep_alive: float | Mapping[str, Any] | None = None,
    on_success: str | None = None,
    on_failure: str | None = None,
    maximum_retry_attempts: int | None = None,
    maximum_event_age: int | None = None,
    reserved_concurrency: int | None = None,
    provisioned_concurrency: int | None = None,
) -> Function:
    """Deploy a function, or replace the code and configuration of the one of that name.

    name            letters, digits, - and _, at most 64
    source          the module's source, or the path of its file; the whole module: it sees nothing of the notebook
    handler         "module.function"; the source is the module `lambda_function`
    memory, tmp     MB; CPU comes in proportion to memory, 1,769 MB being one processor
    timeout         seconds
    environment     environment variables of the function
    snap_start      fork environments from one whose init has run
    keep_alive      seconds for which an idle environment is kept, or a distribution
    on_success, on_failure   functions that get the record of an event invocation
    maximum_retry_attempts, maximum_event_age   of event invocations: 0 to 2; seconds
    reserved_concurrency     at most, and always, so many at a time; 0 stops the function
    provisioned_concurrency  environments that are kept initialised

    What is not given gets AWS's default. Raises TypeError or ValueError for a source that is none, and
    ValidationException or InvalidParameterValueException in AWS's words, with the value and its range.
    """
    given = {key: value for key, value in locals().items() if key not in ("name", "source") and value is not None}
    text = source_text(source)
    return _deploy(name, {"source": text, "imports": imports_of(text)}, given)


def function(
    name: str | Callable[..., Any] | None = None, /, **settings: Any
) -> Function | Callable[[Callable[..., Any]], Function]:
    """Deploy a Python function with what it closes over: `@lambdanb.function` or `@lambdanb.function(memory=512)`.

    It is called as a handler, with the event, and with the context too if its second argument has no default or is
    called `context`. What it refers to in the notebook goes along by value, as it is now (by dill): the one convenience
    that AWS has not. `settings` are those of `deploy`; the name is the function's own unless one is given.
    """
    if callable(name):
        if not hasattr(name, "__name__"):
            raise TypeError(f"{name!r} has no name: give one, as in lambdanb.function('name')(...)")
        return _deploy_closure(name, name.__name__, settings)
    chosen = name
    return lambda plain: _deploy_closure(plain, chosen or plain.__name__, settings)


def get(name: str, qualifier: str | None = None) -> Function:
    """The function of that name, or its version or alias. Raises ResourceNotFoundException when there is none."""
    found = Function(name, qualifier)
    found.description  # noqa: B018  # raises when there is none
    return found


def functions() -> list[Function]:
    """All functions of this home, by name."""
    return [Function(described["configuration"]["function_name"]) for described in describe_functions()]


def describe_functions() -> list[dict[str, Any]]:
    """All functions of this home with what there is to say of each, by name."""
    described: list[dict[str, Any]] = Executor.of().ask("functions")["functions"]
    return described


def copy(function: Function, name: str, **settings: Any) -> Function:
    """A new function of another's code and configuration, with `settings` of its own.

    Raises ResourceConflictException when the name is taken, and what `deploy` raises.
    """
    executor = Executor.of()
    executor.ask("copy", name=function.name, qualifier=function.qualifier, to=name, **settings_to_wire(settings))
    return Function(name, executor=executor)


def _deploy(name: str, code: dict[str, Any], settings: Mapping[str, Any]) -> Function:
    executor = Executor.of()
    executor.ask("deploy", name=name, code=code, **settings_to_wire(settings))
    return Function(name, executor=executor)


def _deploy_closure(plain: Callable[..., Any], name: str, settings: Mapping[str, Any]) -> Function:
    import inspect

    import dill

    signature = inspect.signature(plain)
    parameters = list(signature.parameters.values())
    second = parameters[1] if len(parameters) > 1 else None
    # A second argument that has a default is the function's own business, such as `rate=0.2`.
    wants_context = (
        second is not None
        and second.kind in (second.POSITIONAL_ONLY, second.POSITIONAL_OR_KEYWORD)
        and (second.default is second.empty or second.name == "context")
    )
    try:
        signature.bind(*(("event", "context") if wants_context else ("event",)))
    except TypeError as error:
        raise TypeError(
            f"{name}{signature} can't be a handler, which is given the event, and the context if it wants it: {error}"
        ) from None
    pickled = dill.dumps(plain, recurse=True)
    module = _CLOSURE_MODULE.format(file=CLOSURE_FILE, arguments="event, context" if wants_context else "event")
    files = {CLOSURE_FILE: base64.b64encode(pickled).decode()}
    return _deploy(name, {"source": module, "files": files, "imports": ["dill", *_modules_used(plain)]}, settings)


def _modules_used(plain: Callable[..., Any]) -> list[str]:
    """The modules that the function refers to by a global name, to be preloaded."""
    import inspect

    inner = inspect.unwrap(plain)
    if not inspect.isfunction(inner):
        return []  # a partial, or an object that can be called
    names = inspect.getclosurevars(inner).globals.values()
    return sorted({value.__name__ for value in names if inspect.ismodule(value)})
