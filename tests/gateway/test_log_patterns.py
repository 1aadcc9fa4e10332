"""Filter patterns of CloudWatch Logs, as its users write them; and a profile of a function by its log here."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from lambdanb.simulator.profile import Profile

GROUP = "/aws/lambda/echo"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("apple pear", ["apple pear"]),
        ("apple -pear", ["apple fig"]),
        ("?pear ?fig", ["apple pear", "apple fig", "fig"]),
        ("apple ?fig", ["apple pear", "apple fig"]),
        ('?"apple fig" ?nothing', ["apple fig"]),
    ],
)
def test_words(aws: Any, echo: str, pattern: str, found: list[str]) -> None:
    """`?` wants one of several words; beside words that must be there it is ignored."""
    for fruit in ("apple pear", "apple fig", "fig"):
        aws.invoke(FunctionName=echo, Payload=json.dumps({"fruit": fruit}).encode())
    logs = boto3.client("logs")
    events = logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)["events"]
    told = [event["message"] for event in events if event["message"].startswith("seen")]
    assert list(dict.fromkeys(told)) == [f"seen {{'fruit': '{fruit}'}}" for fruit in found]
    logs.close()


def test_a_profile_by_the_log(aws: Any, echo: str) -> None:
    """`Profile.from_cloudwatch` asks for lines of several kinds at once."""
    aws.invoke(FunctionName=echo, Payload=b"{}")
    logs = boto3.client("logs")
    assert Profile.from_cloudwatch(GROUP, client=logs).invocations > 0
    logs.close()
