"""Signature Version 2 in a query: presigned URLs of S3, as boto3 makes them for us-east-1 unless it is told otherwise.

It signs the method, the path, when the URL expires, and the headers that S3 acts on. Nowhere else is it taken.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import HmacV1Auth
from botocore.awsrequest import HTTPHeaders
from botocore.credentials import Credentials as Pair

from lambdanb.client.credentials import Credentials
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Claim, Head, mismatch
from lambdanb.model.names import REGION

VERSION = "AWS2"
"""In place of a claim's stamp."""
SIGNING = frozenset(("awsaccesskeyid", "signature", "expires", "content-type", "content-md5"))
"""Names in the query, in lower case, beside those that begin with x-amz- and stand for headers."""
_TOKEN = "x-amz-security-token"


def claim_of(head: Head, now: datetime | None = None) -> Claim | None:
    """What such a URL claims; None for a request that isn't of one. Raises Refusal when it has expired."""
    if "AWSAccessKeyId=" not in head.query or "authorization" in head.headers:
        return None
    query = dict(parse_qsl(head.query))
    key_id, signature, expires = (query.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not key_id or not signature or not expires.isascii() or not expires.isdigit():
        raise Refusal("AccessDeniedException", "A presigned URL has AWSAccessKeyId, Signature and Expires.", 403)
    if (now or datetime.now(UTC)).timestamp() > int(expires[:12]):
        raise Refusal("AccessDeniedException", "Request has expired", 403)
    return Claim("", REGION, "s3", VERSION, (), signature, True, key_id, query.get(_TOKEN))


def verify(claim: Claim, head: Head, known: Credentials) -> None:
    """Raises Refusal unless the signature is that of this request by the known secret."""
    signer = _Signer(Pair(known.access_key_id, known.secret_access_key), dict(parse_qsl(head.query))["Expires"])
    headers = HTTPHeaders()
    for name, value in (dict(head.headers) | headers_in(head)).items():
        headers[name] = value
    expected = signer.get_signature(head.method, urlsplit(f"{head.path}?{head.query}"), headers)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        mismatch()


def headers_in(head: Head) -> dict[str, str]:
    """The x-amz- headers that the query stands for, the token among them."""
    pairs = parse_qsl(head.query, keep_blank_values=True)
    return {name.lower(): value for name, value in pairs if name.lower().startswith("x-amz-")}


class _Signer(HmacV1Auth):  # type: ignore[misc]
    def __init__(self, pair: Any, expires: str) -> None:
        super().__init__(pair)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires
