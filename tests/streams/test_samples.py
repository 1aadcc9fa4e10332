"""Powertools' event classes and its parser's models, written from AWS's own samples, accept every sample event."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools.utilities import data_classes
from aws_lambda_powertools.utilities.data_classes.iot_registry_event import IoTCoreThingEvent as ThingEventClass
from aws_lambda_powertools.utilities.parser import models
from aws_lambda_powertools.utilities.parser.models.iot_registry_events import IoTCoreThingEvent as ThingEventModel

from lambdanb.streams import samples

EVERY: list[tuple[Callable[[], dict[str, Any]], Any, Any]] = [
    (samples.s3_put, data_classes.S3Event, models.S3Model),
    (samples.dynamodb_stream, data_classes.DynamoDBStreamEvent, models.DynamoDBStreamModel),
    (
        lambda: samples.dynamodb_stream(items=[{"id": "1"}], event_name="MODIFY"),
        data_classes.DynamoDBStreamEvent,
        models.DynamoDBStreamModel,
    ),
    (
        lambda: samples.dynamodb_stream(items=[{"id": "1"}], event_name="REMOVE"),
        data_classes.DynamoDBStreamEvent,
        models.DynamoDBStreamModel,
    ),
    (samples.kinesis, data_classes.KinesisStreamEvent, models.KinesisDataStreamModel),
    (samples.sqs, data_classes.SQSEvent, models.SqsModel),
    (samples.sns, data_classes.SNSEvent, models.SnsModel),
    (samples.api_gateway, data_classes.APIGatewayProxyEvent, models.APIGatewayProxyEventModel),
    (
        lambda: samples.api_gateway(method="post", query={"a": "b"}, headers={"X-A": "1"}, body={"c": 1}),
        data_classes.APIGatewayProxyEvent,
        models.APIGatewayProxyEventModel,
    ),
    (samples.api_gateway_v2, data_classes.APIGatewayProxyEventV2, models.APIGatewayProxyEventV2Model),
    (
        lambda: samples.api_gateway_v2(method="post", query={"a": "b"}, headers={"X-A": "1"}, body={"c": 1}),
        data_classes.APIGatewayProxyEventV2,
        models.APIGatewayProxyEventV2Model,
    ),
    (samples.function_url, data_classes.LambdaFunctionUrlEvent, models.LambdaFunctionUrlModel),
    (samples.schedule, data_classes.EventBridgeEvent, models.EventBridgeModel),
    (samples.iot, ThingEventClass, ThingEventModel),
]


def read_all(value: Any, depth: int = 0) -> None:
    """Read every property of a Powertools event object, and of what these give: a missing key raises."""
    # Those that parse a body which isn't there or isn't JSON, and what an event of another kind has.
    left_out = {"json_body", "decoded_body", "data_as_json", "decoded_nested_sns_event", "decoded_nested_s3_event"}
    # A REST API's event has no version: HTTP APIs alone send one. The models check that of format 2.0.
    left_out |= {"version"}
    left_out |= {"glacier_event_data", "intelligent_tiering_event_data", "raw_event", "client_cert", "authorizer"}
    if depth > 5 or not isinstance(value, data_classes.common.DictWrapper):
        return
    for name in dir(type(value)):
        if isinstance(getattr(type(value), name), property) and name not in left_out:
            found = getattr(value, name)
            for inner in found if hasattr(found, "__next__") or isinstance(found, list) else [found]:
                read_all(inner, depth + 1)


@pytest.mark.parametrize(("make", "event_class", "model"), EVERY)
def test_powertools_accepts_it(make: Callable[[], dict[str, Any]], event_class: Any, model: Any) -> None:
    event = make()
    assert json.loads(json.dumps(event)) == event
    model.model_validate(event)
    read_all(event_class(event))


def test_every_sample_is_among_them() -> None:
    assert {name for name in samples.__all__} <= {getattr(make, "__name__", "") for make, _, _ in EVERY}


def test_s3_keys_are_url_encoded() -> None:
    event = samples.s3_put(bucket="photos", key="2026/a cat+ü.jpg", size=5)
    assert event["Records"][0]["s3"]["object"]["key"] == "2026/a+cat%2B%C3%BC.jpg"
    assert data_classes.S3Event(event).object_key == "2026/a cat+ü.jpg"
    assert data_classes.S3Event(event).bucket_name == "photos"


def test_dynamodb_items_come_back() -> None:
    item = {"id": "7", "n": 1, "price": Decimal("1.50"), "ok": True, "no": None, "raw": b"ab", "deep": {"l": ["a", 2]}}
    event = samples.dynamodb_stream(items=[item, {"id": "8"}])
    records = list(data_classes.DynamoDBStreamEvent(event).records)
    assert len(records) == 2
    assert records[0].dynamodb is not None
    assert records[0].dynamodb.keys == {"id": "7"}
    assert {**(records[0].dynamodb.new_image or {}), "raw": b"ab"} == item


def test_kinesis_data_come_back() -> None:
    event = samples.kinesis(data=["text", b"\x00\xff", {"a": 1}])
    records = list(data_classes.KinesisStreamEvent(event).records)
    assert records[0].kinesis.data_as_text() == "text"
    assert records[1].kinesis.data_as_bytes() == b"\x00\xff"
    assert records[2].kinesis.data_as_json() == {"a": 1}
    numbers = [int(record.kinesis.sequence_number) for record in records]
    assert numbers == sorted(numbers)


def test_messages_come_back() -> None:
    assert [r.json_body for r in data_classes.SQSEvent(samples.sqs(bodies=[{"a": 1}, {"a": 2}])).records] == [
        {"a": 1},
        {"a": 2},
    ]
    assert data_classes.SNSEvent(samples.sns(message={"a": 1})).sns_message == '{"a":1}'


def test_requests_come_back() -> None:
    asked: dict[str, Any] = {"method": "post", "path": "/p", "query": {"q": "a b"}, "body": {"x": 1}}
    for event in (
        data_classes.APIGatewayProxyEvent(samples.api_gateway(**asked)),
        data_classes.APIGatewayProxyEventV2(samples.api_gateway_v2(**asked)),
        data_classes.LambdaFunctionUrlEvent(samples.function_url(**asked)),
    ):
        assert (event.http_method, event.path, event.json_body) == ("POST", "/p", {"x": 1})
        assert event.query_string_parameters == {"q": "a b"}
        assert event.headers["content-type"] == "application/json"


def test_each_call_is_another_event() -> None:
    ids = {samples.sqs()["Records"][0]["messageId"] for _ in range(100)}
    assert len(ids) == 100


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: samples.sqs(bodies="text"), "bodies must be a list with one value for each record, not 'text'"),
        (lambda: samples.kinesis(data=[]), "data must have at least one value"),
        (lambda: samples.dynamodb_stream(items={"id": 1}), "items must be a list"),
        (lambda: samples.dynamodb_stream(items=[{"name": 1}]), "each item must have the key 'id'; this one has name"),
        (lambda: samples.dynamodb_stream(items=[{"id": {1j}}]), "DynamoDB has no type for"),
    ],
)
def test_what_is_no_batch_is_told(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()
