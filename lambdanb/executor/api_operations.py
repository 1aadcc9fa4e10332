"""What the AWS API asks of the executor beyond what notebooks ask: plain data in, plain data out, as in `operations`.

The gateway puts AWS's shapes together from it. Revision ids and "must not exist yet" are checked here, where the
registry is, so that of two callers one is refused.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambdanb.executor import concurrency, log_reader, record_reader
from lambdanb.executor.attachments import EVENT_INVOKE, Attachments
from lambdanb.executor.aws_endpoint import AwsEndpoint
from lambdanb.executor.catalogue import Catalogue
from lambdanb.executor.event_queue import EventQueue
from lambdanb.executor.logs import LogStore
from lambdanb.executor.operations import Operations
from lambdanb.executor.versions import Alias, FunctionVersion
from lambdanb.model.configuration import Configuration
from lambdanb.model.names import LATEST
from lambdanb.sandbox.probe import Capabilities

_EVENT_SETTINGS = frozenset(("on_success", "on_failure", "maximum_retry_attempts", "maximum_event_age_s"))


class ApiOperations(Operations):
    """All operations there are."""

    def __init__(
        self,
        catalogue: Catalogue,
        queue: EventQueue,
        logs: LogStore,
        log_directory: Path,
        records: sqlite3.Connection,
        capabilities: Capabilities,
        flush: Callable[[], None],
        attachments: Attachments,
        aws: AwsEndpoint,
    ) -> None:
        super().__init__(catalogue, queue, logs, log_directory, records, capabilities, flush)
        self.attachments = attachments
        self.aws = aws

    def op_endpoint(self) -> dict[str, Any]:
        """Where the AWS API is served, from now on while this executor lives."""
        return {"url": self.aws.url()}

    def op_emulator(self) -> dict[str, Any]:
        """Whether the emulator of the other services is installed; from now on it can be connected to."""
        return {"installed": self.aws.emulator()}

    # What notebooks ask too, and what has to follow from it

    def op_deploy(self, name: str, code: dict[str, Any], **settings: Any) -> dict[str, Any]:
        """As there; event settings of its own are in force, whatever the AWS API had set."""
        described = super().op_deploy(name, code, **settings)
        self.attachments.remove(EVENT_INVOKE, name, LATEST)
        return described

    def op_configure(self, name: str, qualifier: str | None = None, **settings: Any) -> dict[str, Any]:
        """As there; event settings that are changed are in force, whatever the AWS API had set."""
        described = super().op_configure(name, qualifier, **settings)
        if _EVENT_SETTINGS & settings.keys():
            self.attachments.remove(EVENT_INVOKE, name, LATEST)
        return described

    def op_delete(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """As there, with what is attached."""
        answer = super().op_delete(name, qualifier)
        self.attachments.forget(name, qualifier)
        return answer

    # Functions and versions

    def op_check_function(self, name: str, settings: dict[str, Any], new: bool = False) -> dict[str, Any]:
        """Whether such a function could be made, or changed so: before its code is unpacked for nothing."""
        if new:
            self.registry.check_free(name)
        base = Configuration(function_name=name) if new else self.registry.get(name).configuration
        self._configuration(base, settings)
        return {}

    def op_create_function(self, name: str, code: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """A new function of code that is in the store: {"sha256", "bytes", "imports"}."""
        configuration, _ = self._configuration(Configuration(function_name=name), settings)
        version = self.registry.put_function(
            configuration, code["sha256"], code_bytes=code["bytes"], imports=code["imports"], new=True
        )
        self.catalogue.changed(name)
        self.catalogue.apply_concurrency()
        return self._version(version)

    def op_update_function(
        self, name: str, settings: dict[str, Any], code: dict[str, Any] | None = None, revision_id: str | None = None
    ) -> dict[str, Any]:
        """Change settings, and the code where it is given; triggers stay."""
        current = self.registry.get(name)
        configuration, _ = self._configuration(current.configuration, settings)
        version = self.registry.put_function(
            configuration,
            code["sha256"] if code else current.code_sha256,
            code_bytes=code["bytes"] if code else current.code_bytes,
            imports=code["imports"] if code else current.imports,
            triggers=current.triggers,
            revision_id=revision_id,
        )
        if version.revision_id != current.revision_id:
            self.catalogue.changed(name)
            self.catalogue.apply_concurrency()
        return self._version(version)

    def op_version(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """One version; an alias gives its main one."""
        return self._version(self.registry.get(name, qualifier))

    def op_versions(self, name: str | None = None) -> dict[str, Any]:
        """`$LATEST` and the published versions of a function, or the `$LATEST` of every one."""
        found = self.registry.functions() if name is None else self.registry.versions(name)
        return {"versions": [self._version(version) for version in found]}

    def op_publish_version(
        self, name: str, description: str = "", code_sha256: str | None = None, revision_id: str | None = None
    ) -> dict[str, Any]:
        """Freeze `$LATEST`, if its code and revision are these."""
        return self._version(self.registry.publish(name, description, code_sha256=code_sha256, revision_id=revision_id))

    # Aliases

    def op_change_alias(
        self,
        name: str,
        alias: str,
        version: str | None = None,
        weights: dict[str, float] | None = None,
        description: str | None = None,
        new: bool = False,
        revision_id: str | None = None,
    ) -> dict[str, Any]:
        """Make an alias, or change what is given of one."""
        if not new:
            current = self.registry.alias(name, alias)
            version = current.version if version is None else version
            weights = dict(current.weights) if weights is None else weights
            description = current.description if description is None else description
        put = self.registry.put_alias(
            name,
            alias,
            version or LATEST,
            weights=weights,
            description=description or "",
            new=new,
            revision_id=revision_id,
        )
        self.catalogue.aliases_changed(name)
        self.catalogue.apply_concurrency()
        return _alias(put)

    def op_alias(self, name: str, alias: str) -> dict[str, Any]:
        """One alias."""
        self.registry.get(name)
        return _alias(self.registry.alias(name, alias))

    def op_aliases(self, name: str, version: str | None = None) -> dict[str, Any]:
        """The aliases of a function, or those of one of its versions."""
        return {"aliases": [_alias(alias) for alias in self.registry.aliases(name, version)]}

    def op_delete_alias(self, name: str, alias: str) -> dict[str, Any]:
        """Nothing happens where there is none, as on AWS."""
        self.registry.delete_alias(name, alias)
        self.attachments.forget(name, alias)
        self.catalogue.aliases_changed(name)
        self.catalogue.apply_concurrency()
        return {}

    # Concurrency

    def op_reserve(self, name: str, executions: int | None) -> dict[str, Any]:
        """Reserve concurrency, or with None take it away."""
        if executions is None:
            concurrency.delete_reserved(self.registry, name)
        else:
            concurrency.put_reserved(self.registry, name, executions)
        self.catalogue.apply_concurrency()
        return {"executions": executions}

    def op_provision(self, name: str, qualifier: str, executions: int | None) -> dict[str, Any]:
        """Provision concurrency of a version or alias, or with None take it away."""
        if executions is None:
            concurrency.delete_provisioned(self.registry, name, qualifier)
        else:
            concurrency.put_provisioned(self.registry, name, qualifier, executions)
        self.catalogue.apply_concurrency()
        return {}

    def op_provisioned(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """Provisioned concurrency of one version or alias, or of all; `ready` environments have run their init."""
        if qualifier is None:
            self.registry.get(name)
            entries = concurrency.provisioned(self.registry, name)
        else:
            entries = [concurrency.get_provisioned(self.registry, name, qualifier)]
        told = []
        for entry in entries:
            deployment = self.catalogue.deployment_of(self.registry.get(name, entry.qualifier))
            alive = [environment for environment in deployment.environments if environment.provisioned]
            ready = sum(environment.state != "initialising" for environment in alive)
            told.append(dataclasses.asdict(entry) | {"ready": min(ready, entry.executions)})
        return {"provisioned": told}

    # Attachments

    def op_attach(self, kind: str, function: str, key: str, value: Any) -> dict[str, Any]:
        """Attach to a function (to the account for ""), in place of what was there."""
        if function:
            self.registry.get(function, key or None)
        self.attachments.put(kind, function, key, value)
        return {}

    def op_detach(self, kind: str, function: str, key: str) -> dict[str, Any]:
        """Take away what is attached."""
        self.attachments.remove(kind, function, key)
        return {}

    def op_attachments(self, kind: str, function: str | None = None) -> dict[str, Any]:
        """What is attached, of a kind: to one function, or to any."""
        if function:
            self.registry.get(function)
        return {"attachments": self.attachments.find(kind, function)}

    # Logs and metrics

    def op_log_lines(self, name: str, **choice: Any) -> dict[str, Any]:
        """A page of a log, as `log_reader.read` chooses: by stream, `since_ms`, `until_ms`, `before`, `limit`."""
        self.registry.get(name)
        self.flush()
        page = log_reader.read(self.log_directory, name, **choice)
        return {"lines": page.lines, "older": page.older, "newer": page.newer}

    def op_metrics_of(self, **choice: Any) -> dict[str, Any]:
        """Metrics per period, as `record_reader.read_metrics` chooses."""
        self.flush()
        return {"metrics": record_reader.read_metrics(self.records, **choice)}

    def _version(self, version: FunctionVersion) -> dict[str, Any]:
        return {
            "configuration": version.configuration.to_json(),
            "version": version.version,
            "description": version.description,
            "code_sha256": version.code_sha256,
            "code_bytes": version.code_bytes,
            "last_modified": version.last_modified,
            "revision_id": version.revision_id,
            "reserved_concurrency": concurrency.reserved(self.registry).get(version.function),
        }


def _alias(alias: Alias) -> dict[str, Any]:
    return dataclasses.asdict(alias) | {"weights": dict(alias.weights)}
