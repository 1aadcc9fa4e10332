"""Reads the invocations out of a real AWS log: a text file or a JSON export of the AWS CLI, gzipped or not; CloudWatch.

Understood are the REPORT lines of Lambda's text format, with anything before them on the line (a timestamp and the log
stream's name, as `aws logs tail` writes them), and the `platform.report` events of its JSON format. JSON exports are
those of `aws logs filter-log-events` and `get-log-events`: {"events": [{"message": ...}, ...]}.

A REPORT tells of timeouts and of runtimes that ended (Status: timeout, error; before 2023 a timeout stood on a line of
its own, "Task timed out after", which is understood too). It doesn't tell of a handler's exception: AWS counts those in
its metrics only, so a log's share of errors is a lower bound.

Sources: "Viewing Lambda function logs", "Lambda Telemetry API event schema" in the AWS Lambda developer guide.
"""

from __future__ import annotations

import gzip
import importlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from lambdanb.model.records import Report

_GZIP = b"\x1f\x8b"
_MARK = "REPORT RequestId:"
_TIMED_OUT = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27}) Task timed out after")
_TOLD = 5


@dataclass
class ReportLog:
    """What was read.

    source         the file or log group, for messages
    reports        one Report per REPORT line, in the log's order
    lines          how many lines (or messages) there were
    unused         (number of the line from 1, text) of those with a REPORT that couldn't be read: cut off, for example
    """

    source: str
    reports: list[Report] = field(default_factory=list)
    lines: int = 0
    unused: list[tuple[int, str]] = field(default_factory=list)

    def summary(self) -> str:
        """What was read and what couldn't be, in words, with the first such lines."""
        text = f"{self.source}: {len(self.reports):,} REPORT lines of {self.lines:,} lines"
        if self.unused:
            first = "; ".join(f"line {number}: {line[:120]!r}" for number, line in self.unused[:_TOLD])
            text += f"; {len(self.unused):,} couldn't be read ({first})"
        return text


def read_report_log(source: str | PathLike[str] | Iterable[str]) -> ReportLog:
    """The reports in a file (a path), or in lines.

    What is no REPORT is passed over (a function's own output); a REPORT that can't be read is counted and kept in
    `unused`. ValueError if the file can't be read as text, gzip or JSON; it says where.
    """
    if isinstance(source, str | PathLike):
        path = Path(source)
        return _reports(path.name, _messages(path))
    return _reports("the lines given", source)


def read_cloudwatch(
    log_group: str, *, start: datetime | None = None, end: datetime | None = None, client: Any = None
) -> ReportLog:
    """The reports in a log group of CloudWatch Logs, such as "/aws/lambda/thumbnail", from `start` until `end`.

    Needs boto3 (`pip install boto3`), credentials, and the permission logs:FilterLogEvents. `client` is a boto3 client
    of "logs", for another region or account than the default. Only messages with a report are transferred, in pages.
    """
    for name, time in (("start", start), ("end", end)):
        if time is not None and time.tzinfo is None:
            raise ValueError(f"{name} is {time.isoformat()} without a time zone: give one, such as timezone.utc")
    if client is None:
        try:
            client = importlib.import_module("boto3").client("logs")
        except ModuleNotFoundError as error:
            if error.name != "boto3":
                raise
            raise ModuleNotFoundError("CloudWatch Logs is read by boto3: pip install boto3", name="boto3") from None
    question: dict[str, Any] = {
        "logGroupName": log_group,
        "filterPattern": '?"REPORT RequestId" ?"platform.report" ?"Task timed out after"',
    }
    if start is not None:
        question["startTime"] = int(start.timestamp() * 1000)
    if end is not None:
        question["endTime"] = int(end.timestamp() * 1000)
    pages = client.get_paginator("filter_log_events").paginate(**question)
    return _reports(log_group, (event["message"] for page in pages for event in page["events"]))


def _reports(source: str, messages: Iterable[str]) -> ReportLog:
    log = ReportLog(source)
    timed_out = set()
    for log.lines, message in enumerate(messages, 1):
        found = _TIMED_OUT.search(message)
        if found:
            timed_out.add(found[1])
        try:
            report = _report(message)
        except ValueError:
            log.unused.append((log.lines, message.rstrip()))
            continue
        if report is not None:
            log.reports.append(report)
    for report in log.reports:
        if report.status is None and report.request_id in timed_out:
            report.status = "timeout"
    return log


def _report(message: str) -> Report | None:
    """The report in a message; None if it has none; ValueError if it can't be read."""
    place = message.find(_MARK)
    if place >= 0:
        return Report.parse(message[place:])
    place = message.find("{")
    if place < 0 or '"platform.report"' not in message:
        return None
    event = json.loads(message[place:])
    try:
        if event["type"] != "platform.report":
            return None
        record = event["record"]
        metrics, status = record["metrics"], record.get("status", "success")
        return Report(
            record["requestId"],
            float(metrics["durationMs"]),
            int(metrics["billedDurationMs"]),
            int(metrics["memorySizeMB"]),
            int(metrics["maxMemoryUsedMB"]),
            metrics.get("initDurationMs"),
            metrics.get("restoreDurationMs"),
            metrics.get("billedRestoreDurationMs"),
            None if status == "success" else status,
            record.get("errorType"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a platform.report: {message[:200]!r}") from error


def _messages(path: Path) -> Iterator[str]:
    """The lines of a file, or the messages of a JSON export."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    try:
        with gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8") as text:
            first = next((line for line in text if line.strip()), "")
            text.seek(0)
            if _begins_export(first):
                yield from _export(path, text.read())
            else:
                yield from text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path.name} is no whole gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no text in UTF-8: {error}") from error


def _begins_export(first: str) -> bool:
    """Whether a file that begins with this line is one JSON document, not lines (of which each may be JSON itself)."""
    if not first.lstrip().startswith("{"):
        return False
    try:
        return "events" in json.loads(first)
    except ValueError:
        return True


def _export(path: Path, text: str) -> Iterator[str]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path.name} is no whole JSON document: {error}") from error
    events = document.get("events")
    if not isinstance(events, list):
        raise ValueError(f'{path.name} is JSON, but has no "events" as `aws logs filter-log-events` gives them')
    for number, event in enumerate(events):
        message = event.get("message") if isinstance(event, dict) else None
        if not isinstance(message, str):
            raise ValueError(f"{path.name}: event {number} has no message")
        yield message
