"""Event (asynchronous) invocations: accepted into the durable queue, run when there is room, retried as AWS does.

Accepted means committed: the caller's acknowledgement is sent after the commit, and all events that arrived in one
round of the loop share one. A function error is retried after 1 and 2 minutes; a throttled event goes back with a wait
that doubles from 1 s to 5 minutes; what is older than its maximum age, or out of retries, goes to the on-failure
destination. That is a function, invoked by an event of its own, which is committed before the first is forgotten.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from lambdanb.executor.attachments import EventSettings
from lambdanb.executor.catalogue import Catalogue
from lambdanb.executor.deployments import Deployment
from lambdanb.executor.dispatcher import Dispatcher
from lambdanb.executor.event_queue import Event, EventQueue, NewEvent
from lambdanb.executor.invocations import Invocation, Outcome, new_request_id
from lambdanb.executor.loop import Loop, Timer
from lambdanb.executor.own_log import report_defect, tell
from lambdanb.executor.times import Times
from lambdanb.model.configuration import Configuration
from lambdanb.model.database import StoreUnusable
from lambdanb.model.errors import (
    RequestTooLargeException,
    ResourceNotFoundException,
    ServiceError,
    ServiceException,
    TooManyRequestsException,
)
from lambdanb.model.names import LATEST, function_arn, split_qualifier
from lambdanb.model.validation import validate_payload_size

MOST_UNDER_WAY = 64
"""Events of one home that run at a time. AWS has no such number; a laptop needs one."""

Settings = Callable[[str, str | None, Configuration], EventSettings]
"""How the events of a function, or of a qualifier, are retried and where they end up."""

Log = Callable[[str, str, str], None]
"""Takes a function's name, a request id and a line for that function's log."""


class EventInvocations:
    """Queues events and runs them. What becomes of one that its function doesn't see is told in a log."""

    def __init__(
        self,
        loop: Loop,
        times: Times,
        queue: EventQueue,
        dispatcher: Dispatcher,
        catalogue: Catalogue,
        settings: Settings,
        log: Log,
    ) -> None:
        self.under_way = 0
        self._loop = loop
        self._times = times
        self._queue = queue
        self._dispatcher = dispatcher
        self._catalogue = catalogue
        self._settings = settings
        self._log = log
        self._accepted: list[tuple[NewEvent, Callable[[ServiceError | None], None]]] = []
        self._finished: list[int] = []
        self._pumping = False
        self._wanting_room = False
        self._timer: Timer | None = None
        self._blocked_until_s: dict[str, float] = {}
        dispatcher.on_room = self._on_room
        queue.recover()
        self.pump_soon()

    def accept(self, event: NewEvent, acknowledge: Callable[[ServiceError | None], None]) -> None:
        """Queue an event; `acknowledge(None)` once it is on disk, or with why it couldn't be taken."""
        if not self._accepted:
            self._loop.at_end_of_round(self._commit)
        self._accepted.append((event, acknowledge))

    def pump_soon(self) -> None:
        """Look, at the end of this round, for events that are due."""
        if not self._pumping:
            self._pumping = True
            self._loop.at_end_of_round(self._pump)

    def forget_finished(self) -> None:
        """Delete the events that are finished. Call it when their logs and records are on disk: what an event did must
        be known before the event is forgotten. If the executor dies in between it runs again. Raises StoreUnusable.
        """
        if self._finished:
            self._queue.done(self._finished)
            self._finished = []

    def close(self) -> None:
        """Events still under way become due again at the next start."""
        self._queue.close()

    def _on_room(self) -> None:
        """Concurrency came free. Nearly always nothing waits for it, and then this must cost nothing.

        Looking for due events costs in proportion to them, so with many under way half of those have to finish first.
        """
        if self._wanting_room and self.under_way <= MOST_UNDER_WAY // 2:
            self.pump_soon()

    def _commit(self) -> None:
        accepted, self._accepted = self._accepted, []
        refusal: ServiceError | None = None
        try:
            self._queue.enqueue([event for event, _ in accepted])
        except StoreUnusable as error:
            refusal = ServiceException(f"The event can't be kept, so it isn't accepted. {error}")
        for _, acknowledge in accepted:
            acknowledge(refusal)
        self.pump_soon()

    def _pump(self) -> None:
        self._pumping = False
        try:
            if self.under_way < MOST_UNDER_WAY:
                self._claim()
            self._wait_for_next()
        except StoreUnusable:
            report_defect()
            self._timer = self._loop.call_later(1.0, self.pump_soon)

    def _claim(self) -> None:
        now_ms, now_s = int(time.time() * 1000), time.monotonic()
        for function in self._queue.due_functions(now_ms):
            room = min(self._dispatcher.placement.room(function), MOST_UNDER_WAY - self.under_way)
            if room <= 0 and self._blocked_until_s.get(function, 0.0) > now_s:
                continue
            if room <= 0:
                # One is claimed all the same, now and then: it is throttled on the record, or found too old.
                self._blocked_until_s[function] = now_s + self._times.throttle_backoff_s
            for event in self._queue.claim(now_ms, max(room, 1), function=function):
                self._start(event)

    def _start(self, event: Event) -> None:
        try:
            deployment = self._catalogue.resolve(event.function, event.qualifier)
        except ResourceNotFoundException as error:
            tell(f"The event {event.request_id} ({event.trigger or 'event'}) is dropped: {error}")
            self._finished_with(event)
            return
        settings = self._settings(event.function, event.qualifier, deployment.configuration)
        age_s = time.time() - event.enqueued_ms / 1000
        if age_s > min(event.maximum_age_s, settings.maximum_event_age_s):
            self._finish(event, settings.on_failure, deployment, "EventAgeExceeded", None)
            return
        invocation = Invocation(
            deployment,
            event.payload,
            lambda outcome: self._done(event, deployment, outcome),
            trigger=event.trigger or "event",
            client_context=json.loads(event.client_context) if event.client_context else None,
            request_id=event.request_id,
            arn=function_arn(event.function, event.qualifier),
        )
        self.under_way += 1
        try:
            self._dispatcher.invoke(invocation, synchronous=False)
        except TooManyRequestsException:
            self.under_way -= 1
            wait_s = min(self._times.throttle_backoff_s * 2**event.throttles, self._times.throttle_backoff_longest_s)
            self._put_back(event, wait_s, attempts=event.attempts, throttles=event.throttles + 1)

    def _done(self, event: Event, deployment: Deployment, outcome: Outcome) -> None:
        self.under_way -= 1
        attempts = event.attempts + 1
        settings = self._settings(event.function, event.qualifier, deployment.configuration)
        if outcome.function_error is None:
            self._finish(event, settings.on_success, deployment, "Success", outcome)
            self._on_room()
            return
        if attempts <= settings.maximum_retry_attempts:
            wait_s = self._times.retry_first_s if attempts == 1 else self._times.retry_second_s
            self._put_back(event, wait_s, attempts=attempts, throttles=0)
        else:
            self._finish(event, settings.on_failure, deployment, "RetriesExhausted", outcome)
        self.pump_soon()

    def _put_back(self, event: Event, wait_s: float, *, attempts: int, throttles: int) -> None:
        due_ms = int((time.time() + wait_s) * 1000)
        try:
            self._queue.reschedule(event.id, due_ms, attempts=attempts, throttles=throttles)
        except StoreUnusable:
            # It stays marked as under way, and is due again at the next start: late, but not lost.
            report_defect()

    def _finish(
        self, event: Event, destination: str | None, deployment: Deployment, condition: str, outcome: Outcome | None
    ) -> None:
        if destination is None:
            self._finished_with(event)
            return
        function, qualifier = split_qualifier(destination)
        record = destination_record(event, deployment, condition, outcome)
        try:
            self._catalogue.resolve(function, qualifier)
            validate_payload_size(len(record), self._catalogue.rules, event=True)
        except (ResourceNotFoundException, RequestTooLargeException) as error:
            # As on AWS, where the metric DestinationDeliveryFailures counts it.
            text = f"[lambdanb] the destination {destination} doesn't get this event's record ({condition}): {error}"
            self._log(event.function, event.request_id, text)
            self._finished_with(event)
            return
        onward = NewEvent(
            new_request_id(),
            function,
            qualifier,
            record,
            int(time.time() * 1000),
            deployment.configuration.maximum_event_age_s,
            trigger="destination",
        )
        self.accept(onward, lambda refusal: self._finished_with(event) if refusal is None else None)

    def _finished_with(self, event: Event) -> None:
        self._finished.append(event.id)
        self._dispatcher.on_write()

    def _wait_for_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ms = self._queue.next_due_ms()
        self._wanting_room = due_ms is not None and due_ms <= time.time() * 1000
        if due_ms is not None and self.under_way < MOST_UNDER_WAY:
            # What is overdue waits for room, which `on_room` tells; looking again in a while is for its age alone.
            wait_s = max(due_ms / 1000 - time.time(), 0.0) or self._times.throttle_backoff_s
            self._timer = self._loop.call_later(wait_s, self.pump_soon)


def destination_record(event: Event, deployment: Deployment, condition: str, outcome: Outcome | None) -> bytes:
    """What a destination is told, in AWS's form. Payloads are JSON already and are put in as they are."""
    now = time.time()
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z",
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": function_arn(event.function, event.qualifier or LATEST),
            "condition": condition,
            "approximateInvokeCount": event.attempts + (outcome is not None),
        },
    }
    parts = [json.dumps(record)[:-1].encode(), b', "requestPayload": ', event.payload]
    if outcome is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": deployment.version}
        if outcome.function_error is not None:
            context["functionError"] = outcome.function_error
        parts += [b', "responseContext": ', json.dumps(context).encode(), b', "responsePayload": ', outcome.payload]
    return b"".join((*parts, b"}"))
