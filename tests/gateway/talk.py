"""What scripts of boto3 are written with: what is refused, all pages of a list, a function to make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from packages import ROLE, zipped

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
SOURCE = """
import os
def handler(event, context):
    print('stage', os.environ.get('STAGE'), 'of', context.invoked_function_arn)
    if isinstance(event, dict) and event.get('fail'):
        raise ValueError(event['fail'])
    custom = getattr(context.client_context, 'custom', None)
    return {'stage': os.environ.get('STAGE'), 'event': event, 'context': custom}
"""
NOTHING = "The resource you requested does not exist."
Client = Any


@contextmanager
def refused(code: str, status: int, text: str = "") -> Iterator[None]:
    """What is done in here is refused with this error, whose message begins with this text."""
    try:
        yield
    except ClientError as error:
        told = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert told == (code, status), (told, error)
        assert error.response["Error"]["Message"].startswith(text), error
    else:
        raise AssertionError(f"not refused with {code}")


def create(aws: Client, name: str, **members: Any) -> dict[str, Any]:
    given = {"Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler"} | members
    return dict(aws.create_function(FunctionName=name, Code={"ZipFile": zipped({"app.py": SOURCE})}, **given))


def until(ready: Callable[[], bool]) -> None:
    """A client can only ask again."""
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pages(aws: Client, operation: str, member: str, **asked: Any) -> list[Any]:
    """All items, one a page."""
    found = list(aws.get_paginator(operation).paginate(**asked, PaginationConfig={"PageSize": 1}))
    items = [page[member] for page in found]
    assert all(len(each) <= 1 for each in items), items
    return [item for each in items for item in each]
