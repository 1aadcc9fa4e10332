"""A script as a user of boto3 has one: every family of operations, waiters, paginators, refusals. Run as a process.

It knows of the endpoint only what the environment says, and prints which operations were answered, and how.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import boto3
import script_attached
import script_functions
from answers import answered, watch
from botocore.config import Config
from botocore.exceptions import WaiterError
from talk import NOTHING, Client, pages, refused


def what_is_not_offered(aws: Client) -> None:
    assert pages(aws, "list_event_source_mappings", "EventSourceMappings") == []
    with refused("InvalidParameterValueException", 400, "Error occurred while ReceiveMessage. SQS Error Code"):
        aws.create_event_source_mapping(FunctionName="f", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q")
    with refused("ResourceNotFoundException", 404, NOTHING):
        aws.get_event_source_mapping(UUID="00000000-0000-0000-0000-000000000000")
    with refused("InvalidParameterValueException", 400, "ListCapacityProviders isn't offered by lambdanb"):
        aws.list_capacity_providers()
    with refused("InvalidParameterValueException", 400, "ListDurableExecutionsByFunction isn't offered by lambdanb"):
        aws.list_durable_executions_by_function(FunctionName="f")


def logs_and_metrics() -> None:
    logs = boto3.client("logs")
    groups = [each["logGroupName"] for each in pages(logs, "describe_log_groups", "logGroups")]
    assert groups == ["/aws/lambda/f", "/aws/lambda/told"]
    asked = {"logGroupName": "/aws/lambda/f"}
    streams = pages(logs, "describe_log_streams", "logStreams", **asked)
    found = pages(logs, "filter_log_events", "events", **asked, filterPattern='"stage one"')
    assert found and all("stage one" in event["message"] for event in found)
    assert logs.get_log_events(**asked, logStreamName=streams[0]["logStreamName"], startFromHead=True)["events"]
    with refused("ResourceNotFoundException", 400, "The specified log group does not exist."):
        logs.filter_log_events(logGroupName="/aws/lambda/nobody")
    logs.close()
    metrics = boto3.client("cloudwatch")
    now = datetime.now(UTC)
    span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)}
    named = {"Namespace": "AWS/Lambda", "Dimensions": [{"Name": "FunctionName", "Value": "f"}]}
    listed = [page["Metrics"] for page in metrics.get_paginator("list_metrics").paginate(**named)]
    assert {metric["MetricName"] for page in listed for metric in page} >= {"Invocations", "Errors", "Duration"}
    counted = metrics.get_metric_statistics(**named, **span, MetricName="Errors", Period=3600, Statistics=["Sum"])
    assert sum(point["Sum"] for point in counted["Datapoints"]) == 1
    stat = {"Metric": named | {"MetricName": "Duration"}, "Period": 60, "Stat": "p50"}
    queries = [{"Id": "d", "MetricStat": stat}]
    paginator = metrics.get_paginator("get_metric_data")
    data = [page["MetricDataResults"] for page in paginator.paginate(MetricDataQueries=queries, **span)]
    assert all(value > 0 for page in data for result in page for value in result["Values"])
    metrics.close()


def main() -> None:
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    watch(boto3.DEFAULT_SESSION)
    aws = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    for family in (
        script_functions.functions,
        script_functions.invocations,
        script_functions.versions_and_aliases,
        script_functions.concurrency,
        script_attached.event_invoke_configurations,
        script_attached.permissions,
        script_attached.layers,
        script_attached.function_urls,
        script_attached.recorded,
        what_is_not_offered,
    ):
        family(aws)
    logs_and_metrics()
    aws.delete_function(FunctionName="f")
    try:
        aws.get_waiter("function_exists").wait(FunctionName="f", WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    except WaiterError as error:
        assert "Max attempts exceeded" in str(error)
    else:
        raise AssertionError("the waiter found a function that is deleted")
    aws.close()
    json.dump([[service, name, sorted(statuses)] for (service, name), statuses in answered.items()], sys.stdout)


if __name__ == "__main__":
    main()
