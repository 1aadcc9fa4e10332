"""A deployment: one version of one function, as the executor runs it, with its environments."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lambdanb.executor.environments import Environment
from lambdanb.executor.templates import Template
from lambdanb.model.configuration import Configuration
from lambdanb.model.names import REGION, function_arn
from lambdanb.model.rules import Rules, cpu_share
from lambdanb.sandbox.sandbox import Sandbox, Sandboxes


@dataclass(frozen=True)
class PayloadLimits:
    """Bytes. `answer_bytes` leaves room for a failure's stack trace beside the largest result."""

    request_bytes: int
    response_bytes: int
    answer_bytes: int


@dataclass(eq=False)
class Deployment:
    """`idle` is a stack: the environment used last is used next, as on AWS, so that the others can expire. Provisioned
    ones, which are paid for anyhow, lie on top.

    `down` are those that lost their runtime (a crash, a timeout) and wait with their /tmp for a fresh one.
    """

    configuration: Configuration
    version: str
    code: str
    imports: frozenset[str]
    rules: Rules
    access: Callable[[str, str], dict[str, str]]
    idle: list[Environment] = field(default_factory=list)
    down: list[Environment] = field(default_factory=list)
    environments: set[Environment] = field(default_factory=set)
    provisioned: int = 0
    retired: bool = False
    template: Template | None = None

    def __post_init__(self) -> None:
        rules = self.rules
        self.name = self.configuration.function_name
        kept_s = self.configuration.keep_alive_s
        self.fixed_keep_alive_s = float(kept_s) if isinstance(kept_s, (int, float)) else None
        self.arn = function_arn(self.name, None if self.version == "$LATEST" else self.version)
        self.payload_limits = PayloadLimits(rules.payload_bytes, rules.response_bytes, rules.response_bytes + 1048576)

    def start_message(self, log_stream: str, *, template: bool, environment_id: str) -> dict[str, Any]:
        """What a runtime is told at its start."""
        initialization = "snap-start" if self.configuration.snap_start else "on-demand"
        return {
            "handler": self.configuration.handler,
            "environ": self.variables(log_stream) | {"AWS_LAMBDA_INITIALIZATION_TYPE": initialization},
            "template": template,
            "environment": environment_id,
            "request_bytes": self.payload_limits.request_bytes,
            "response_bytes": self.payload_limits.response_bytes,
        }

    def variables(self, log_stream: str) -> dict[str, str]:
        """The environment variables of the function: Lambda's own, and over them the configured ones.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        configuration = self.configuration
        search = [os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin", "/opt/bin"]
        variables = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_REGION": REGION,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LANG": "en_US.UTF-8",
            "PATH": ":".join(search),
            "TZ": ":UTC",
            "_HANDLER": configuration.handler,
        }
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            if name in os.environ:
                variables[name] = os.environ[name]
        return variables | self.access(function_arn(self.name), configuration.role) | dict(configuration.environment)

    def ahead(self, sandboxes: Sandboxes, readable: list[str]) -> dict[str, Any]:
        """What an init is told that may become one of this deployment's environments."""
        return sandboxes.ahead(self.code, readable)

    def create_sandbox(
        self, sandboxes: Sandboxes, environment_id: str, readable: list[str], *, template: bool = False
    ) -> Sandbox:
        """A sandbox under this function's limits. A template's own connections aren't counted: init makes it once."""
        configuration, rules = self.configuration, self.rules
        return sandboxes.create(
            environment_id,
            memory_mb=configuration.memory_mb,
            tmp_mb=configuration.tmp_mb,
            processes=rules.processes,
            files=rules.files,
            connections=None if template else rules.connections,
            cpu_share=cpu_share(configuration.memory_mb, rules),
            task_dir=self.code,
            readable=readable,
            template=template,
        )
