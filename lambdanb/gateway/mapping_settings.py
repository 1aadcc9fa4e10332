"""The settings of an event source mapping between AWS's members and ours, with AWS's rules for them.

What the model says of each member's range has been checked before.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdanb.gateway.api import Members
from lambdanb.gateway.refusals import not_here
from lambdanb.model.errors import InvalidParameterValueException
from lambdanb.model.event_patterns import InvalidPattern
from lambdanb.model.filter_criteria import MOST_FILTERS, criteria
from lambdanb.model.mapping_limits import FIFO_QUEUE, QUEUE, QUEUE_BATCH_WITHOUT_WINDOW, STREAM
from lambdanb.model.mappings import EventSourceMapping, kind_of, mapping_arn
from lambdanb.model.names import split_qualifier

_PLAIN = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "batching_window_s",
    "ParallelizationFactor": "parallelization_factor",
    "MaximumRetryAttempts": "maximum_retry_attempts",
    "MaximumRecordAgeInSeconds": "maximum_record_age_s",
    "BisectBatchOnFunctionError": "bisect_batch_on_function_error",
    "TumblingWindowInSeconds": "tumbling_window_s",
}
_OF_STREAMS = (
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "TumblingWindowInSeconds",
    "DestinationConfig",
)
_NOT_HERE = (
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Tags",
    "Topics",
)
_YOUNGEST_AGE_S = 60


def new_mapping(uuid: str, function: str, qualifier: str | None, members: Members) -> EventSourceMapping:
    """What CreateEventSourceMapping asks for. Raises InvalidParameterValueException."""
    arn = members.get("EventSourceArn")
    if not arn:
        raise InvalidParameterValueException("Unrecognized event source.")
    try:
        kind = kind_of(arn)
    except ValueError:
        raise not_here(
            f"CreateEventSourceMapping of {arn}", "Kinesis and DynamoDB streams and SQS queues are"
        ) from None
    defaults = EventSourceMapping(
        uuid=uuid,
        source_arn=arn,
        function=function,
        qualifier=qualifier,
        batch_size=(QUEUE if kind == "sqs" else STREAM)[0].default,
    )
    made = changed_mapping("CreateEventSourceMapping", defaults, members)
    position, moment = members.get("StartingPosition"), members.get("StartingPositionTimestamp")
    if kind == "sqs":
        return made
    if position is None:
        raise InvalidParameterValueException(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must "
            "not be null."
        )
    if kind == "dynamodb" and position == "AT_TIMESTAMP":
        raise InvalidParameterValueException(f"Unsupported starting position for arn type: {arn}")
    if moment is not None and position != "AT_TIMESTAMP":
        raise InvalidParameterValueException("Timestamp only valid with StartingPosition AT_TIMESTAMP")
    if moment is None and position == "AT_TIMESTAMP":
        raise InvalidParameterValueException("StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp.")
    return dataclasses.replace(
        made, starting_position=position, starting_timestamp_s=None if moment is None else moment.timestamp()
    )


def changed_mapping(operation: str, mapping: EventSourceMapping, members: Members) -> EventSourceMapping:
    """A mapping with the members that are given. Raises InvalidParameterValueException."""
    for name in _NOT_HERE:
        if members.get(name):
            raise not_here(f"{operation} with {name}", "it has no meaning for streams and queues on one machine")
    if mapping.kind == "sqs":
        for name in _OF_STREAMS:
            if name in members:
                raise InvalidParameterValueException(f"{name} is not valid for SQS event sources.")
    elif "ScalingConfig" in members:
        raise InvalidParameterValueException("ScalingConfig is only supported for Amazon SQS event sources.")
    given: dict[str, Any] = {ours: members[theirs] for theirs, ours in _PLAIN.items() if theirs in members}
    if "ScalingConfig" in members:
        given["maximum_concurrency"] = members["ScalingConfig"].get("MaximumConcurrency")
    if "FunctionResponseTypes" in members:
        given["report_batch_item_failures"] = bool(members["FunctionResponseTypes"])
    if "FilterCriteria" in members:
        given["filters"] = _filters(mapping, members["FilterCriteria"])
    if "DestinationConfig" in members:
        given["on_failure"] = _on_failure(operation, mapping, members["DestinationConfig"])
    made = dataclasses.replace(mapping, **given)
    _check(made)
    return made


def _filters(mapping: EventSourceMapping, asked: Mapping[str, Any]) -> tuple[str, ...]:
    filters = asked.get("Filters", [])
    if len(filters) > MOST_FILTERS:
        raise InvalidParameterValueException(f"At most {MOST_FILTERS} filters are allowed, not {len(filters)}.")
    texts = tuple(each.get("Pattern", "") for each in filters)
    try:
        criteria(mapping.kind, texts)
    except InvalidPattern as error:
        raise InvalidParameterValueException("Invalid filter pattern definition.", str(error)) from None
    return texts


def _on_failure(operation: str, mapping: EventSourceMapping, asked: Mapping[str, Any]) -> str | None:
    if asked.get("OnSuccess", {}).get("Destination"):
        raise InvalidParameterValueException("An event source mapping has no destination for success.")
    arn: str | None = asked.get("OnFailure", {}).get("Destination") or None
    if arn is None:
        return None
    service = arn.split(":", 3)[2] if arn.count(":") > 2 else ""
    if service not in ("lambda", "sqs", "sns"):
        raise not_here(f"{operation} with the destination {arn}", "functions, queues and topics can be destinations")
    if service == "lambda":
        try:
            name, _ = split_qualifier(arn)
        except ValueError:
            raise InvalidParameterValueException(f"The destination {arn} is no function's ARN.") from None
        if name == mapping.function:
            raise InvalidParameterValueException("You can't specify the function as a destination for itself.")
    return arn


def _check(mapping: EventSourceMapping) -> None:
    """What goes together."""
    if 0 <= mapping.maximum_record_age_s < _YOUNGEST_AGE_S:
        raise InvalidParameterValueException(
            f"MaximumRecordAgeInSeconds must be -1, or {_YOUNGEST_AGE_S} and more, not {mapping.maximum_record_age_s}."
        )
    if mapping.fifo and mapping.batching_window_s:
        raise InvalidParameterValueException("Batching window is not supported for FIFO queues.")
    if mapping.fifo and mapping.batch_size > FIFO_QUEUE[0].maximum:
        raise InvalidParameterValueException(f"The batch size of a FIFO queue is at most {FIFO_QUEUE[0].maximum}.")
    if mapping.kind == "sqs" and mapping.batch_size > QUEUE_BATCH_WITHOUT_WINDOW and not mapping.batching_window_s:
        raise InvalidParameterValueException(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{QUEUE_BATCH_WITHOUT_WINDOW}"
        )


def told(kept: Mapping[str, Any]) -> Members:
    """A mapping as AWS's answers have it."""
    mapping = EventSourceMapping.from_json(kept["mapping"])
    shown: Members = {
        "UUID": mapping.uuid,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.batching_window_s,
        "EventSourceArn": mapping.source_arn,
        "EventSourceMappingArn": mapping_arn(mapping.uuid),
        "FunctionArn": mapping.function_arn,
        "LastModified": datetime.fromtimestamp(kept["last_modified_s"], UTC),
        "State": kept["state"],
        "StateTransitionReason": "USER_INITIATED" if mapping.kind == "sqs" else "User action",
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.report_batch_item_failures else [],
    }
    if mapping.filters:
        shown["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in mapping.filters]}
    if mapping.kind == "sqs":
        if mapping.maximum_concurrency is not None:
            shown["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
        return shown
    shown |= {theirs: getattr(mapping, ours) for theirs, ours in _PLAIN.items()}
    shown |= {
        "StartingPosition": mapping.starting_position,
        "DestinationConfig": {"OnFailure": {"Destination": mapping.on_failure} if mapping.on_failure else {}},
        "LastProcessingResult": kept["last_result"],
    }
    if mapping.starting_timestamp_s is not None:
        shown["StartingPositionTimestamp"] = datetime.fromtimestamp(mapping.starting_timestamp_s, UTC)
    return shown
