"""The executor, put together: stores, sandboxes, fleet, dispatcher, queue, door; its life from first client to last."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from lambdanb.code.store import CodeStore
from lambdanb.executor import concurrency
from lambdanb.executor.attachments import Attachments
from lambdanb.executor.aws_endpoint import AwsEndpoint
from lambdanb.executor.catalogue import Catalogue
from lambdanb.executor.dispatcher import Dispatcher
from lambdanb.executor.event_invocations import EventInvocations
from lambdanb.executor.event_queue import EventQueue, NewEvent
from lambdanb.executor.fleet import Fleet
from lambdanb.executor.invocations import Invocation, Outcome, new_request_id
from lambdanb.executor.logs import LogStore
from lambdanb.executor.loop import Loop, Timer
from lambdanb.executor.mapping_operations import MappingOperations
from lambdanb.executor.mappings import Mappings
from lambdanb.executor.operations import parse_arguments
from lambdanb.executor.own_log import tell
from lambdanb.executor.part_process import PartProcess
from lambdanb.executor.placement import Placement, carried_memory_mb
from lambdanb.executor.record_store import SCHEMA_VERSION as RECORDS_VERSION
from lambdanb.executor.record_store import RecordStore
from lambdanb.executor.registry import Registry
from lambdanb.executor.server import Client, Server
from lambdanb.executor.times import Times
from lambdanb.executor.zygotes import Zygotes
from lambdanb.model.database import StoreUnusable, open_reader
from lambdanb.model.errors import ServiceError, ValidationException
from lambdanb.model.names import function_arn
from lambdanb.model.validation import validate_payload_size
from lambdanb.sandbox import syscalls
from lambdanb.sandbox.identity import own_id
from lambdanb.sandbox.probe import Trial, probe
from lambdanb.sandbox.sandbox import Sandboxes
from lambdanb.sandbox.sweep import sweep
from lambdanb.sandbox.watchdog_start import Watchdog

_SHOWN_LOG_BYTES = 1024 * 1024
_MANY_ROWS = 500
"""Records that are written at once, so that what waits in memory doesn't grow with the rate of invocations."""


