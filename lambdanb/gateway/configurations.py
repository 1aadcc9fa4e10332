"""Between AWS's members of a function's configuration and ours.

What is acted on becomes our settings; what can only be kept and given back is `recorded`; and what would change what a
function does, and can't be done here, is refused rather than recorded.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from lambdanb.gateway.refusals import not_here
from lambdanb.model.errors import InvalidParameterValueException
from lambdanb.model.names import LATEST, REGION, function_arn
from lambdanb.model.validation import RUNTIMES

_RECORDED = ("VpcConfig", "KMSKeyArn", "TracingConfig", "DeadLetterConfig", "LoggingConfig")
_NOT_HERE = {
    "FileSystemConfigs": "there are no network file systems to mount",
    "ImageConfig": "functions run from zip packages, not from container images",
    "TenancyConfig": "environments aren't separated by tenant",
    "CapacityProviderConfig": "there are no managed instances",
    "DurableConfig": "there are no durable executions",
    "RuntimeConfig": "a function's runtime is the interpreter that lambdanb runs on",
    "AcceleratorConfig": "there are no accelerators",
}
CREATING = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
_NOT_LISTED = ("State", "StateReason", "LastUpdateStatus", "LastUpdateStatusReason", "RuntimeVersionConfig")
_VPC = {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False, "VpcId": ""}


def settings_of(operation: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Our settings of the members that a request has, without `recorded`. Raises InvalidParameterValueException."""
    for name, why in _NOT_HERE.items():
        if members.get(name):
            raise not_here(f"{operation} with {name}", why)
    if members.get("PackageType", "Zip") != "Zip":
        raise not_here(f"{operation} with PackageType {members['PackageType']}", _NOT_HERE["ImageConfig"])
    settings: dict[str, Any] = {}
    for name, ours in (
        ("Handler", "handler"),
        ("Role", "role"),
        ("Description", "description"),
        ("Timeout", "timeout_s"),
        ("MemorySize", "memory_mb"),
    ):
        if name in members:
            settings[ours] = members[name]
    if "Runtime" in members:
        settings["runtime"] = _runtime(operation, members["Runtime"])
    if "Environment" in members:
        settings["environment"] = members["Environment"].get("Variables", {})
    if "EphemeralStorage" in members:
        settings["tmp_mb"] = members["EphemeralStorage"]["Size"]
    if "Architectures" in members:
        settings["architecture"] = members["Architectures"][0]
    if "SnapStart" in members:
        settings["snap_start"] = members["SnapStart"].get("ApplyOn") == "PublishedVersions"
    return settings


def recorded_of(operation: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a request's members and not acted on. Raises InvalidParameterValueException."""
    if members.get("DeadLetterConfig", {}).get("TargetArn"):
        raise not_here(
            f"{operation} with DeadLetterConfig", "there is no queue or topic here yet; use an on-failure destination"
        )
    logging = members.get("LoggingConfig", {})
    if logging.get("LogFormat", "Text") != "Text" or logging.get("LogGroup"):
        raise not_here(f"{operation} with LoggingConfig", "logs are text, in the function's own log group")
    return {name: members[name] for name in _RECORDED if name in members}


def _runtime(operation: str, runtime: str) -> str:
    if runtime not in RUNTIMES:
        raise InvalidParameterValueException(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(RUNTIMES)}] or be a valid ARN"
        )
    if not runtime.startswith("python"):
        raise not_here(f"{operation} with the runtime {runtime}", "only Python functions run here so far")
    return runtime


def function_configuration(version: Mapping[str, Any], qualifier: str | None = None) -> dict[str, Any]:
    """AWS's FunctionConfiguration of a version as the executor tells it; `qualifier` is what it was asked for under."""
    own = version["configuration"]
    name, recorded = own["function_name"], own["recorded"]
    published = version["version"] != LATEST
    vpc = recorded.get("VpcConfig")
    told: dict[str, Any] = {
        "FunctionName": name,
        "FunctionArn": function_arn(name, qualifier),
        "Runtime": own["runtime"],
        "Role": own["role"],
        "Handler": own["handler"],
        "CodeSize": recorded.get("CodeSize", version["code_bytes"]),
        "Description": version["description"] if published else own["description"],
        "Timeout": own["timeout_s"],
        "MemorySize": own["memory_mb"],
        "LastModified": version["last_modified"],
        "CodeSha256": code_sha256(version),
        "Version": version["version"],
        "TracingConfig": recorded.get("TracingConfig", {"Mode": "PassThrough"}),
        "RevisionId": version["revision_id"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [own["architecture"]],
        "EphemeralStorage": {"Size": own["tmp_mb"]},
        "SnapStart": {
            "ApplyOn": "PublishedVersions" if own["snap_start"] else "None",
            "OptimizationStatus": "On" if own["snap_start"] and published else "Off",
        },
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_version_arn(version)},
        "KMSKeyArn": recorded.get("KMSKeyArn"),
        "DeadLetterConfig": recorded.get("DeadLetterConfig") or None,
        "VpcConfig": _VPC | vpc if vpc is not None else None,
        "Layers": recorded.get("Layers") or None,
    }
    if own["environment"]:
        told["Environment"] = {"Variables": own["environment"]}
    return told


def listed(told: dict[str, Any]) -> dict[str, Any]:
    """What lists tell of a configuration."""
    return {name: value for name, value in told.items() if name not in _NOT_LISTED}


def being_created(told: dict[str, Any]) -> dict[str, Any]:
    """The configuration as CreateFunction answers it; the next look finds it Active."""
    return {**told, "State": "Pending", **CREATING, "LastUpdateStatus": None}


def being_updated(told: dict[str, Any]) -> dict[str, Any]:
    """The configuration as an update answers it; the next look finds it Successful."""
    return {
        **told,
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    }


def code_sha256(version: Mapping[str, Any]) -> str:
    """In AWS's form: of the zip that was uploaded; of a cell's code, of its files (which no zip held)."""
    told: str | None = version["configuration"]["recorded"].get("CodeSha256")
    return told or base64.b64encode(bytes.fromhex(version["code_sha256"])).decode()


def runtime_version_arn(version: Mapping[str, Any]) -> str:
    """In the form of AWS's runtime version ARNs; the hash is made of the runtime's name."""
    named = version["configuration"]["runtime"].encode().hex()
    return f"arn:aws:lambda:{REGION}::runtime:{named:0<64.64}"
