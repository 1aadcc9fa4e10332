"""A function, as one uses it from a notebook or a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lambdanb.client.connection import Answer, Executor
from lambdanb.client.counts import check_count
from lambdanb.client.invocation import Invocation
from lambdanb.client.mapping import map_events
from lambdanb.model.errors import FunctionError, RequestTooLargeException
from lambdanb.model.names import function_arn
from lambdanb.model.rules import RULES
from lambdanb.model.wire import Request

if TYPE_CHECKING:
    from pandas import DataFrame

    from lambdanb.simulator.profile import Profile

Mode = Literal["sync", "async", "dry-run"]
SETTINGS = (
    "runtime",
    "handler",
    "memory",
    "timeout",
    "tmp",
    "environment",
    "role",
    "description",
    "snap_start",
    "keep_alive",
    "on_success",
    "on_failure",
    "maximum_retry_attempts",
    "maximum_event_age",
)
_CONFIGURATION_NAMES = {
    "memory": "memory_mb",
    "timeout": "timeout_s",
    "tmp": "tmp_mb",
    "keep_alive": "keep_alive_s",
    "maximum_event_age": "maximum_event_age_s",
}


class Function:
    """A deployed function, or one version or alias of it. Get one by `deploy`, `get`, or a `%%lambda` cell.

    Call it with an event to get what its handler returns. Nothing is kept here but the name: two notebooks that hold
    the same function see the same thing.
    """

    _dashboard: ClassVar[Callable[..., Any] | None] = None
    """What shows a dashboard: the notebook's extension puts it here."""

    def __init__(self, name: str, qualifier: str | None = None, executor: Executor | None = None) -> None:
        self.name = name
        self.qualifier = qualifier
        self._executor = executor or Executor.of()
        self._synchronous = self._request("sync")

    # Invoking

    def __call__(self, event: Any = None) -> Any:
        """Invoke with an event and wait: what the handler returned.

        Raises FunctionError when the function failed, TooManyRequestsException when it was throttled, and ExecutorLost
        when the executor went away meanwhile.
        """
        return self._result(self._executor.call(self._synchronous, encode_event(event)))

    def invoke(
        self,
        event: Any = None,
        mode: Mode = "sync",
        *,
        cold: bool = False,
        client_context: Mapping[str, Any] | None = None,
    ) -> Invocation:
        """Invoke and get everything that came of it. Never raises for the function's own error.

        mode      "sync" waits for the result; "async" queues the event, which is on disk when this returns, and will be
                  run and retried; "dry-run" checks that it could be invoked
        cold      run in a new execution environment, even if an idle one is there
        """
        more = {} if client_context is None else {"client_context": _checked_context(client_context)}
        request = self._request(mode, log=True, cold=cold, **more)
        header, payload = self._executor.call(request, encode_event(event))
        return Invocation(self.name, header, payload)

    def submit(self, event: Any = None) -> Future[Any]:
        """Invoke and get a Future of what `self(event)` would give or raise."""
        return self._executor.submit(self._synchronous, encode_event(event), self._result)

    def map(self, events: Iterable[Any], *, in_flight: int = 16) -> Iterator[Any]:
        """What the handler returns for each event, in their order, with at most `in_flight` under way.

        A throttled event is sent again after a while, unless a reserved concurrency of 0 stops the function. Raises
        what `self(event)` would, at that event's place. What takes longer than two seconds shows how far it is, if
        `events` has a length.
        """
        return map_events(self.name, self.submit, events, in_flight)

    # Changing

    def configure(self, **settings: Any) -> Function:
        """Change settings of the function, by the names that `deploy` takes; the code stays.

        `reserved_concurrency` and `provisioned_concurrency` may be changed too; None takes them away.
        """
        self._executor.ask("configure", name=self.name, qualifier=self.qualifier, **settings_to_wire(settings))
        return self

    def publish(self, description: str = "") -> Function:
        """Publish $LATEST as a version, which never changes. The same version as before if nothing changed since."""
        version = self._executor.ask("publish", name=self.name, description=description)["version"]
        return Function(self.name, version, self._executor)

    def alias(self, name: str, version: str | int, weights: Mapping[str, float] | None = None) -> Function:
        """Point an alias at a version. `weights` sends a share of its invocations to one other version: {"2": 0.1}."""
        self._executor.ask("put_alias", name=self.name, alias=name, version=str(version), weights=dict(weights or {}))
        return Function(self.name, name, self._executor)

    def delete(self) -> None:
        """Delete the function with its versions and aliases, or, if this is one of these, it alone."""
        self._executor.ask("delete", name=self.name, qualifier=self.qualifier)

    # Looking

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return function_arn(self.name, self.qualifier)

    @property
    def description(self) -> dict[str, Any]:
        """All there is to say about it: configuration, version, code, state, concurrency, aliases, environments."""
        described: dict[str, Any] = self._executor.ask("get", name=self.name, qualifier=self.qualifier)
        return described

    @property
    def source(self) -> str:
        """The code, as deployed."""
        source: str = self._executor.ask("source", name=self.name, qualifier=self.qualifier)["source"]
        return source

    def records(self, since: Any = None, limit: int = 100_000) -> DataFrame:
        """One row per invocation, newest last; columns as `lambdanb.model.records.Record`, times in ms.

        `since`: a datetime, a timedelta or seconds back from now; by default all that is kept (30 days). Raises
        ValueError for another `since`, and for a `limit` that is no whole number from 1.
        """
        from lambdanb.client.frames import records_frame

        return records_frame(self._executor, self.name, since, limit)

    def metrics(self, since: Any = None) -> DataFrame:
        """One row per minute: invocations, errors, throttles, cold starts, durations (p50, p90, p99, max), cost."""
        from lambdanb.client.frames import metrics_frame

        return metrics_frame(self._executor, self.name, since)

    def profile(self, since: Any = None) -> Profile:
        """What the simulator learns from its records: durations, init times and errors, by memory size; and of its
        configuration, keep-alive, timeout, /tmp and architecture.

        Raises ValueError when it hasn't run yet.
        """
        from lambdanb.simulator.profile import SETTINGS, Profile

        configuration = self.description["configuration"]
        return Profile.from_records(self.records(since), **{name: configuration[name] for name in SETTINGS})

    def dashboard(self, stream: Any = None, *, seconds: float = 60.0, event: Any = None) -> Any:
        """Drive it by a stream and see what comes of it while it runs: real requests, or a forecast from its records.

        stream   your own, such as `Poisson(20)`; else one of those that the dashboard offers
        seconds  how long a run is, at first
        event    what each request carries, as in `lambdanb.load`

        Raises RuntimeError outside of a notebook with `%load_ext lambdanb`.
        """
        if Function._dashboard is None:
            raise RuntimeError("A dashboard is shown by a notebook: run %load_ext lambdanb in it first.")
        return Function._dashboard(self, stream, seconds=seconds, event=event)

    def logs(self, n: int = 100, request_id: str | None = None) -> list[str]:
        """The last `n` lines of the function's log, or of one invocation's. Raises ValueError for an `n` under 1."""
        check_count("n", n)
        page = self._executor.ask("logs", name=self.name, limit=n, request_id=request_id)
        pages = [page["lines"]]
        while page["older"] is not None and (n := n - len(page["lines"])) > 0:
            page = self._executor.ask("logs", name=self.name, limit=n, request_id=request_id, before=page["older"])
            pages.append(page["lines"])
        return [line["text"] for lines in reversed(pages) for line in lines]

    def __reduce__(self) -> tuple[type[Function], tuple[str, str | None, Executor]]:
        return Function, (self.name, self.qualifier, self._executor)

    def __repr__(self) -> str:
        return f"<Function {self.name}{':' + self.qualifier if self.qualifier else ''}>"

    def _request(self, mode: Mode, **more: Any) -> Request:
        return Request(op="invoke", name=self.name, qualifier=self.qualifier, mode=mode, **more)

    def _result(self, answer: Answer) -> Any:
        header, payload = answer
        if header.get("error") is None:
            return json.loads(payload)
        raise FunctionError.from_payload(
            payload, request_id=header["request_id"], log=header.get("log", ""), function=self.name
        )


