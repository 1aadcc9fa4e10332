"""A function's configuration: everything that one chooses about a function beside its code.

Plain data; `lambdanb.model.validation.validate` says whether the values are allowed. Published versions keep a
configuration forever, so it never changes: make another one with `dataclasses.replace`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdanb.model.names import DEFAULT_ROLE

PYTHON_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The runtime of functions in Python: that of the running interpreter, whose packages they use."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What AWS's CreateFunction takes, in our units, and the settings of event invocations.

    runtime               "python3.13", of the interpreter that runs lambdanb; "nodejs22.x", ...
    handler               "module.function"
    memory_mb, tmp_mb     memory; size of /tmp
    timeout_s             whole seconds
    environment           environment variables of the function, name to value
    role                  ARN of the execution role
    architecture          "x86_64" or "arm64": decides the price only, the code runs on this machine
    snap_start            fork environments of published versions from one whose init has run
    keep_alive_s          how long an idle environment is kept: seconds, or a distribution
                          (see `lambdanb.model.keep_alive`)
    on_success, on_failure  name or ARN of a function that gets the record of an event invocation, or None
    maximum_retry_attempts, maximum_event_age_s  of event invocations
    recorded              settings that are kept and given back by the AWS API, under AWS's names, and that nothing here
                          goes by (a VPC, a KMS key), and the hash and size of the zip that the code came in
    """

    function_name: str
    runtime: str = PYTHON_RUNTIME
    handler: str = "lambda_function.lambda_handler"
    memory_mb: int = 128
    timeout_s: int = 3
    tmp_mb: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    role: str = DEFAULT_ROLE
    description: str = ""
    architecture: str = "x86_64"
    snap_start: bool = False
    keep_alive_s: float | Mapping[str, Any] = 600.0
    on_success: str | None = None
    on_failure: str | None = None
    maximum_retry_attempts: int = 2
    maximum_event_age_s: int = 21_600
    recorded: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The configuration as a dict of plain JSON data; `from_json` makes an equal configuration of it."""
        data = dict(vars(self))
        data["environment"] = dict(self.environment)
        data["recorded"] = dict(self.recorded)
        if isinstance(self.keep_alive_s, Mapping):
            data["keep_alive_s"] = dict(self.keep_alive_s)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Configuration:
        """The configuration that `to_json` gave. Members that this version does not know are left out, and those that
        are missing get their default: a home may have been written by another version of lambdanb.
        """
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in data.items() if name in known})
