"""What is attached to functions, and layers, as a script of boto3 goes through them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from packages import zipped
from talk import ARN, NOTHING, Client, create, pages, refused, until


def event_invoke_configurations(aws: Client) -> None:
    create(aws, "told")
    destination = {"OnSuccess": {"Destination": f"{ARN}told"}}
    put = aws.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destination)
    assert put["DestinationConfig"] == destination | {"OnFailure": {}}
    assert "MaximumRetryAttempts" not in put
    updated = aws.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    assert updated["DestinationConfig"] == put["DestinationConfig"]
    aws.put_function_event_invoke_config(FunctionName="f", Qualifier="live", MaximumRetryAttempts=0)
    told = aws.get_function_event_invoke_config(FunctionName="f")
    assert (told["FunctionArn"], told["MaximumEventAgeInSeconds"]) == (f"{ARN}f:$LATEST", 60)
    found = pages(aws, "list_function_event_invoke_configs", "FunctionEventInvokeConfigs", FunctionName="f")
    assert [each["FunctionArn"] for each in found] == [f"{ARN}f:$LATEST", f"{ARN}f:live"]
    assert aws.invoke(FunctionName="f", InvocationType="Event", Payload=b'"pass it on"')["StatusCode"] == 202
    logs = boto3.client("logs")
    group = {"logGroupName": "/aws/lambda/told", "filterPattern": "REPORT"}
    until(lambda: bool(logs.filter_log_events(**group)["events"]))
    logs.close()
    with refused("InvalidParameterValueException", 400, "You must specify at least one of error handling or"):
        aws.put_function_event_invoke_config(FunctionName="f")
    with refused("InvalidParameterValueException", 400, f"The destination ARN {ARN}nobody is invalid."):
        wrong = {"OnFailure": {"Destination": f"{ARN}nobody"}}
        aws.put_function_event_invoke_config(FunctionName="f", DestinationConfig=wrong)
    with refused("ResourceNotFoundException", 404, "The function doesn't exist."):
        aws.put_function_event_invoke_config(FunctionName="f", Qualifier="9", MaximumRetryAttempts=1)
    aws.delete_function_event_invoke_config(FunctionName="f")
    with refused("ResourceNotFoundException", 404, f"The function {ARN}f:$LATEST doesn't have an EventInvokeConfig"):
        aws.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)


def permissions(aws: Client) -> None:
    with refused("ResourceNotFoundException", 404, "No policy is associated with the given resource."):
        aws.remove_permission(FunctionName="f", StatementId="s3")
    allow = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    statement = json.loads(aws.add_permission(FunctionName="f", **allow, SourceArn="arn:aws:s3:::b")["Statement"])
    assert statement == {
        "Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": f"{ARN}f",
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}},
    }  # fmt: skip
    policy = aws.get_policy(FunctionName="f")
    assert json.loads(policy["Policy"])["Statement"] == [statement]
    with refused("ResourceConflictException", 409, "The statement id (s3) provided already exists."):
        aws.add_permission(FunctionName="f", **allow)
    with refused("PreconditionFailedException", 412, "The Revision Id provided does not match"):
        aws.remove_permission(FunctionName="f", StatementId="s3", RevisionId="another")
    with refused("ResourceNotFoundException", 404, f"Cannot find alias arn: {ARN}f:nothing"):
        aws.add_permission(FunctionName="f", Qualifier="nothing", **allow)
    aws.remove_permission(FunctionName="f", StatementId="s3", RevisionId=policy["RevisionId"])
    with refused("ResourceNotFoundException", 404, NOTHING):
        aws.get_policy(FunctionName="f")
    whole = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "lambda:*"}]}
    aws.put_resource_policy(ResourceArn=f"{ARN}f", Policy=json.dumps(whole))
    told = json.loads(aws.get_resource_policy(ResourceArn=f"{ARN}f")["Policy"])
    assert told["Statement"] == whole["Statement"]
    aws.delete_resource_policy(ResourceArn=f"{ARN}f")


def layers(aws: Client) -> None:
    content = {"ZipFile": zipped({"python/shared.py": "VALUE = 1"})}
    base = {"LayerName": "base"}
    made = aws.publish_layer_version(**base, Content=content, CompatibleRuntimes=["python3.13"], LicenseInfo="MIT")
    aws.publish_layer_version(**base, Content=content, CompatibleArchitectures=["x86_64"])
    aws.publish_layer_version(LayerName="more", Content=content)
    first = {**base, "VersionNumber": 1}
    assert aws.get_layer_version(**first)["LicenseInfo"] == "MIT"
    assert urllib.request.urlopen(aws.get_layer_version(**first)["Content"]["Location"]).read(2) == b"PK"
    assert aws.get_layer_version_by_arn(Arn=made["LayerVersionArn"])["CompatibleRuntimes"] == ["python3.13"]
    assert [each["LayerName"] for each in pages(aws, "list_layers", "Layers")] == ["base", "more"]
    assert [each["Version"] for each in pages(aws, "list_layer_versions", "LayerVersions", **base)] == [2, 1]
    fitting = pages(aws, "list_layer_versions", "LayerVersions", **base, CompatibleRuntime="python3.13")
    assert [each["Version"] for each in fitting] == [1]
    aws.update_function_configuration(FunctionName="told", Layers=[made["LayerVersionArn"]])
    assert [each["Arn"] for each in aws.get_function_configuration(FunctionName="told")["Layers"]] == [
        made["LayerVersionArn"]
    ]
    anyone = {"StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    added = aws.add_layer_version_permission(**first, **anyone)
    assert aws.get_layer_version_policy(**first)["RevisionId"] == added["RevisionId"]
    with refused("PreconditionFailedException", 412, "The Revision Id provided does not match the latest Revision Id."):
        aws.remove_layer_version_permission(**first, StatementId="all", RevisionId="another")
    aws.remove_layer_version_permission(**first, StatementId="all")
    with refused("ResourceNotFoundException", 404, "No policy is associated with the given resource."):
        aws.get_layer_version_policy(**first)
    arn = made["LayerArn"]
    with refused("ResourceNotFoundException", 404, f"Layer version {arn}:9 does not exist."):
        aws.add_layer_version_permission(**base, VersionNumber=9, **anyone)
    for wrong, text in (
        ([f"{arn}:9"], f"Layer version {arn}:9 does not exist."),
        ([f"{arn}:1", f"{arn}:2"], "Two different versions of the same layer are not allowed to be referenced"),
        ([f"{arn}:1".replace("us-east-1", "eu-west-1")], "Layers are not in the same region as the function."),
    ):
        with refused("InvalidParameterValueException", 400, text):
            aws.update_function_configuration(FunctionName="told", Layers=wrong)
    with refused("InvalidParameterValueException", 400, "Layer Version Cannot be less than 1"):
        aws.get_layer_version(**base, VersionNumber=0)
    aws.delete_layer_version(**first)
    with refused("ResourceNotFoundException", 404, NOTHING):
        aws.get_layer_version(**first)


def function_urls(aws: Client) -> None:
    cors = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"]}
    made = aws.create_function_url_config(FunctionName="f", Qualifier="live", AuthType="NONE", Cors=cors)
    aws.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    with refused("ResourceConflictException", 409, f"Failed to create function url config for [functionArn = {ARN}f]"):
        aws.create_function_url_config(FunctionName="f", AuthType="NONE")
    everyone = {"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "Principal": "*"}
    aws.add_permission(FunctionName="f", Qualifier="live", FunctionUrlAuthType="NONE", **everyone)
    asked = urllib.request.Request(f"{made['FunctionUrl']}path?x=1", headers={"Origin": "https://example.com"})
    with urllib.request.urlopen(asked) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://example.com"
        assert json.load(answer)["event"]["rawPath"] == "/path"
    aws.update_function_url_config(FunctionName="f", Qualifier="live", InvokeMode="RESPONSE_STREAM")
    with urllib.request.urlopen(made["FunctionUrl"]) as answer:
        assert json.load(answer)["event"]["rawPath"] == "/"
    signed = AWSRequest("GET", aws.get_function_url_config(FunctionName="f")["FunctionUrl"])
    try:
        urllib.request.urlopen(signed.url)
    except urllib.error.HTTPError as error:
        assert error.code == 403
        error.close()
    else:
        raise AssertionError("open without a signature")
    session = boto3.DEFAULT_SESSION
    assert session is not None
    SigV4Auth(session.get_credentials(), "lambda", "us-east-1").add_auth(signed)
    with urllib.request.urlopen(urllib.request.Request(signed.url, headers=dict(signed.headers))) as answer:
        assert answer.status == 200
    found = pages(aws, "list_function_url_configs", "FunctionUrlConfigs", FunctionName="f")
    assert [(each["FunctionArn"], each["InvokeMode"]) for each in found] == [
        (f"{ARN}f", "BUFFERED"), (f"{ARN}f:live", "RESPONSE_STREAM"),
    ]  # fmt: skip
    with refused("ResourceNotFoundException", 404, "Function does not exist"):
        aws.create_function_url_config(FunctionName="nobody", AuthType="NONE")
    with refused("ValidationException", 400, "1 validation error detected: Value '1' at 'qualifier' failed"):
        aws.create_function_url_config(FunctionName="f", Qualifier="1", AuthType="NONE")
    aws.delete_function_url_config(FunctionName="f")
    with refused("ResourceNotFoundException", 404, NOTHING):
        aws.get_function_url_config(FunctionName="f")


def recorded(aws: Client) -> None:
    aws.tag_resource(Resource=f"{ARN}f", Tags={"b": "2"})
    assert aws.list_tags(Resource=f"{ARN}f")["Tags"] == {"team": "a", "b": "2"}
    aws.untag_resource(Resource=f"{ARN}f", TagKeys=["b"])
    assert aws.get_function(FunctionName="f")["Tags"] == {"team": "a"}
    with refused("InvalidParameterValueException", 400, "Tags on function aliases and versions are not supported."):
        aws.tag_resource(Resource=f"{ARN}f:live", Tags={"b": "2"})
    aws.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert aws.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    aws.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    assert aws.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "FunctionUpdate"
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p"]}
    arns = [
        aws.create_code_signing_config(AllowedPublishers=publishers)["CodeSigningConfig"]["CodeSigningConfigArn"]
        for _ in range(2)
    ]
    own = {"CodeSigningConfigArn": arns[0]}
    changed = aws.update_code_signing_config(**own, Description="changed")["CodeSigningConfig"]
    assert aws.get_code_signing_config(**own)["CodeSigningConfig"] == changed
    assert "CodeSigningConfigArn" not in aws.get_function_code_signing_config(FunctionName="f")
    for name in ("f", "told"):
        aws.put_function_code_signing_config(FunctionName=name, **own)
    assert aws.get_function_code_signing_config(FunctionName="f")["CodeSigningConfigArn"] == arns[0]
    assert len(pages(aws, "list_code_signing_configs", "CodeSigningConfigs")) == 2
    users = pages(aws, "list_functions_by_code_signing_config", "FunctionArns", **own)
    assert users == [f"{ARN}f", f"{ARN}told"]
    with refused("ResourceConflictException", 409):
        aws.delete_code_signing_config(**own)
    for name in ("f", "told", "told"):
        aws.delete_function_code_signing_config(FunctionName=name)
    aws.delete_code_signing_config(**own)
    with refused(
        "ResourceNotFoundException", 404, f"The Lambda code signing configuration {arns[0]} can not be found."
    ):
        aws.get_code_signing_config(**own)
    with refused("CodeSigningConfigNotFoundException", 404, "The code signing configuration cannot be found."):
        aws.put_function_code_signing_config(FunctionName="f", **own)
