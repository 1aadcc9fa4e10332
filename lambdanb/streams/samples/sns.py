"""SNS: a message of a topic. SNS invokes a function for each message, so an event has one record."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from lambdanb.streams.samples.account import ACCOUNT, REGION, iso, now_ms, text


def sns(
    *, message: Any = "Hello from SNS!", subject: str | None = "TestInvoke", topic: str = "sns-lambda"
) -> dict[str, Any]:
    """The event of one notification; `message` is a text, or anything that is JSON."""
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"
    subscription = f"{arn}:{uuid.uuid4()}"
    service = f"https://sns.{REGION}.amazonaws.com"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": str(uuid.uuid4()),
                    "TopicArn": arn,
                    "Subject": subject,
                    "Message": text(message),
                    "Timestamp": iso(now_ms()),
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": f"{service}/SimpleNotificationService-{secrets.token_hex(16)}.pem",
                    "UnsubscribeUrl": f"{service}/?Action=Unsubscribe&SubscriptionArn={subscription}",
                    "MessageAttributes": {},
                },
            }
        ]
    }
