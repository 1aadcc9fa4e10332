"""What a client may ask besides invoking: plain data in, plain data out, by the operation's name.

Each method whose name begins with `op_` is an operation; its arguments are the request's. Configuration that arrives is
validated here, in one place, by `lambdanb.model.validation`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambdanb.code.store import SOURCE_FILE, module_bytes
from lambdanb.executor import concurrency, log_reader, record_reader
from lambdanb.executor.catalogue import Catalogue
from lambdanb.executor.event_queue import EventQueue
from lambdanb.executor.logs import LogStore
from lambdanb.executor.versions import FunctionVersion
from lambdanb.model.configuration import Configuration
from lambdanb.model.errors import InvalidParameterValueException, ResourceNotFoundException, ServiceException
from lambdanb.model.names import function_arn, is_version, split_qualifier
from lambdanb.model.numbers import is_whole
from lambdanb.model.rules import RULES, Rules
from lambdanb.model.validation import (
    PROVISIONED_CONCURRENCY,
    RESERVED_CONCURRENCY,
    validate,
    validate_concurrency,
)
from lambdanb.sandbox.probe import Capabilities, enforcements

_CONCURRENCY = {"reserved_concurrency": RESERVED_CONCURRENCY, "provisioned_concurrency": PROVISIONED_CONCURRENCY}


class Operations:
    """The operations, over the executor's parts."""

    def __init__(
        self,
        catalogue: Catalogue,
        queue: EventQueue,
        logs: LogStore,
        log_directory: Path,
        records: sqlite3.Connection,
        capabilities: Capabilities,
        flush: Callable[[], None],
    ) -> None:
        self.catalogue = catalogue
        self.registry = catalogue.registry
        self.queue = queue
        self.logs = logs
        self.log_directory = log_directory
        self.records = records
        self.capabilities = capabilities
        self.flush = flush

    def perform(self, op: str, arguments: dict[str, Any]) -> Any:
        """Do it. Raises the service's errors; an unknown operation is one that a newer client asks for."""
        operation = getattr(self, f"op_{op}", None)
        if operation is None:
            raise ServiceException(
                f"This executor doesn't know the operation {op!r}: it was started by another version of lambdanb. "
                "Close the notebooks that use it, or run `kill` on its process, and call again."
            )
        return operation(**arguments)

    def op_hello(self) -> dict[str, Any]:
        """Who answers."""
        return {"pid": os.getpid()}

    # Functions

    def op_deploy(self, name: str, code: dict[str, Any], **settings: Any) -> dict[str, Any]:
        """Make or replace a function. What `settings` doesn't name gets its default."""
        self._check_concurrency(settings)
        configuration, extra = self._configuration(Configuration(function_name=name), settings)
        files = {SOURCE_FILE: module_bytes(code["source"])}
        files |= {path: base64.b64decode(content) for path, content in code.get("files", {}).items()}
        size = sum(map(len, files.values()))
        if size > self.catalogue.rules.unzipped_bytes:
            raise InvalidParameterValueException(
                f"Unzipped size must be smaller than {self.catalogue.rules.unzipped_bytes} bytes; it is {size}."
            )
        version = self.registry.put_function(
            configuration,
            self.catalogue.code.put_files(files),
            code_bytes=size,
            imports=code.get("imports", ()),
        )
        # Before anything that may be refused: what runs is what is registered.
        self.catalogue.changed(name)
        try:
            self._put_concurrency(name, None, extra, defaults=True)
        finally:
            self.catalogue.apply_concurrency()
        return self._describe(version)

    def op_copy(self, name: str, qualifier: str | None, to: str, **settings: Any) -> dict[str, Any]:
        """Make a function `to`, new, of another's code and configuration, with some settings of its own."""
        version = self.registry.get(name, qualifier)
        own = dataclasses.replace(version.configuration, function_name=to)
        configuration, _ = self._configuration(own, settings)
        copy = self.registry.put_function(
            configuration, version.code_sha256, code_bytes=version.code_bytes, imports=version.imports, new=True
        )
        self.catalogue.changed(to)
        return self._describe(copy)

    def op_configure(self, name: str, qualifier: str | None = None, **settings: Any) -> dict[str, Any]:
        """Change settings; the code stays. A version or alias has provisioned concurrency alone to change."""
        self._check_concurrency(settings)
        version = self.registry.get(name, qualifier)
        changed = {key: value for key, value in settings.items() if key not in _CONCURRENCY}
        if changed and qualifier is not None:
            raise InvalidParameterValueException(
                f"{name}:{qualifier} is published and never changes; configure {name} and publish again. "
                "Only provisioned_concurrency is a version's or an alias's own."
            )
        if changed:
            configuration, _ = self._configuration(version.configuration, changed)
            version = self.registry.put_function(
                configuration,
                version.code_sha256,
                code_bytes=version.code_bytes,
                imports=version.imports,
                triggers=version.triggers,
            )
            self.catalogue.changed(name)
        self._put_concurrency(name, qualifier, settings, defaults=False)
        self.catalogue.apply_concurrency()
        return self._describe(version)

    def op_functions(self) -> dict[str, Any]:
        """All functions, by name."""
        return {"functions": [self._describe(version) for version in self.registry.functions()]}

    def op_get(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """One function, version or alias. The ARN is that of the qualifier: of an alias, not of its version."""
        return self._describe(self.registry.get(name, qualifier)) | {"arn": function_arn(name, qualifier)}

    def op_source(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """The code of the function's module, the one that its handler names."""
        version = self.registry.get(name, qualifier)
        module = version.configuration.handler.rpartition(".")[0].replace(".", "/")
        try:
            source = self.catalogue.code.read(version.code_sha256, f"{module}.py")
        except (FileNotFoundError, ValueError):
            raise ResourceNotFoundException(f"{version.arn} has no file {module}.py: its handler names none") from None
        return {"source": source.decode("utf-8", "replace" if version.configuration.recorded else "surrogatepass")}

    def op_publish(self, name: str, description: str = "") -> dict[str, Any]:
        """Freeze $LATEST as a version."""
        return self._describe(self.registry.publish(name, description))

    def op_put_alias(self, name: str, alias: str, version: str, weights: dict[str, float]) -> dict[str, Any]:
        """Point an alias at a version."""
        put = self.registry.put_alias(name, alias, version, weights=weights)
        self.catalogue.aliases_changed(name)
        self.catalogue.apply_concurrency()
        return {"name": put.name, "version": put.version, "weights": dict(put.weights), "arn": put.arn}

    def op_delete(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """Delete a function with all that belongs to it, or one version or alias."""
        if qualifier is not None and not is_version(qualifier):
            self.registry.alias(name, qualifier)
            self.registry.delete_alias(name, qualifier)
            self.catalogue.aliases_changed(name)
        else:
            self.registry.delete(name, qualifier)
            self.catalogue.deleted(name, qualifier)
        if qualifier is None:
            self.queue.delete_function(name)
            self.logs.delete(name)
        self.catalogue.apply_concurrency()
        return {}

    # The account

    def op_settings(self, rules: str | None = None, concurrency: int | None = None) -> dict[str, Any]:
        """The rules in force and the account's concurrency; changed first where an argument says so."""
        if rules is not None or concurrency is not None:
            self._check_functions_fit(rules)
            settings = _put_settings(self.catalogue, rules, concurrency)
            self.catalogue.rules_changed(settings.rules, settings.concurrency)
        placement = self.catalogue.fleet.placement
        return {
            "rules": self.catalogue.rules.name,
            "concurrency": placement.concurrency,
            "unreserved": placement.concurrency - placement.reserved,
            "memory_mb": placement.memory_mb,
            "used_memory_mb": placement.used_memory_mb,
        }

    def op_limits(self) -> dict[str, Any]:
        """Every limit with what holds it on this machine."""
        rules = self.catalogue.rules
        found = enforcements(self.capabilities, connections=rules.connections)
        values = limit_values(rules)
        return {
            "rules": rules.name,
            "limits": [{"value": values.get(limit.limit, "")} | dataclasses.asdict(limit) for limit in found],
            "missing": dict(self.capabilities.reasons),
        }

    # What happened

    def op_logs(
        self,
        name: str,
        limit: int = 1000,
        request_id: str | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> dict[str, Any]:
        """Lines of a function's log: the newest, those before `before`, or those written since `after`.

        A page may be short, even empty, and yet have `older`: go on from there. 10,000 lines a page at most.
        """
        limit = min(_count(limit), 10_000)
        self.registry.get(name)
        self.flush()
        if after is None:
            page = log_reader.read(self.log_directory, name, request_id=request_id, before=before, limit=limit)
        else:
            page = log_reader.read_after(self.log_directory, name, after, request_id=request_id, limit=limit)
        return {"lines": page.lines, "newer": page.newer, "older": page.older}

    def op_records(
        self, name: str | None = None, since_ms: float | None = None, after_id: int | None = None, limit: int = 10_000
    ) -> dict[str, Any]:
        """Records, newest last, at most 10,000 a page."""
        self.flush()
        limit = min(_count(limit), 10_000)
        rows = record_reader.read_records(
            self.records, function=name, since_ms=since_ms, after_id=after_id, limit=limit
        )
        return {"records": rows}

    def op_metrics(
        self, name: str | None = None, since_ms: float = 0, period_s: int = 60, limit: int = 1_440
    ) -> dict[str, Any]:
        """Metrics per period, oldest first."""
        self.flush()
        rows = record_reader.read_metrics(
            self.records, function=name, since_ms=since_ms, period_s=period_s, limit=_count(limit)
        )
        return {"metrics": rows}

    def op_environments(self) -> dict[str, Any]:
        """Every execution environment there is now."""
        environments = [
            {
                "id": environment.id,
                "function": environment.deployment.name,
                "version": environment.deployment.version,
                "state": environment.state,
                "init_pid": environment.init_pid,
            }
            for environment in self.catalogue.fleet.environments()
        ]
        depths = {name: dataclasses.asdict(depth) for name, depth in self.queue.depths().items()}
        return {"environments": environments, "events": depths}

    def _configuration(self, base: Configuration, settings: dict[str, Any]) -> tuple[Configuration, dict[str, Any]]:
        """The changed configuration, valid under the rules in force, and the settings that aren't part of it."""
        known = {field.name for field in dataclasses.fields(Configuration)}
        own = {key: value for key, value in settings.items() if key in known}
        extra = {key: value for key, value in settings.items() if key not in known}
        unknown = extra.keys() - _CONCURRENCY.keys()
        if unknown:
            choices = ", ".join(sorted({*known, *_CONCURRENCY} - {"function_name"}))
            raise InvalidParameterValueException(f"Unknown settings {', '.join(sorted(unknown))}; there are {choices}.")
        configuration = dataclasses.replace(base, **own)
        validate(configuration, self.catalogue.rules)
        for key in own.keys() & {"on_success", "on_failure"}:
            self._check_destination(key, own[key], configuration.function_name)
        return configuration, extra

    def _check_destination(self, key: str, destination: str | None, function_name: str) -> None:
        if destination is None:
            return
        name, qualifier = split_qualifier(destination)
        if name == function_name:
            raise InvalidParameterValueException(
                f"{key} is {destination!r}: a function can't be its own destination, it would run for ever."
            )
        try:
            self.registry.get(name, qualifier)
        except ResourceNotFoundException as error:
            raise InvalidParameterValueException(
                f"{key} is {destination!r}, which doesn't exist; deploy it first. ({error})"
            ) from error

    def _check_concurrency(self, given: dict[str, Any]) -> None:
        """What is no number at all is refused before anything is changed."""
        for key, limit in _CONCURRENCY.items():
            if given.get(key) is not None:
                validate_concurrency(given[key], limit, self.catalogue.rules)

    def _put_concurrency(self, name: str, qualifier: str | None, given: dict[str, Any], *, defaults: bool) -> None:
        """Reserved and provisioned concurrency, where they are given; None takes them away."""
        reserved, provisioned = (given.get(key) for key in _CONCURRENCY)
        if reserved is not None:
            concurrency.put_reserved(self.registry, name, reserved)
        elif "reserved_concurrency" in given or defaults:
            concurrency.delete_reserved(self.registry, name)
        if provisioned is not None:
            # AWS provisions published versions only. Here $LATEST may ask for it: its newest version is published, and
            # takes the place of the one before.
            if qualifier is None:
                qualifier = self.registry.publish(name).version
                self._unprovision_versions(name, but=qualifier)
            concurrency.put_provisioned(self.registry, name, qualifier, provisioned)
        elif "provisioned_concurrency" in given:
            if qualifier is None:
                self._unprovision_versions(name)
            else:
                concurrency.delete_provisioned(self.registry, name, qualifier)

    def _unprovision_versions(self, name: str, but: str = "") -> None:
        """Take away the provisioned concurrency of the function's versions; that of aliases is their own."""
        for entry in concurrency.provisioned(self.registry, name):
            if is_version(entry.qualifier) and entry.qualifier != but:
                concurrency.delete_provisioned(self.registry, name, entry.qualifier)

    def _check_functions_fit(self, rules: str | None) -> None:
        """Rules are changed for functions that keep to them, or not at all. Unknown rules are refused later."""
        if rules is None or rules not in RULES:
            return
        for version in self.registry.functions():
            try:
                validate(version.configuration, RULES[rules])
            except (InvalidParameterValueException, Exception) as error:
                raise InvalidParameterValueException(
                    f"The function {version.function} doesn't keep to the rules {rules}: {error} "
                    "Configure or delete it first."
                ) from error

    def _describe(self, version: FunctionVersion) -> dict[str, Any]:
        name = version.function
        provisioned = {entry.qualifier: entry.executions for entry in concurrency.provisioned(self.registry, name)}
        ready = self.catalogue.provisioned_ready(name)
        states = {"starting": 0, "idle": 0, "busy": 0, "down": 0}
        for environment in self.catalogue.fleet.environments():
            if environment.deployment.name == name:
                state = "starting" if environment.state == "initialising" else environment.state
                states[state] = states.get(state, 0) + 1
        return {
            "configuration": version.configuration.to_json(),
            "version": version.version,
            "arn": version.arn,
            "state": version.state,
            "code_sha256": version.code_sha256,
            "code_bytes": version.code_bytes,
            "last_modified": version.last_modified,
            "revision_id": version.revision_id,
            "imports": list(version.imports),
            "reserved_concurrency": concurrency.reserved(self.registry).get(name),
            "provisioned_concurrency": provisioned,
            "provisioned_ready": ready,
            "provisioned_wait": self.catalogue.provisioned_wait if ready != provisioned else None,
            "versions": [each.version for each in self.registry.versions(name)],
            "aliases": [
                {"name": alias.name, "version": alias.version, "weights": dict(alias.weights)}
                for alias in self.registry.aliases(name)
            ],
            "environments": states,
        }


def _count(limit: object) -> int:
    """How many rows or lines are wanted."""
    if not is_whole(limit) or limit < 1:
        raise InvalidParameterValueException(f"limit is {limit!r}: give a whole number, 1 or more.")
    return limit


def _put_settings(catalogue: Catalogue, rules: str | None, account: int | None) -> concurrency.AccountSettings:
    return concurrency.put_account_settings(catalogue.registry, rules_name=rules, concurrency=account)


def limit_values(rules: Rules) -> dict[str, str]:
    """What each limit that a sandbox holds comes to under these rules, by the limit's name there."""
    return {
        "memory": rules.memory_mb.range,
        "cpu": f"1 vCPU per {rules.full_vcpu_mb:,} MB",
        "timeout": rules.timeout_s.range,
        "processes": f"{rules.processes:,} processes and threads",
        "files": f"{rules.files:,}",
        "tmp": rules.tmp_mb.range,
        "connections": f"{rules.connections:,} outbound" if rules.connections is not None else "none stated",
        "isolation": "its own files, processes and environment only",
        "bandwidth": "in proportion to memory",
    }


def parse_arguments(payload: bytes) -> dict[str, Any]:
    """A request's arguments."""
    arguments = json.loads(payload) if payload else {}
    if not isinstance(arguments, dict):
        raise ServiceException("A request's arguments are a JSON object.")
    return arguments
