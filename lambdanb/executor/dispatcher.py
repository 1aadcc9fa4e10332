"""The dispatcher: gives each invocation an environment, watches over it, and tells how it ended.

An invocation is placed (`executor.placement` may throttle it), then runs at once in an idle environment or waits for
one that is started for it. However the environment behaves, `Invocation.done` is called once, with an `Outcome`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from lambdanb.executor.deployments import Deployment
from lambdanb.executor.environments import Ending, Environment
from lambdanb.executor.fleet import Fleet
from lambdanb.executor.invocations import Invocation, Outcome, error_type_of, failure_of_ending
from lambdanb.executor.logs import LogStore
from lambdanb.executor.loop import Loop
from lambdanb.executor.placement import Placement
from lambdanb.executor.record_store import RecordStore
from lambdanb.executor.times import Times
from lambdanb.model import function_errors
from lambdanb.model.billing import billed_ms, invocation_cost
from lambdanb.model.errors import TooManyRequestsException
from lambdanb.model.records import Record, Report, end_line, start_line
from lambdanb.model.wire import encode_raw

MOST_ATTEMPTS = 3
"""At an environment that is killed, by somebody else, before the function runs."""


class Dispatcher:
    """`on_write` is called whenever there is something to be written to disk; `on_room` when concurrency came free."""

    def __init__(
        self, loop: Loop, times: Times, fleet: Fleet, placement: Placement, records: RecordStore, logs: LogStore
    ) -> None:
        self.loop = loop
        self.times = times
        self.fleet = fleet
        self.placement = placement
        self.records = records
        self.logs = logs
        self.under_way = 0
        self.on_write: Callable[[], None] = lambda: None
        self.on_room: Callable[[], None] = lambda: None
        fleet.owner = self

    def invoke(self, invocation: Invocation, *, synchronous: bool) -> None:
        """Run it. When it is throttled this raises TooManyRequestsException, records it, and `done` isn't called."""
        deployment = invocation.deployment
        now_s = time.monotonic()
        try:
            self.placement.enter(deployment.name, now_s, synchronous=synchronous)
            environment = None if invocation.cold else self.fleet.take_idle(deployment)
            if environment is None:
                try:
                    environment = self.fleet.launch(deployment, now_s, new=invocation.cold)
                except BaseException:
                    self.placement.leave(deployment.name)
                    raise
        except TooManyRequestsException as throttle:
            self._record_throttle(invocation, throttle)
            raise
        self.under_way += 1
        if environment.state == "idle":
            self._run(environment, invocation, now_s)
        else:
            environment.invocation = invocation

    def ready(self, environment: Environment) -> None:
        """Init succeeded: run what waits for the environment, or keep it."""
        now_s = time.monotonic()
        environment.init_ms = (now_s - environment.started_s) * 1e3
        invocation = environment.invocation
        if invocation is None:
            # Initialised ahead (provisioned): nobody waited for it, so no invocation is a cold start or has an init.
            environment.fresh = False
            self.fleet.keep(environment)
        else:
            self._run(environment, invocation, now_s)

    def replied(self, environment: Environment, header: dict[str, Any], payload: bytes) -> None:
        """The handler returned or raised."""
        invocation = environment.invocation
        assert invocation is not None
        ended_s = time.monotonic()
        if len(payload) > environment.deployment.rules.response_bytes and not header["error"]:
            payload = function_errors.response_too_large(environment.deployment.rules.response_bytes)
            header["error"] = True
        if header["error"]:
            self._finish(environment, payload, "error", error_type_of(payload), header, ended_s)
        else:
            if invocation.answer is not None:
                invocation.answer(payload)
            self._finish(environment, payload, "ok", None, header, ended_s)
        self.fleet.keep(environment)
        self.on_room()

    def init_failed(self, environment: Environment, failure: bytes) -> None:
        """Init raised: the invocation that waited for it gets the failure."""
        environment.drain_log()
        if environment.invocation is not None:
            self._begin_late(environment)
            self._finish(environment, failure, "error", error_type_of(failure))
        self.fleet.retire(environment)
        self.on_room()

    def ended(self, environment: Environment, ending: Ending) -> None:
        """The runtime ended by itself, for its limits, or at its deadline."""
        invocation = environment.invocation
        if invocation is None:
            self.fleet.retire(environment)
            return
        initialising = invocation.started_s == 0.0
        timeout_s = float(environment.deployment.configuration.timeout_s)
        timeout = function_errors.timeout_message(timeout_s)
        if initialising:
            timeout = function_errors.init_timeout_message(self.times.init_timeout_s, timeout_s)
            self._begin_late(environment)
        payload, error_type, line = failure_of_ending(ending, invocation.request_id, timeout)
        environment.log.complete()
        environment.log.line(line.encode())
        self._finish(environment, payload, "timeout" if ending.timed_out else "crashed", error_type)
        if environment.state != "down":
            self.fleet.retire(environment)
        elif not environment.provisioned or environment.deployment.retired:
            self.fleet.keep(environment)
        else:
            # Provisioned is initialised. If its init is gone, `lost` is told, and it is replaced.
            self.fleet.restart(environment)
        self.on_room()

    def lost(self, environment: Environment, why: str) -> None:
        """The environment is gone altogether."""
        invocation = environment.invocation
        if not environment.begun and self._launch_again(environment):
            return
        if invocation is not None:
            if invocation.started_s == 0.0:
                self._begin_late(environment)
            payload, error_type, line = failure_of_ending(Ending(None, why=why), invocation.request_id, "")
            environment.log.line(line.encode())
            self._finish(environment, payload, "crashed", error_type)
        self.fleet.retire(environment)
        self.on_room()

    def logged(self, environment: Environment, request_id: str | None, text: bytes) -> None:
        """Lines of the function's log."""
        self.logs.append(environment.deployment.name, environment.log_stream, request_id, int(time.time() * 1000), text)
        self.on_write()

    def logged_ahead(self, deployment: Deployment, log_stream: str, text: bytes) -> None:
        """Lines of an init that was run ahead, in a template."""
        self.logs.append(deployment.name, log_stream, None, int(time.time() * 1000), text)
        self.on_write()

    def _run(self, environment: Environment, invocation: Invocation, now_s: float) -> None:
        deployment = environment.deployment
        timeout_s = deployment.configuration.timeout_s
        invocation.started_s = now_s
        environment.log.begin(
            invocation.request_id, start_line(invocation.request_id, deployment.version), keep=invocation.keep_log
        )
        deadline_ms = int((time.time() + timeout_s) * 1000)
        # An id, a number and an ARN need no escaping.
        head = f'{{"id":"{invocation.request_id}","deadline_ms":{deadline_ms},"arn":"{invocation.arn}"'
        if invocation.client_context is not None:
            head += f',"context":{json.dumps(invocation.client_context)}'
        if invocation.trace is not None:
            head += f',"trace":{json.dumps(invocation.trace)}'
        message = encode_raw((head + "}").encode(), invocation.payload)
        environment.run(invocation, message, now_s + timeout_s)

    def _launch_again(self, environment: Environment) -> bool:
        """Zygote, init or runtime died before anything of the function ran, so try another; but not for ever."""
        if environment.attempts == MOST_ATTEMPTS:
            return False
        self.fleet.retire(environment)
        try:
            another = self.fleet.launch(environment.deployment, time.monotonic(), provisioned=environment.provisioned)
        except TooManyRequestsException:
            return False
        another.attempts = environment.attempts + 1
        another.invocation = environment.invocation
        return True

    def _begin_late(self, environment: Environment) -> None:
        """Init came to nothing, so the event was never given to the function: its log still gets START."""
        invocation = environment.invocation
        assert invocation is not None
        now_s = time.monotonic()
        environment.init_ms = (now_s - environment.started_s) * 1e3
        invocation.started_s = now_s
        environment.log.begin(
            invocation.request_id,
            start_line(invocation.request_id, environment.deployment.version),
            keep=invocation.keep_log,
        )

    def _finish(
        self,
        environment: Environment,
        payload: bytes,
        status: str,
        error_type: str | None,
        header: dict[str, Any] | None = None,
        ended_s: float | None = None,
    ) -> None:
        """Bill, record, log, and give the outcome. `header` is the runtime's own account, if it lived to give one."""
        now_s = time.monotonic() if ended_s is None else ended_s
        invocation = environment.invocation
        assert invocation is not None
        environment.invocation = None
        deployment = environment.deployment
        own_peak_kb = header["rss_kb"] if header is not None else 0
        peak_bytes, cpu_ns = environment.sandbox.usage(own_peak_kb * 1024)
        environment.sandbox.idle()
        cpu_ms = max(cpu_ns / 1e6, header["cpu_us"] / 1e3 if header is not None else 0.0)
        duration_ms = (now_s - invocation.started_s) * 1e3
        init_ms = environment.init_ms if environment.fresh else None
        environment.fresh = False
        rules, configuration = deployment.rules, deployment.configuration
        billed = billed_ms(duration_ms, rules, init_ms)
        max_memory_mb = -(-peak_bytes // 1048576)
        record = Record(
            invocation.request_id,
            deployment.name,
            deployment.version,
            environment.id,
            invocation.arrived_ms,
            (invocation.started_s - invocation.arrived_s) * 1e3 - (init_ms or 0.0),
            init_ms,
            duration_ms,
            billed,
            configuration.memory_mb,
            max_memory_mb,
            cpu_ms,
            init_ms is not None,
            status,
            error_type,
            invocation.trigger,
            invocation_cost(
                billed,
                configuration.memory_mb,
                rules,
                configuration.tmp_mb,
                configuration.architecture,
                environment.provisioned,
            ),
            environment.provisioned,
            invocation.batch_size,
            invocation.iterator_age_ms,
        )
        self.records.add(record)
        report = Report(
            invocation.request_id,
            duration_ms,
            billed,
            configuration.memory_mb,
            max_memory_mb,
            init_ms,
            status=None if status in ("ok", "error") else ("timeout" if status == "timeout" else "error"),
            error_type=error_type if status == "crashed" else None,
        )
        log = environment.log.end(f"{end_line(invocation.request_id)}\n{report.line()}\n")
        self.placement.leave(deployment.name)
        self.under_way -= 1
        self.on_write()
        if status != "ok" or invocation.answer is None:
            invocation.done(Outcome(payload, None if status == "ok" else "Unhandled", record, log))

    def _record_throttle(self, invocation: Invocation, throttle: TooManyRequestsException) -> None:
        deployment = invocation.deployment
        self.records.add(
            Record(
                invocation.request_id,
                deployment.name,
                deployment.version,
                "",
                invocation.arrived_ms,
                0.0,
                None,
                0.0,
                0,
                deployment.configuration.memory_mb,
                0,
                0.0,
                False,
                "throttled",
                throttle.reason,
                invocation.trigger,
                0.0,
                False,
                invocation.batch_size,
                invocation.iterator_age_ms,
            )
        )
        self.on_write()
