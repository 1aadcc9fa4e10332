"""Functions, invocations, versions, aliases and concurrency, as a script of boto3 goes through them."""

from __future__ import annotations

import base64
import json

from packages import zipped
from talk import ARN, SOURCE, Client, create, pages, refused, until

MISMATCH = "The derived qualifier from the function name does not match the specified qualifier."
WHOLE = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation."


def functions(aws: Client) -> None:
    made = create(aws, "f", Tags={"team": "a"}, Environment={"Variables": {"STAGE": "one"}}, Description="first")
    assert (made["State"], made["StateReasonCode"], made["Version"]) == ("Pending", "Creating", "$LATEST")
    assert "LastUpdateStatus" not in made
    for waiter in ("function_exists", "function_active", "function_active_v2"):
        aws.get_waiter(waiter).wait(FunctionName="f")
    code = zipped({"app.py": SOURCE, "more.py": ""})
    updated = aws.update_function_code(FunctionName="f", ZipFile=code)
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert updated["CodeSha256"] != made["CodeSha256"] and updated["CodeSize"] == len(code)
    for waiter in ("function_updated", "function_updated_v2"):
        aws.get_waiter(waiter).wait(FunctionName="f")
    told = aws.update_function_configuration(FunctionName="f", Timeout=20, MemorySize=256)
    assert (told["Timeout"], told["MemorySize"], told["Description"]) == (20, 256, "first")
    assert told["RevisionId"] != updated["RevisionId"]
    would_be = aws.update_function_code(FunctionName="f", ZipFile=zipped({"app.py": ""}), DryRun=True)
    assert would_be["CodeSha256"] != aws.get_function_configuration(FunctionName="f")["CodeSha256"]
    for name in ("f", f"{ARN}f", "123456789012:function:f", "function:f", f"{ARN}f:$LATEST"):
        assert aws.get_function(FunctionName=name)["Configuration"]["FunctionName"] == "f"
    assert aws.get_function(FunctionName="f", Qualifier="$LATEST")["Configuration"]["FunctionArn"] == f"{ARN}f:$LATEST"
    published = create(aws, "g", Publish=True)
    assert (published["Version"], published["FunctionArn"], published["State"]) == ("1", f"{ARN}g", "Pending")
    listed = pages(aws, "list_functions", "Functions")
    assert [each["FunctionName"] for each in listed] == ["f", "g"]
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & listed[0].keys()
    everything = pages(aws, "list_functions", "Functions", FunctionVersion="ALL")
    assert [each["FunctionArn"] for each in everything] == [f"{ARN}f:$LATEST", f"{ARN}g:$LATEST", f"{ARN}g:1"]
    with refused("ResourceConflictException", 409, "Function already exist: f"):
        create(aws, "f")
    with refused("InvalidParameterValueException", 400, "1 validation error detected: Value 'xxx"):
        create(aws, "x" * 65)
    with refused("InvalidParameterValueException", 400, "Could not unzip uploaded file."):
        aws.update_function_code(FunctionName="f", ZipFile=b"no zip")
    with refused("PreconditionFailedException", 412, "The Revision Id provided does not match"):
        aws.update_function_configuration(FunctionName="f", Timeout=9, RevisionId=made["RevisionId"])
    with refused("InvalidParameterValueException", 400, MISMATCH):
        aws.get_function(FunctionName=f"{ARN}f:$LATEST", Qualifier="1")
    with refused("ResourceNotFoundException", 404, f"Function not found: {ARN}f:9"):
        aws.get_function(FunctionName="f", Qualifier="9")
    with refused("ResourceNotFoundException", 404, "Functions from 'eu-west-1' are not reachable in this region"):
        aws.get_function(FunctionName=ARN.replace("us-east-1", "eu-west-1") + "f")
    with refused("AccessDeniedException", 403):
        aws.get_function(FunctionName="210987654321:function:f")
    with refused("InvalidParameterValueException", 400, "$LATEST version cannot be deleted without deleting"):
        aws.delete_function(FunctionName="f", Qualifier="$LATEST")
    assert aws.delete_function(FunctionName="g")["StatusCode"] == 204
    with refused("ResourceNotFoundException", 404, f"Function not found: {ARN}g"):
        aws.delete_function(FunctionName="g", Qualifier="1")
    assert aws.get_account_settings()["AccountUsage"]["FunctionCount"] == 1


def invocations(aws: Client) -> None:
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer = aws.invoke(FunctionName="f", Payload=b'{"n": 1}', LogType="Tail", ClientContext=context)
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.load(answer["Payload"]) == {"stage": "one", "event": {"n": 1}, "context": {"k": "v"}}
    assert f"stage one of {ARN}f" in base64.b64decode(answer["LogResult"]).decode()
    assert aws.invoke(FunctionName="f", InvocationType="Event")["StatusCode"] == 202
    assert aws.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert aws.invoke_async(FunctionName="f", InvokeArgs=b"{}")["Status"] == 202
    failed = aws.invoke(FunctionName="f", Payload=b'{"fail": "on purpose"}')
    assert (failed["FunctionError"], failed["StatusCode"]) == ("Unhandled", 200)
    assert json.load(failed["Payload"])["errorType"] == "ValueError"
    events = list(aws.invoke_with_response_stream(FunctionName="f", Payload=b"[]", LogType="Tail")["EventStream"])
    assert json.loads(events[0]["PayloadChunk"]["Payload"])["event"] == []
    assert "stage one" in base64.b64decode(events[-1]["InvokeComplete"]["LogResult"]).decode()
    with refused("InvalidRequestContentException", 400, "Could not parse request body into json"):
        aws.invoke(FunctionName="f", Payload=b"{")
    with refused("ResourceNotFoundException", 404, f"Function not found: {ARN}f:nothing"):
        aws.invoke(FunctionName="f", Qualifier="nothing")
    with refused("RequestTooLargeException", 413):
        aws.invoke(FunctionName="f", InvocationType="Event", Payload=b'"' + b"x" * 1024 * 1024 + b'"')


