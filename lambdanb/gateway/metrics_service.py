"""CloudWatch's read operations for the namespace AWS/Lambda, from the executor's records: minutes, sums, percentiles.

Spoken in the two protocols that today's clients choose: JSON, and Smithy's RPC v2 with CBOR. Periods are whole minutes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

from lambdanb.gateway import constraints, shapes
from lambdanb.gateway.api import Api, Members
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Head
from lambdanb.model import histogram
from lambdanb.model.errors import InvalidParameterValueException, ServiceError

NAMESPACE = "AWS/Lambda"
_SUMS = {"Invocations": "invocations", "Errors": "errors", "Throttles": "throttles"}
_METRICS = (*_SUMS, "Duration")
_PATH = "/service/GraniteServiceVersion20100801/operation/"
_TARGET = "GraniteServiceVersion20100801."
_JSON = {"Content-Type": "application/x-amz-json-1.0"}
_CBOR = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
_DAY_S = 86_400
_MODEL = botocore.session.get_session().get_service_model("cloudwatch")

Row = Mapping[str, Any]


async def metrics_service(api: Api, head: Head, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """One request: of the JSON protocol, whose operation is in X-Amz-Target, or of RPC v2, where it is in the path."""
    target = head.headers.get("x-amz-target", "")
    as_json = target.startswith(_TARGET)
    name = target.removeprefix(_TARGET) if as_json else head.path.removeprefix(_PATH)
    try:
        handler = _HANDLERS.get(name) if as_json or head.path.startswith(_PATH) else None
        if handler is None:
            raise Refusal(
                "UnknownOperationException",
                f"This operation of CloudWatch isn't served here: there are {', '.join(_HANDLERS)}, in the protocols "
                "JSON and RPC v2 with CBOR.",
            )
        operation = _MODEL.operation_model(name)
        members = shapes.from_json(operation.input_shape, shapes.load(body)) if as_json else _decoded(body)
        constraints.check(operation.input_shape, members)
        result = await handler(api, members)
        shape = operation.output_shape
        if as_json:
            return 200, _JSON, json.dumps(shapes.to_json(shape, result)).encode()
        return 200, _CBOR, _encoded(result, shape)
    except ServiceError as error:
        told = {"__type": error.code, "message": error.message}
        return (
            (error.status, _JSON, json.dumps(told).encode()) if as_json else (error.status, _CBOR, _encoded_plain(told))
        )


def _decoded(body: bytes) -> Members:
    try:
        told = RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body)))
    except Exception as error:  # botocore's parser has no error of its own for what isn't CBOR
        raise Refusal("SerializationException", f"The body is not CBOR: {error!r:.100}") from None
    if not isinstance(told, dict):
        raise Refusal("SerializationException", "The body is no CBOR map.")
    return told


def _encoded(value: Members, shape: Any) -> bytes:
    written = bytearray()
    RpcV2CBORSerializer()._serialize_data_item(written, value, shape)
    return bytes(written)


def _encoded_plain(told: Mapping[str, str]) -> bytes:
    """A map of short texts."""
    written = bytearray([0xA0 + len(told)])
    for text in (part for pair in told.items() for part in pair):
        content = text.encode()
        written += b"\x79" + len(content).to_bytes(2, "big") + content
    return bytes(written)


def _functions(dimensions: Sequence[Mapping[str, str]]) -> str | None:
    """The function that dimensions name; None for all. Raises InvalidParameterValueException for other dimensions."""
    named = {each["Name"]: each.get("Value") for each in dimensions}
    if named.keys() - {"FunctionName"}:
        raise InvalidParameterValueException("Metrics are kept by FunctionName here, and by no other dimension.")
    return named.get("FunctionName")


async def list_metrics(api: Api, members: Members) -> Members:
    """Every metric of every function, and of all together."""
    if members.get("Namespace", NAMESPACE) != NAMESPACE:
        return {"Metrics": []}
    wanted = {each["Name"]: each.get("Value") for each in members.get("Dimensions", [])}
    names = [version["configuration"]["function_name"] for version in (await api.link.ask("versions"))["versions"]]
    found = []
    for metric in _METRICS:
        if members.get("MetricName", metric) != metric:
            continue
        for name in [None, *names]:
            dimensions = [] if name is None else [{"Name": "FunctionName", "Value": name}]
            own = {each["Name"]: each["Value"] for each in dimensions}
            if all(key in own and value in (None, own[key]) for key, value in wanted.items()):
                found.append({"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions})
    return {"Metrics": found}


async def get_metric_statistics(api: Api, members: Members) -> Members:
    """One metric, per period."""
    metric, period_s = members["MetricName"], members["Period"]
    rows = await _periods(api, members, members.get("Dimensions", []), metric, period_s, members)
    points = []
    for start_ms, row in rows:
        point: Members = {
            "Timestamp": datetime.fromtimestamp(start_ms / 1000, UTC),
            "Unit": "Milliseconds" if metric == "Duration" else "Count",
        }
        for statistic in members.get("Statistics", []):
            point[statistic] = _value(row, metric, statistic)
        for statistic in members.get("ExtendedStatistics", []):
            point.setdefault("ExtendedStatistics", {})[statistic] = _value(row, metric, statistic)
        points.append(point)
    return {"Label": metric, "Datapoints": points}


async def get_metric_data(api: Api, members: Members) -> Members:
    """Several metrics, per period, newest first unless asked otherwise."""
    results = []
    for query in members["MetricDataQueries"]:
        stat = query.get("MetricStat")
        if stat is None:
            raise InvalidParameterValueException("Only MetricStat queries are answered here, no expressions.")
        metric = stat["Metric"].get("MetricName", "")
        dimensions = stat["Metric"].get("Dimensions", [])
        rows = await _periods(api, stat["Metric"], dimensions, metric, stat["Period"], members)
        if members.get("ScanBy") != "TimestampAscending":
            rows.reverse()
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label", metric),
                "Timestamps": [datetime.fromtimestamp(start_ms / 1000, UTC) for start_ms, _ in rows],
                "Values": [_value(row, metric, stat["Stat"]) for _, row in rows],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": []}


async def _periods(
    api: Api, named: Members, dimensions: Sequence[Mapping[str, str]], metric: str, period_s: int, span: Members
) -> list[tuple[int, Row]]:
    """Start and contents of each period with an invocation, of one function or of all together."""
    if named.get("Namespace") != NAMESPACE or metric not in _METRICS:
        return []  # as CloudWatch answers for metrics that nobody wrote
    if period_s % 60 or not 60 <= period_s <= _DAY_S:
        raise InvalidParameterValueException(f"The period is {period_s} s: a multiple of 60, at most {_DAY_S}.")
    since_ms, until_ms = (_ms(span[name]) for name in ("StartTime", "EndTime"))
    found: dict[int, dict[str, Any]] = {}
    function = _functions(dimensions)
    while since_ms < until_ms:
        asked = {"function": function, "since_ms": since_ms, "until_ms": until_ms, "period_s": period_s}
        rows = (await api.link.ask("metrics_of", **asked))["metrics"]
        for row in rows:
            _merge(found.setdefault(row["start_ms"], {}), row)
        if not rows:
            break
        since_ms = rows[-1]["start_ms"] + period_s * 1000
    if metric == "Duration":
        found = {start_ms: row for start_ms, row in found.items() if sum(row["counts"].values())}
    return sorted(found.items())


def _ms(moment: Any) -> int:
    try:
        return int(moment.timestamp() * 1000)
    except (AttributeError, ValueError, OverflowError):
        raise Refusal("SerializationException", "StartTime and EndTime are timestamps.") from None


def _merge(into: dict[str, Any], row: Row) -> None:
    for name in ("invocations", "errors", "throttles", "duration_ms"):
        into[name] = into.get(name, 0) + row[name]
    into["max_duration_ms"] = max(into.get("max_duration_ms", 0.0), row["max_duration_ms"])
    counts = into.setdefault("counts", {})
    for bucket, count in row["histogram"]:
        counts[bucket] = counts.get(bucket, 0) + count


def _value(row: Row, metric: str, statistic: str) -> float:
    """A statistic of a period. Durations are within 1 % but for sum, average and maximum, which are exact."""
    if metric != "Duration":
        total, invocations = float(row[_SUMS[metric]]), float(row["invocations"]) or 1.0
        named: dict[str, float] = {
            "Sum": total,
            "SampleCount": invocations,
            "Average": total / invocations,
            "Maximum": min(total, 1.0),
        }
        if statistic in named:
            return named[statistic]
        if statistic == "Minimum":
            return float(total >= invocations)
        raise InvalidParameterValueException(f"{metric} has no statistic {statistic} here.")
    counts, longest = row["counts"], row["max_duration_ms"]
    count = sum(counts.values())
    named = {
        "Sum": row["duration_ms"],
        "SampleCount": float(count),
        "Average": row["duration_ms"] / count,
        "Maximum": longest,
    }
    if statistic in named:
        return float(named[statistic])
    if statistic == "Minimum":
        return min(histogram.middle_ms(min(counts)), float(longest))
    try:
        percent = float(statistic.removeprefix("p"))
    except ValueError:
        percent = math.nan
    if not statistic.startswith("p") or not 0 <= percent <= 100:
        raise InvalidParameterValueException(f"{metric} has no statistic {statistic} here: percentiles are p0 to p100.")
    found = histogram.percentile_ms(counts, percent)
    return min(found or 0.0, float(longest))


_HANDLERS = {
    "ListMetrics": list_metrics,
    "GetMetricStatistics": get_metric_statistics,
    "GetMetricData": get_metric_data,
}