_encoder = json.JSONEncoder()
_LARGEST_CONTEXT_BYTES = 3583
_LARGEST_EVENT_BYTES = max(rules.payload_bytes for rules in RULES.values())


def encode_event(event: Any) -> bytes:
    """The event as JSON. Raises TypeError for what JSON can't say, RequestTooLargeException over 6 MB."""
    try:
        payload = _encoder.encode(event).encode()
    except RecursionError:
        # None of it in the error: that would be a traceback of a thousand frames.
        raise TypeError("An event must be JSON: this one is nested too deep for it. Flatten it.") from None
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"An event must be JSON: {error}. Give numbers, texts, lists, dicts, True, False, None."
        ) from error
    if len(payload) > _LARGEST_EVENT_BYTES:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
            f"(limit {_LARGEST_EVENT_BYTES} bytes)"
        )
    return payload


def _checked_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """A client context, as AWS takes one: a JSON object, at most 3,583 bytes of it in base64."""
    if not isinstance(context, Mapping):
        raise TypeError(f"client_context is {context!r:.80}: it must be a dict that JSON can say")
    try:
        encoded = _encoder.encode(dict(context))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"client_context must be a dict that JSON can say: {error}") from None
    size = 4 * ((len(encoded) + 2) // 3)
    if size > _LARGEST_CONTEXT_BYTES:
        raise ValueError(
            f"client_context has {size:,} bytes in base64; Lambda takes at most {_LARGEST_CONTEXT_BYTES:,}"
        )
    return dict(context)


def settings_to_wire(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the API's names, as the executor takes them. Raises TypeError naming the choices."""
    known = {*SETTINGS, "reserved_concurrency", "provisioned_concurrency"}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise TypeError(f"unknown setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return {_CONFIGURATION_NAMES.get(name, name): value for name, value in settings.items()}