class Executor:
    """All of it. `run` returns when the last client has gone."""

    def __init__(self, home: Path, times: Times, trial: Trial) -> None:
        self.home = home
        self.times = times
        self.loop = Loop()
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self.executor_id = own_id()
        # These processes take longest to be ready.
        self.watchdog = Watchdog(home / "executor.log")
        self.zygotes = Zygotes(self.loop, self.executor_id, self.watchdog)
        capabilities = probe(trial=trial)
        sweep(capabilities.cgroup, capabilities.cgroup_dirs, home / "tmp")
        self.sandboxes = Sandboxes(capabilities, home / "tmp" / self.executor_id, self.watchdog, self.executor_id)
        self.registry = Registry(home / "registry.db")
        settings = concurrency.account_settings(self.registry)
        now_s = time.monotonic()
        self.placement = Placement(settings.rules, settings.concurrency, carried_memory_mb(), now_s)
        self.records = RecordStore(home / "records.db")
        self.logs = LogStore(home / "logs")
        self.fleet = Fleet(self.loop, times, self.placement, self.sandboxes, self.zygotes, readable_paths())
        self.dispatcher = Dispatcher(self.loop, times, self.fleet, self.placement, self.records, self.logs)
        self.dispatcher.on_write = self._write_soon
        self.aws = AwsEndpoint(self.loop, home, self.watchdog)
        code = CodeStore(home / "code")
        self.catalogue = Catalogue(self.registry, code, self.fleet, settings.rules, self.aws.variables)
        queue = EventQueue(home / "events.db", self.executor_id)
        attachments = Attachments(self.registry)
        self.events = EventInvocations(
            self.loop, times, queue, self.dispatcher, self.catalogue, attachments.event_settings, self._log
        )
        self.records_reader: sqlite3.Connection = open_reader(home / "records.db", RECORDS_VERSION)
        self.mappings = Mappings(self.registry)
        self.operations = MappingOperations(
            self.catalogue,
            queue,
            self.logs,
            home / "logs",
            self.records_reader,
            capabilities,
            self._write_all,
            attachments,
            self.aws,
            mappings=self.mappings,
        )
        self.sources = PartProcess(home, self.watchdog, "lambdanb.sources")
        self.mappings.on_change = lambda: self.loop.at_end_of_round(self._keep_sources)
        self._write_timer: Timer | None = None
        self._writes_early = True
        self._troubled = ""
        self._leaving_since_s: float | None = None
        self.server = Server(self.loop, home / "run", self._handle, self._on_alone)
        self.watchdog.remove_at_end(home / "run" / "executor.sock")
        self._watch_signals()
        self.catalogue.apply_concurrency()
        self._prune()
        self._keep_sources()
        self._on_alone()

    def run(self) -> None:
        """Serve, then end everything and write what is left."""
        # What is there now stays: collecting it again and again would only hold up invocations, which leave no cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        self.loop.run()
        self.sources.close()
        # Who comes now waits for the next executor; the emulator may take a moment to write its state.
        self.server.close()
        self.fleet.close()
        self.zygotes.close()
        self.aws.close()
        self._write_all()
        self.events.close()
        self.records.close()
        self.registry.close()
        self.sandboxes.close()
        with contextlib.suppress(FileNotFoundError):
            (self.home / "run" / "executor.sock").unlink()
        self.watchdog.close()

    # Requests

    def _handle(self, client: Client, header: dict[str, Any], payload: bytes) -> None:
        op = header["op"]
        if op == "invoke":
            self._invoke(client, header, payload)
        elif op == "serve":
            self.server.serve(client)
            client.answer(header["n"], {})
        elif op == "await_mappings":
            self.mappings.wait(
                parse_arguments(payload)["revision"], lambda told: client.answer(header["n"], {}, _dumps(told))
            )
        else:
            answer = self.operations.perform(op, parse_arguments(payload))
            client.answer(header["n"], {}, _dumps(answer))

    def _invoke(self, client: Client, header: dict[str, Any], payload: bytes) -> None:
        n, name, qualifier, mode = header["n"], header["name"], header.get("qualifier"), header["mode"]
        deployment = self.catalogue.resolve(name, qualifier)
        validate_payload_size(len(payload), deployment.rules, event=mode == "async")
        if mode == "dry-run":
            client.answer(n, {"status": 204, "request_id": "", "version": deployment.version})
            return
        if mode == "async":
            self._accept(client, header, payload)
            return
        if mode != "sync":
            raise ValidationException(f"The mode {mode!r} is none of sync, async, dry-run.")
        show_log = header.get("log", False)

        def done(outcome: Outcome) -> None:
            record = outcome.record
            answer: dict[str, Any] = {
                "status": 200,
                "request_id": record.request_id,
                "version": record.version,
                "error": outcome.function_error,
            }
            if show_log:
                answer["record"] = record.values()
            if show_log or outcome.function_error is not None:
                answer["log"] = _shown(outcome.log)
            client.answer(n, answer, outcome.payload)

        invocation = Invocation(
            deployment,
            payload,
            done,
            function_arn(name, qualifier) if qualifier else deployment.arn,
            client_context=header.get("client_context"),
            trigger=header.get("trigger", "invoke"),
            keep_log=True,
            cold=header.get("cold", False),
            batch_size=header.get("batch_size"),
            iterator_age_ms=header.get("iterator_age_ms"),
        )
        if not show_log:
            head = f'{{"n":{n},"status":200,"request_id":"{invocation.request_id}","version":"{deployment.version}"}}'
            invocation.answer = lambda result: client.answer_soon(head.encode(), result)
        self.dispatcher.invoke(invocation, synchronous=True)

    def _accept(self, client: Client, header: dict[str, Any], payload: bytes) -> None:
        deployment = self.catalogue.resolve(header["name"], header.get("qualifier"))
        context = header.get("client_context")
        invocation_id = new_request_id()
        event = NewEvent(
            invocation_id,
            header["name"],
            header.get("qualifier"),
            payload,
            int(time.time() * 1000),
            deployment.configuration.maximum_event_age_s,
            trigger=header.get("trigger", "event"),
            client_context=None if context is None else _dumps(context).decode(),
        )

        def acknowledge(refusal: ServiceError | None) -> None:
            if refusal is not None:
                client.refuse(header["n"], refusal)
            else:
                accepted = {"status": 202, "request_id": invocation_id, "version": deployment.version}
                client.answer(header["n"], accepted)

        self.events.accept(event, acknowledge)

    # Writing

    def _write_soon(self) -> None:
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.times.flush_s, self._write)
        elif self._writes_early and self.records.waiting >= _MANY_ROWS:
            self._writes_early = False
            self.loop.at_end_of_round(self._write)

    def _log(self, function: str, request_id: str, text: str) -> None:
        self.logs.append(function, "lambdanb", request_id, int(time.time() * 1000), text.encode())
        self.dispatcher.on_write()

    def _write_all(self) -> None:
        """All that waits, for a reader who asks now, and at the end; as far as the disk takes it."""
        while self._write():
            pass

    def _write(self) -> bool:
        """Some records and logs to disk, in a bounded time; True when more can be written now.

        When the disk takes nothing they wait, bounded, and the trouble is told once.
        """
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        waiting, more = 0, False
        for store in (self.records, self.logs):
            flushed = store.flush()
            waiting += flushed.waiting
            more = more or bool(flushed.waiting and flushed.written)
            if flushed.error is not None and flushed.error != self._troubled:
                self._troubled = flushed.error
                tell(flushed.error)
        self._writes_early = not waiting  # a disk that takes nothing isn't asked each time
        if not waiting:
            with contextlib.suppress(StoreUnusable):  # the event then runs again at the next start
                self.events.forget_finished()
        else:
            self._write_soon()
        return more

    def _prune(self) -> None:
        now_ms = int(time.time() * 1000)
        self.records.prune(now_ms)
        self.logs.prune(now_ms)
        in_use = self.registry.code_in_use() | self.operations.attachments.code_in_use()
        self.catalogue.code.prune(in_use | {Path(d.code).name for d in self.fleet.deployments})
        self.loop.call_later(self.times.prune_s, self._prune)

    # Event sources

    def _keep_sources(self) -> None:
        """There is a sources process while there is a mapping for it."""
        if self.mappings.active and not self.sources.up:
            self.sources.start([str(os.getpid())])
        elif self.sources.up and not self.mappings.active:
            self.sources.close()

    # Life and death

    def _on_alone(self) -> None:
        """No client is connected: end soon, unless one comes, or events are under way and finish in a moment."""
        self.loop.call_later(self.times.last_client_s, self._leave_if_alone)

    def _leave_if_alone(self) -> None:
        self.server.take_waiting()
        if self.server.in_use:
            self._leaving_since_s = None
            return
        now_s = time.monotonic()
        if self._leaving_since_s is None:
            self._leaving_since_s = now_s
        if self.events.under_way and now_s - self._leaving_since_s < self.times.drain_s:
            self.loop.call_later(0.05, self._leave_if_alone)
        else:
            self.loop.stop()

    def _watch_signals(self) -> None:
        """SIGTERM ends the executor in order; SIGCHLD has the dead collected, orphans of environments among them."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def on_signals(_: int) -> None:
            arrived = os.read(reader, 512)
            if signal.SIGTERM in arrived:
                self.loop.stop()
            self._reap()

        self.loop.watch(reader, on_signals)

    def _reap(self) -> None:
        self.watchdog.restart_if_dead()
        self.aws.restart_if_dead()
        if not self.sources.restart_if_dead():
            tell("The sources process ends as soon as it starts; no event source mapping is read.")
            self.mappings.settle()
        self.zygotes.collect()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def readable_paths() -> list[str]:
    """What functions may import: the interpreter's module path, which is the notebook's environment."""
    return [path for path in sys.path if os.path.isabs(path) and os.path.exists(path)]


def _shown(log: bytes) -> str:
    """As much of a log as goes with an answer: its end."""
    return log[-_SHOWN_LOG_BYTES:].decode("utf-8", "replace")


def _dumps(data: Any) -> bytes:
    return json.dumps(data).encode()
