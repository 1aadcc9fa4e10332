"""Errors of the services beside Lambda, in the form that each service's clients can read.

XML for S3 and for the services that are asked by forms (SNS, STS, IAM), JSON for the others (DynamoDB, Kinesis, SQS,
EventBridge).

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from xml.sax.saxutils import escape

from lambdanb.gateway.signature import Head
from lambdanb.model.errors import ServiceError

_S3_CODES = {
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "AuthorizationHeaderMalformed",
    "MissingAuthenticationTokenException": "AccessDenied",
    "AccessDeniedException": "AccessDenied",
    "RequestTimeoutException": "RequestTimeout",
    "RequestEntityTooLargeException": "EntityTooLarge",
}
_QUERY_CODES = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "IncompleteSignature",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "AccessDeniedException": "AccessDenied",
}


def is_s3(head: Head) -> bool:
    """Whether the request is signed, or claims to be, for S3."""
    scope = head.headers.get("authorization", head.query.replace("%2F", "/").replace("%2f", "/"))
    return "/s3/aws4_request" in scope or "AWSAccessKeyId=" in scope


def answer(error: ServiceError, head: Head, request_id: str) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body."""
    headers = {"x-amzn-RequestId": request_id}
    if is_s3(head):
        code = _S3_CODES.get(error.code, error.code)
        headers |= {"Content-Type": "application/xml", "x-amz-request-id": request_id}
        body = (
            f"<Error><Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
    elif head.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        code = _QUERY_CODES.get(error.code, error.code)
        headers["Content-Type"] = "text/xml"
        fault = "Sender" if error.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    else:
        headers |= {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": error.code}
        body = json.dumps({"__type": error.code, "message": error.message})
    if body.startswith("<"):
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return error.status, headers, b"" if head.method == "HEAD" else body.encode()
