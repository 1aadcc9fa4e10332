"""Whether the source of an event source mapping is there, and fits the function: asked of the service that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lambdanb.client.aws import make_client
from lambdanb.client.credentials import variables
from lambdanb.gateway.api import Api
from lambdanb.model.errors import InvalidParameterValueException
from lambdanb.model.mappings import EventSourceMapping


async def check_source(api: Api, mapping: EventSourceMapping) -> None:
    """Raises InvalidParameterValueException."""
    version = await api.link.ask("version", name=mapping.function, qualifier=mapping.qualifier)
    await asyncio.to_thread(_check, mapping, variables(api.home, api.url), version["configuration"]["timeout_s"])


def _check(mapping: EventSourceMapping, aws: Mapping[str, str], timeout_s: int) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if mapping.kind == "kinesis":
            make_client("kinesis", aws).describe_stream_summary(StreamARN=mapping.source_arn)
        elif mapping.kind == "dynamodb":
            make_client("dynamodbstreams", aws).describe_stream(StreamArn=mapping.source_arn)
        else:
            _check_queue(make_client("sqs", aws), mapping, timeout_s)
    except ClientError as error:
        told: Mapping[str, Any] = error.response.get("Error", {})
        if mapping.kind == "sqs":
            message = (
                f"Error occurred while ReceiveMessage. SQS Error Code: {told.get('Code')}. SQS Error Message: "
                f"{told.get('Message')}"
            )
        elif told.get("Code") == "ResourceNotFoundException":
            message = f"Stream not found: {mapping.source_arn}"
        else:
            message = f"Received Exception while reading from provided stream. {told.get('Message')}"
        raise InvalidParameterValueException(message) from None
    except BotoCoreError as error:
        raise InvalidParameterValueException(
            f"Received Exception while reading from {mapping.source_arn}. {error}"
        ) from None


def _check_queue(client: Any, mapping: EventSourceMapping, timeout_s: int) -> None:
    account, name = mapping.source_arn.split(":")[4:6]
    url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    visibility_s = int(found["Attributes"]["VisibilityTimeout"])
    if visibility_s < timeout_s:
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
        )