def versions_and_aliases(aws: Client) -> None:
    aws.publish_version(FunctionName="f", Description="v1")
    aws.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1")
    aws.update_function_configuration(FunctionName="f", Environment={"Variables": {"STAGE": "two"}})
    second = aws.update_function_code(FunctionName="f", ZipFile=zipped({"app.py": SOURCE}), Publish=True)
    assert (second["Version"], second["FunctionArn"], second["State"]) == ("2", f"{ARN}f:2", "Pending")
    aws.get_waiter("function_active_v2").wait(FunctionName="f:2")
    versions = pages(aws, "list_versions_by_function", "Versions", FunctionName="f")
    assert [(each["Version"], each["Description"]) for each in versions] == [
        ("$LATEST", "first"), ("1", "v1"), ("2", "first"),
    ]  # fmt: skip
    alias = aws.create_alias(FunctionName="f", Name="live", FunctionVersion="1", Description="an alias")
    assert alias["AliasArn"] == f"{ARN}f:live"
    aws.create_alias(FunctionName="f", Name="other", FunctionVersion="2")
    assert json.load(aws.invoke(FunctionName=f"{ARN}f:live")["Payload"])["stage"] == "one"
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    updated = aws.update_alias(FunctionName="f", Name="live", RoutingConfig=weights, RevisionId=alias["RevisionId"])
    assert updated["RoutingConfig"] == weights and updated["Description"] == "an alias"
    assert aws.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"] == "2"
    assert aws.get_alias(FunctionName="f", Name="live")["RevisionId"] == updated["RevisionId"]
    assert [each["Name"] for each in pages(aws, "list_aliases", "Aliases", FunctionName="f")] == ["live", "other"]
    for_second = pages(aws, "list_aliases", "Aliases", FunctionName="f", FunctionVersion="2")
    assert [each["Name"] for each in for_second] == ["other"]
    for routing, text in (
        ({"1": 0.5}, "Invalid function version 1. Function version 1 is already included"),
        ({"1": 0.2, "2": 0.2}, "Number of items in AdditionalVersionWeights cannot be greater than 1"),
    ):
        with refused("InvalidParameterValueException", 400, text):
            wrong = {"AdditionalVersionWeights": routing}
            aws.create_alias(FunctionName="f", Name="wrong", FunctionVersion="1", RoutingConfig=wrong)
    with refused("ResourceConflictException", 409, f"Alias already exists: {ARN}f:live"):
        aws.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    with refused("ResourceNotFoundException", 404, f"Function not found: {ARN}nobody:1"):
        aws.create_alias(FunctionName="nobody", Name="live", FunctionVersion="1")
    with refused("ResourceNotFoundException", 404, f"Cannot find alias arn: {ARN}f:nothing"):
        aws.get_alias(FunctionName="f", Name="nothing")
    with refused("ResourceConflictException", 409, "Unable to delete version because the following aliases reference"):
        aws.delete_function(FunctionName="f", Qualifier="1")
    aws.delete_alias(FunctionName="f", Name="other")


def concurrency(aws: Client) -> None:
    put = aws.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=10)
    assert put["ReservedConcurrentExecutions"] == 10
    assert aws.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 10}
    assert aws.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 10
    assert aws.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 990
    asked = {"FunctionName": "f", "Qualifier": "1"}
    put = aws.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=1)
    assert put["RequestedProvisionedConcurrentExecutions"] == 1
    until(lambda: bool(aws.get_provisioned_concurrency_config(**asked)["Status"] == "READY"))
    found = pages(aws, "list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs", FunctionName="f")
    assert [each["FunctionArn"] for each in found] == [f"{ARN}f:1"]
    with refused("ResourceConflictException", 409, "Alias can't be used for Provisioned Concurrency configuration"):
        aws.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1)
    with refused("InvalidParameterValueException", 400, "The function resource provided must be an alias or a"):
        aws.get_provisioned_concurrency_config(FunctionName="f", Qualifier="$LATEST")
    with refused("ResourceNotFoundException", 404, f"Cannot find alias arn: {ARN}f:nothing"):
        aws.get_provisioned_concurrency_config(FunctionName="f", Qualifier="nothing")
    aws.delete_provisioned_concurrency_config(**asked)
    aws.delete_provisioned_concurrency_config(**asked)
    with refused("ProvisionedConcurrencyConfigNotFoundException", 404, "No Provisioned Concurrency Config found"):
        aws.get_provisioned_concurrency_config(**asked)
    with refused("ResourceNotFoundException", 404, f"Function not found: {ARN}nobody:$LATEST"):
        aws.put_function_concurrency(FunctionName="nobody", ReservedConcurrentExecutions=1)
    with refused("InvalidParameterValueException", 400, WHOLE):
        aws.put_function_concurrency(FunctionName=f"{ARN}f:live", ReservedConcurrentExecutions=1)
    with refused(
        "InvalidParameterValueException", 400, "Specified ReservedConcurrentExecutions for function decreases"
    ):
        aws.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=901)
    aws.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with refused("TooManyRequestsException", 429):
        aws.invoke(FunctionName="f")
    aws.delete_function_concurrency(FunctionName="f")
