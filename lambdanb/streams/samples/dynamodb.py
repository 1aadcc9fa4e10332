"""DynamoDB Streams: items were written."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from lambdanb.streams.samples.account import ACCOUNT, REGION, batch, digits, iso, now_ms


def dynamodb_stream(
    *,
    items: Iterable[Mapping[str, Any]] = ({"id": "101", "message": "New item!"},),
    key: str = "id",
    table: str = "ExampleTable",
    event_name: Literal["INSERT", "MODIFY", "REMOVE"] = "INSERT",
) -> dict[str, Any]:
    """A batch of stream records with both images, one for each of `items`: plain dicts, of which `key` is the hash key.

    MODIFY has the item as it was and as it is, which here are the same; REMOVE only as it was.
    """
    stream = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{iso(now_ms())[:-1]}"
    records = []
    for item in batch("items", items):
        if key not in item:
            raise ValueError(f"each item must have the key {key!r}; this one has {', '.join(item) or 'nothing'}")
        image = {str(name): _attribute(value) for name, value in item.items()}
        change: dict[str, Any] = {"ApproximateCreationDateTime": now_ms() / 1000, "Keys": {key: image[key]}}
        if event_name != "REMOVE":
            change["NewImage"] = image
        if event_name != "INSERT":
            change["OldImage"] = image
        size = len(str(image).encode())
        change |= {"SequenceNumber": digits(24), "SizeBytes": size, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        records.append(
            {
                "eventID": secrets.token_hex(16),
                "eventName": event_name,
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": REGION,
                "dynamodb": change,
                "eventSourceARN": stream,
            }
        )
    return {"Records": records}


def _attribute(value: Any) -> dict[str, Any]:
    """A value as DynamoDB's JSON has it: {"S": "text"}, {"N": "12"}, ..."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float | Decimal):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"M": {str(name): _attribute(inner) for name, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_attribute(inner) for inner in value]}
    raise ValueError(f"DynamoDB has no type for {value!r} ({type(value).__name__})")
