"""The read operations of CloudWatch Logs over the executor's logs: what `aws logs tail` and boto3 ask.

A function's group is /aws/lambda/NAME, its streams are those of its environments. Lines are read newest page first,
as far back as asked for; a page token says where the executor's reader goes on.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import botocore.session

from lambdanb.gateway import constraints, shapes
from lambdanb.gateway.api import Api, Members, page
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Head
from lambdanb.model.errors import ResourceNotFoundException, ServiceError
from lambdanb.model.names import ACCOUNT, REGION

_PREFIX = "/aws/lambda/"
_TARGET = "Logs_20140328."
_MOST_LINES = 10_000
_MODEL = botocore.session.get_session().get_service_model("logs")

Line = dict[str, Any]


async def logs_service(api: Api, head: Head, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """One request of the JSON protocol: the operation is in X-Amz-Target."""
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    name = head.headers.get("x-amz-target", "").removeprefix(_TARGET)
    try:
        handler = _HANDLERS.get(name)
        if handler is None:
            raise Refusal(
                "UnknownOperationException",
                f"CloudWatch Logs' operation '{name[:100]}' isn't served here: there are {', '.join(_HANDLERS)}.",
            )
        operation = _MODEL.operation_model(name)
        members = shapes.from_json(operation.input_shape, shapes.load(body))
        constraints.check(operation.input_shape, members)
        result = await handler(api, members)
        return 200, headers, json.dumps(shapes.to_json(operation.output_shape, result)).encode()
    except ServiceError as error:
        code = "InvalidParameterException" if error.code == "ValidationException" else error.code
        told = json.dumps({"__type": code, "message": error.message}).encode()
        return 400 if error.status < 500 else error.status, headers, told


def _group_arn(name: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{_PREFIX}{name}"


def _function(members: Members) -> str:
    given = members.get("logGroupName") or members.get("logGroupIdentifier")
    if not given:
        raise Refusal("InvalidParameterException", "Either logGroupName or logGroupIdentifier must be given.")
    group = given.partition(":log-group:")[2].removesuffix(":*") if given.startswith("arn:") else given
    if not group.startswith(_PREFIX):
        raise _no_group()
    return str(group.removeprefix(_PREFIX))


def _no_group() -> ResourceNotFoundException:
    return ResourceNotFoundException("The specified log group does not exist.")


async def _lines(api: Api, function: str, **choice: Any) -> Members:
    try:
        told: Members = await api.link.ask("log_lines", name=function, **choice)
    except ResourceNotFoundException:
        raise _no_group() from None
    return told


async def describe_log_groups(api: Api, members: Members) -> Members:
    """A group for each function."""
    prefix, pattern = members.get("logGroupNamePrefix", ""), members.get("logGroupNamePattern", "")
    groups = []
    for version in (await api.link.ask("versions"))["versions"]:
        name = version["configuration"]["function_name"]
        group = f"{_PREFIX}{name}"
        if group.startswith(prefix) and pattern.lower() in group.lower():
            arn = _group_arn(name)
            groups.append({"logGroupName": group, "arn": f"{arn}:*", "logGroupArn": arn, "logGroupClass": "STANDARD"})
    asked = {"MaxItems": members.get("limit"), "Marker": members.get("nextToken")}
    chosen, marker = page(groups, asked, lambda group: group["logGroupName"])
    return {"logGroups": chosen, "nextToken": marker}


async def describe_log_streams(api: Api, members: Members) -> Members:
    """The streams of the newest 10,000 lines."""
    function = _function(members)
    lines = (await _lines(api, function, limit=_MOST_LINES))["lines"]
    found: dict[str, Members] = {}
    for line in lines:
        stream = found.setdefault(
            line["stream"],
            {
                "logStreamName": line["stream"],
                "creationTime": line["time_ms"],
                "firstEventTimestamp": line["time_ms"],
                "arn": f"{_group_arn(function)}:log-stream:{line['stream']}",
            },
        )
        stream["lastEventTimestamp"] = stream["lastIngestionTime"] = line["time_ms"]
    prefix = members.get("logStreamNamePrefix", "")
    by_time = members.get("orderBy") == "LastEventTime"

    def place(stream: Members) -> str:
        time = f"{stream['lastEventTimestamp']:020d} " if by_time else ""
        return f"{time}{stream['logStreamName']}"

    streams = sorted((each for each in found.values() if each["logStreamName"].startswith(prefix)), key=place)
    if members.get("descending"):
        streams.reverse()
    asked = {"MaxItems": members.get("limit"), "Marker": members.get("nextToken")}
    chosen, marker = page(streams, asked, place)
    return {"logStreams": chosen, "nextToken": marker}


def _event(line: Line) -> Members:
    return {"timestamp": line["time_ms"], "message": line["text"] or " ", "ingestionTime": line["time_ms"]}


async def get_log_events(api: Api, members: Members) -> Members:
    """One stream's lines. A forward token that comes back as it was given tells that there is no more, as on AWS."""
    function, stream = _function(members), members["logStreamName"]
    lines = await _all_lines(api, function, members, stream=stream)
    if not lines and not (await _lines(api, function, stream=stream, limit=1))["lines"]:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    limit, token = members.get("limit", _MOST_LINES), members.get("nextToken", "")
    start = _number(token[2:]) if token else 0 if members.get("startFromHead") else max(len(lines) - limit, 0)
    if token.startswith("b/"):
        start, end = max(start - limit, 0), start
    else:
        end = min(start + limit, len(lines))
    events = [_event(line) for line in lines[start:end]]
    return {"events": events, "nextForwardToken": f"f/{end:020d}", "nextBackwardToken": f"b/{start:020d}"}


