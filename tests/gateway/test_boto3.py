"""boto3, unmodified: every family of operations, waiters, paginators, errors."""

from __future__ import annotations

import base64
import datetime
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from packages import ROLE, zipped

import lambdanb
from lambdanb.client.follow import follow


def code_of(call: Callable[[], Any]) -> tuple[str, int]:
    """The error code and HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    told = caught.value.response
    return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]


def create(
    aws: Any, name: str, source: str = "def handler(event, context): return 1", **members: Any
) -> dict[str, Any]:
    given = {"Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler"} | members
    code = {"ZipFile": zipped({"app.py": source})}
    return aws.create_function(FunctionName=name, Code=code, **given)  # type: ignore[no-any-return]


def test_a_function_from_its_creation_to_its_end(aws: Any) -> None:
    made = create(aws, "life", MemorySize=256, Environment={"Variables": {"STAGE": "test"}}, Tags={"team": "a"})
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    aws.get_waiter("function_active_v2").wait(FunctionName="life")
    told = aws.get_function(FunctionName="life")
    assert told["Configuration"]["MemorySize"] == 256
    assert told["Configuration"]["CodeSha256"] == made["CodeSha256"]
    assert told["Tags"] == {"team": "a"}
    assert urllib.request.urlopen(told["Code"]["Location"]).read(2) == b"PK"
    changed = aws.update_function_configuration(FunctionName="life", Timeout=9, RevisionId=made["RevisionId"])
    assert changed["LastUpdateStatus"] == "InProgress"
    aws.get_waiter("function_updated_v2").wait(FunctionName="life")

    def stale() -> Any:
        return aws.update_function_configuration(FunctionName="life", Timeout=8, RevisionId=made["RevisionId"])

    assert code_of(stale) == ("PreconditionFailedException", 412)
    new = zipped({"app.py": "import part\ndef handler(e, c): return part.VALUE", "part.py": "VALUE = 2"})
    updated = aws.update_function_code(FunctionName="life", ZipFile=new, Publish=True)
    assert updated["Version"] == "1"
    assert json.load(aws.invoke(FunctionName="life")["Payload"]) == 2
    assert aws.delete_function(FunctionName="life")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code_of(lambda: aws.get_function(FunctionName="life")) == ("ResourceNotFoundException", 404)


def test_what_is_made_here_is_in_the_notebook_and_the_other_way_round(aws: Any) -> None:
    create(aws, "from-boto3", "def handler(event, context): return 'boto3'")
    assert lambdanb.get("from-boto3")() == "boto3"
    assert "boto3" in lambdanb.get("from-boto3").source
    lambdanb.deploy("from-notebook", "def lambda_handler(event, context): return 'cell'")
    assert json.load(aws.invoke(FunctionName="from-notebook")["Payload"]) == "cell"
    assert {"from-boto3", "from-notebook"} <= {each["FunctionName"] for each in aws.list_functions()["Functions"]}


def test_invocations_of_every_type(aws: Any, echo: str) -> None:
    answer = aws.invoke(FunctionName=echo, Payload=b'{"n": 1}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"], json.load(answer["Payload"])) == (200, "$LATEST", {"n": 1})
    log = base64.b64decode(answer["LogResult"]).decode()
    assert f"START RequestId: {answer['ResponseMetadata']['RequestId']} Version: $LATEST" in log
    failed = aws.invoke(FunctionName=echo, Payload=b'{"fail": "why"}')
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert json.load(failed["Payload"])["errorMessage"] == "why"
    event = aws.invoke(FunctionName=echo, InvocationType="Event", Payload=b"{}")
    assert (event["StatusCode"], event["Payload"].read()) == (202, b"")
    assert aws.invoke(FunctionName=echo, InvocationType="DryRun")["StatusCode"] == 204
    stream = aws.invoke_with_response_stream(FunctionName=echo, Payload=b'{"n": 2}')["EventStream"]
    assert list(stream) == [{"PayloadChunk": {"Payload": b'{"n": 2}'}}, {"InvokeComplete": {}}]
    assert code_of(lambda: aws.invoke(FunctionName=echo, Payload=b"{")) == ("InvalidRequestContentException", 400)
    large = b'"' + b"x" * (1024 * 1024) + b'"'

    def too_large() -> Any:
        return aws.invoke(FunctionName=echo, InvocationType="Event", Payload=large)

    assert code_of(too_large) == ("RequestTooLargeException", 413)
    assert len(aws.invoke(FunctionName=echo, Payload=large)["Payload"].read()) == len(large)


def test_versions_and_aliases(aws: Any) -> None:
    create(
        aws,
        "versions",
        "import os\ndef handler(e, c): return os.environ['STAGE']",
        Environment={"Variables": {"STAGE": "one"}},
    )
    assert aws.publish_version(FunctionName="versions")["FunctionArn"].endswith(":versions:1")
    aws.update_function_configuration(FunctionName="versions", Environment={"Variables": {"STAGE": "two"}})
    assert aws.publish_version(FunctionName="versions")["Version"] == "2"
    alias = aws.create_alias(FunctionName="versions", Name="live", FunctionVersion="1")
    assert json.load(aws.invoke(FunctionName="versions:live")["Payload"]) == "one"
    assert json.load(aws.invoke(FunctionName=alias["AliasArn"])["Payload"]) == "one"
    routing = {"AdditionalVersionWeights": {"2": 1.0}}
    aws.update_alias(FunctionName="versions", Name="live", RoutingConfig=routing)
    assert aws.invoke(FunctionName="versions", Qualifier="live")["ExecutedVersion"] == "2"
    assert [each["Version"] for each in aws.list_versions_by_function(FunctionName="versions")["Versions"]] == [
        "$LATEST", "1", "2",
    ]  # fmt: skip
    assert [each["Name"] for each in aws.list_aliases(FunctionName="versions")["Aliases"]] == ["live"]

    def in_use() -> Any:
        return aws.delete_function(FunctionName="versions", Qualifier="1")

    assert code_of(in_use) == ("ResourceConflictException", 409)
    aws.delete_alias(FunctionName="versions", Name="live")
    aws.delete_function(FunctionName="versions", Qualifier="1")
    assert code_of(lambda: aws.get_function(FunctionName="versions", Qualifier="1"))[1] == 404


def test_pages(aws: Any) -> None:
    for number in range(5):
        create(aws, f"page-{number}")
    pages = list(aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    assert [name for name in names if name.startswith("page-")] == [f"page-{number}" for number in range(5)]
    assert len(pages) >= 3


def test_concurrency(aws: Any, echo: str) -> None:
    aws.put_function_concurrency(FunctionName=echo, ReservedConcurrentExecutions=0)
    try:
        refused = code_of(lambda: aws.invoke(FunctionName=echo))
        assert refused == ("TooManyRequestsException", 429)
    finally:
        aws.delete_function_concurrency(FunctionName=echo)
    assert "ReservedConcurrentExecutions" not in aws.get_function_concurrency(FunctionName=echo)
    version = aws.publish_version(FunctionName=echo)["Version"]
    asked = {"FunctionName": echo, "Qualifier": version}
    put = aws.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=1)
    assert put["RequestedProvisionedConcurrentExecutions"] == 1
    assert aws.get_provisioned_concurrency_config(**asked)["Status"] in ("IN_PROGRESS", "READY")
    aws.delete_provisioned_concurrency_config(**asked)
    gone = code_of(lambda: aws.get_provisioned_concurrency_config(**asked))
    assert gone == ("ProvisionedConcurrencyConfigNotFoundException", 404)


def test_event_invoke_configuration_is_gone_by(aws: Any, echo: str) -> None:
    create(aws, "told", "def handler(e, c): return e")
    arn = aws.get_function(FunctionName="told")["Configuration"]["FunctionArn"]
    config = {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    put = aws.put_function_event_invoke_config(FunctionName=echo, **config)
    assert put["FunctionArn"].endswith(":echo:$LATEST")
    aws.invoke(FunctionName=echo, InvocationType="Event", Payload=b'{"fail": "for good"}')
    for line in follow("told", 10):
        if line.startswith("REPORT"):
            break
    aws.delete_function_event_invoke_config(FunctionName=echo)
    gone = code_of(lambda: aws.get_function_event_invoke_config(FunctionName=echo))
    assert gone == ("ResourceNotFoundException", 404)


def test_policies_and_function_urls(aws: Any, echo: str) -> None:
    url = aws.create_function_url_config(FunctionName=echo, AuthType="NONE")["FunctionUrl"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 403
    caught.value.close()
    everybody = {"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
    aws.add_permission(FunctionName=echo, StatementId="all", **everybody)
    event = json.load(urllib.request.urlopen(f"{url}a/b?x=1"))
    assert (event["rawPath"], event["queryStringParameters"]) == ("/a/b", {"x": "1"})
    aws.update_function_url_config(FunctionName=echo, AuthType="AWS_IAM")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 403
    caught.value.close()
    policy = json.loads(aws.get_policy(FunctionName=echo)["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["all"]
    aws.remove_permission(FunctionName=echo, StatementId="all")
    assert code_of(lambda: aws.get_policy(FunctionName=echo)) == ("ResourceNotFoundException", 404)
    aws.delete_function_url_config(FunctionName=echo)


def test_layers(aws: Any) -> None:
    layer = zipped({"python/shared.py": "VALUE = 'layer'", "python/mine.py": "VALUE = 'layer'"})
    made = aws.publish_layer_version(LayerName="base", Content={"ZipFile": layer})
    assert made["Version"] == 1
    source = "import shared, mine\ndef handler(e, c): return [shared.VALUE, mine.VALUE]"
    code = {"ZipFile": zipped({"app.py": source, "mine.py": "VALUE = 'own'"})}
    aws.create_function(
        FunctionName="layered", Runtime="python3.13", Role=ROLE, Handler="app.handler", Code=code,
        Layers=[made["LayerVersionArn"]],
    )  # fmt: skip
    assert json.load(aws.invoke(FunctionName="layered")["Payload"]) == ["layer", "own"]
    aws.update_function_configuration(FunctionName="layered", Layers=[])
    assert json.load(aws.invoke(FunctionName="layered")["Payload"])["errorType"] == "Runtime.ImportModuleError"
    aws.delete_layer_version(LayerName="base", VersionNumber=1)
    assert aws.list_layers()["Layers"] == []
    assert aws.publish_layer_version(LayerName="base", Content={"ZipFile": layer})["Version"] == 2


def test_tags_and_recorded_settings(aws: Any, echo: str) -> None:
    arn = aws.get_function(FunctionName=echo)["Configuration"]["FunctionArn"]
    aws.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    aws.untag_resource(Resource=arn, TagKeys=["a"])
    assert aws.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    aws.put_function_recursion_config(FunctionName=echo, RecursiveLoop="Allow")
    assert aws.get_function_recursion_config(FunctionName=echo)["RecursiveLoop"] == "Allow"
    aws.put_runtime_management_config(FunctionName=echo, UpdateRuntimeOn="FunctionUpdate")
    assert aws.get_runtime_management_config(FunctionName=echo)["UpdateRuntimeOn"] == "FunctionUpdate"
    publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:123456789012:/signing-profiles/{'p' * 8}"]}
    config = aws.create_code_signing_config(AllowedPublishers=publishers)["CodeSigningConfig"]["CodeSigningConfigArn"]
    aws.put_function_code_signing_config(FunctionName=echo, CodeSigningConfigArn=config)
    assert aws.list_functions_by_code_signing_config(CodeSigningConfigArn=config)["FunctionArns"] == [arn]
    assert (
        code_of(lambda: aws.delete_code_signing_config(CodeSigningConfigArn=config))[0] == "ResourceConflictException"
    )
    aws.delete_function_code_signing_config(FunctionName=echo)
    aws.delete_code_signing_config(CodeSigningConfigArn=config)
    assert aws.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000


def test_values_out_of_bounds_are_refused_in_aws_words(aws: Any) -> None:
    with pytest.raises(ClientError) as caught:
        create(aws, "bad!", Role="r")
    message = caught.value.response["Error"]["Message"]
    assert message.startswith(
        "2 validation errors detected: Value 'bad!' at 'functionName' failed to satisfy constraint"
    )
    assert "Value 'r' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern" in message
    with pytest.raises(ClientError, match=r"Member must satisfy enum value set: .* or be a valid ARN"):
        create(aws, "bad", Runtime="cobol")
    with pytest.raises(ClientError, match="Function does not exist"):
        aws.create_event_source_mapping(FunctionName="bad", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q")
    assert code_of(lambda: aws.get_function(FunctionName="bad")) == ("ResourceNotFoundException", 404)


def test_logs(aws: Any, echo: str) -> None:
    aws.invoke(FunctionName=echo, Payload=b'{"mark": "here"}')
    logs = boto3.client("logs")
    group = "/aws/lambda/echo"
    assert group in {each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]}
    found = logs.filter_log_events(logGroupName=group, filterPattern='"here"')["events"]
    assert [event["message"] for event in found] == ["seen {'mark': 'here'}"]
    stream = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime")["logStreams"][-1]["logStreamName"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    assert events[0]["message"].startswith(("START", "INIT"))
    logs.close()


def test_metrics_want_the_credentials(endpoint: dict[str, str], aws: Any, echo: str) -> None:
    aws.invoke(FunctionName=echo)
    pair = f"{endpoint['AWS_ACCESS_KEY_ID']}:{endpoint['AWS_SECRET_ACCESS_KEY']}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    request = urllib.request.Request(f"{endpoint['AWS_ENDPOINT_URL']}/metrics", headers=headers)
    text = urllib.request.urlopen(request).read().decode()
    assert 'lambdanb_invocations_total{function="echo"}' in text
    assert text.endswith("# EOF\n")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{endpoint['AWS_ENDPOINT_URL']}/metrics")
    assert caught.value.code == 403
    caught.value.close()


def test_metrics(aws: Any, echo: str) -> None:
    aws.invoke(FunctionName=echo)
    now = datetime.datetime.now(datetime.UTC)
    span = {"StartTime": now - datetime.timedelta(minutes=30), "EndTime": now + datetime.timedelta(minutes=1)}
    cloudwatch = boto3.client("cloudwatch")
    own = [{"Name": "FunctionName", "Value": echo}]
    metrics = cloudwatch.list_metrics(Namespace="AWS/Lambda", Dimensions=own)["Metrics"]
    assert {each["MetricName"] for each in metrics} == {"Invocations", "Errors", "Throttles", "Duration"}
    named = {"Namespace": "AWS/Lambda", "Dimensions": own}
    told = cloudwatch.get_metric_statistics(
        **named, MetricName="Invocations", Period=3600, Statistics=["Sum"], **span
    )  # fmt: skip
    assert sum(point["Sum"] for point in told["Datapoints"]) >= 1
    query = {"Metric": named | {"MetricName": "Duration"}, "Period": 60, "Stat": "p99"}
    data = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "d", "MetricStat": query}], **span)
    assert min(data["MetricDataResults"][0]["Values"]) > 0
    refused = code_of(lambda: cloudwatch.put_metric_data(Namespace="x", MetricData=[{"MetricName": "y", "Value": 1}]))
    assert refused[0] == "UnknownOperationException"
    cloudwatch.close()
