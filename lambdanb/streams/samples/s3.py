"""S3: an object was put into a bucket."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote_plus

from lambdanb.streams.samples.account import REGION, iso, now_ms


def s3_put(*, bucket: str = "photos", key: str = "cat.jpg", size: int = 131_072) -> dict[str, Any]:
    """The event of `s3:ObjectCreated:Put`: one record. The key is URL-encoded in it, as S3 does; `size` is in bytes."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": iso(now_ms()),
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "203.0.113.7"},
                "responseElements": {
                    "x-amz-request-id": secrets.token_hex(8).upper(),
                    "x-amz-id-2": secrets.token_urlsafe(57),
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": f"{bucket}-to-lambda",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        "size": size,
                        "eTag": secrets.token_hex(16),
                        "sequencer": f"00{secrets.token_hex(8).upper()}",
                    },
                },
            }
        ]
    }