async def filter_log_events(api: Api, members: Members) -> Members:
    """Lines of all streams or some, by time, oldest first, that the filter pattern lets through."""
    streams, prefix = members.get("logStreamNames"), members.get("logStreamNamePrefix", "")
    terms = _terms(members.get("filterPattern", ""))
    lines = [
        line
        for line in await _all_lines(api, _function(members), members)
        if (streams is None or line["stream"] in streams)
        and line["stream"].startswith(prefix)
        and _passes(line["text"], terms)
    ]
    start, limit = _number(members.get("nextToken", "0")), members.get("limit", _MOST_LINES)
    chosen = lines[start : start + limit]
    events = [
        {
            **_event(line),
            "logStreamName": line["stream"],
            "eventId": f"{line['time_ms']:020d}{start + place:020d}",
        }
        for place, line in enumerate(chosen)
    ]
    more = start + limit < len(lines)
    return {"events": events, "searchedLogStreams": [], "nextToken": f"{start + limit}" if more else None}


async def _all_lines(api: Api, function: str, members: Members, stream: str | None = None) -> Sequence[Line]:
    """The newest 10,000 lines of a span of time, oldest first."""
    choice = {"since_ms": members.get("startTime"), "until_ms": members.get("endTime"), "stream": stream}
    lines: list[Line] = []
    before = None
    while len(lines) < _MOST_LINES:
        told = await _lines(api, function, before=before, limit=_MOST_LINES - len(lines), **choice)
        lines = told["lines"] + lines
        before = told["older"]
        if before is None:
            break
    return lines


def _terms(pattern: str) -> list[tuple[str, str]]:
    """The words of a pattern, each with the sign before it: "", "-" or "?". Quotes hold words together."""
    if pattern.lstrip().startswith(("{", "[", "%")):
        raise Refusal(
            "InvalidParameterException", f"Invalid filter pattern: only words are looked for here, not {pattern}"
        )
    terms, rest = [], pattern.strip()
    while rest:
        sign = rest[0] if rest[0] in "-?" else ""
        rest = rest[len(sign) :]
        if rest.startswith('"'):
            word, _, rest = rest[1:].partition('"')
        else:
            word, _, rest = rest.partition(" ")
        terms.append((sign, word))
        rest = rest.strip()
    return terms


def _passes(text: str, terms: Sequence[tuple[str, str]]) -> bool:
    """Every word must be there, those with - must not. Of words with ? one is enough; beside others AWS ignores them.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    certain = [(sign, word) for sign, word in terms if sign != "?"]
    if terms and not certain:
        return any(word in text for _, word in terms)
    return all((word in text) != (sign == "-") for sign, word in certain)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Refusal("InvalidParameterException", "The specified nextToken is invalid.")
    return int(text)


_HANDLERS = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}
