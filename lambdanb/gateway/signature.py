"""Signature Version 4, as the server sees it: in a header or in the query, over one payload or over chunks.

`read_claim` looks at the head of a request alone, so that what is unsigned, expired or by an unknown key is refused
before its body is read; `verify` needs the hash of the payload too.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NoReturn
from urllib.parse import quote, unquote, urlencode

from botocore.utils import normalize_url_path

from lambdanb.client.credentials import Credentials
from lambdanb.gateway.refusals import Refusal
from lambdanb.model.names import REGION

SKEW = timedelta(minutes=15)
LONGEST_EXPIRY_S = 604_800
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
ALGORITHM = "AWS4-HMAC-SHA256"
STAMP = "%Y%m%dT%H%M%SZ"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True)
class Head:
    """A request without its body: the path and query as they were sent, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Claim:
    """Who says to have signed a request, when and for what, and the signature that is to prove it."""

    date: str
    region: str
    service: str
    stamp: str
    signed_headers: tuple[str, ...]
    signature: str
    in_query: bool
    key_id: str = ""
    token: str | None = None

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def authorization(self) -> str:
        """The Authorization header that says this."""
        return (
            f"{ALGORITHM} Credential={self.key_id}/{self.scope}, "
            f"SignedHeaders={';'.join(self.signed_headers)}, Signature={self.signature}"
        )


def read_claim(head: Head, known: Credentials, now: datetime | None = None) -> Claim:
    """What the request claims. Raises Refusal (in AWS's words) unless it is of the known key, for here, and of now."""
    return of_known_key(claim_of(head, now), known)


def of_known_key(claim: Claim, known: Credentials) -> Claim:
    """Raises Refusal unless the claim is of the known key, which has no token."""
    if not hmac.compare_digest(claim.key_id.encode(), known.access_key_id.encode()) or claim.token is not None:
        _refuse("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    return claim


def claim_of(head: Head, now: datetime | None = None) -> Claim:
    """What the request claims, whoever's key it is. Raises Refusal unless it is for here, and of now."""
    now = now or datetime.now(UTC)
    query = dict(_pairs(head.query)) if "X-Amz-Signature" in head.query else {}
    authorization = head.headers.get("authorization")
    if authorization is not None:
        algorithm, _, rest = authorization.partition(" ")
        if algorithm != ALGORITHM:
            _refuse("IncompleteSignatureException", f"Unsupported AWS 'algorithm': '{algorithm[:100]}'.", 403)
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        stamp = head.headers.get("x-amz-date", "")
        names: tuple[str, ...] = ("Credential", "SignedHeaders", "Signature")
        where = "Authorization header"
    elif query:
        fields = {name.removeprefix("X-Amz-"): value for name, value in query.items()}
        if fields.get("Algorithm") != ALGORITHM:
            _refuse("IncompleteSignatureException", f"Unsupported AWS 'algorithm': '{fields.get('Algorithm')}'.", 403)
        stamp = fields.get("Date", "")
        names = ("Credential", "SignedHeaders", "Signature", "Expires")
        where = "AWS query-string parameters"
    else:
        _refuse("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    for name in names:
        if not fields.get(name):
            _refuse("IncompleteSignatureException", f"{where} must include '{name}'.", 403)
    scope = fields["Credential"].split("/")
    if len(scope) != 5 or scope[4] != "aws4_request":
        _refuse(
            "IncompleteSignatureException",
            f"Credential must have exactly 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{fields['Credential'][:200]}'.",
            403,
        )
    key_id, date, region, service, _ = scope
    moment = _moment(stamp, date)
    token = head.headers.get("x-amz-security-token", fields.get("Security-Token"))
    if region != REGION:
        _refuse(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not '{region}': '{REGION}'.",
            403,
        )
    _check_time(moment, now, fields.get("Expires") if authorization is None else None)
    signed = tuple(fields["SignedHeaders"].lower().split(";"))
    _check_signed_headers(signed, head.headers)
    return Claim(date, region, service, stamp, signed, fields["Signature"], authorization is None, key_id, token)


def verify(claim: Claim, head: Head, payload_hash: str, known: Credentials) -> None:
    """Raises Refusal unless the signature is that of this request by the known secret. `payload_hash`: in hex, or one
    of AWS's words in its place."""
    if not hmac.compare_digest(signature_of(claim, head, payload_hash, known).encode(), claim.signature.encode()):
        mismatch()


def signature_of(claim: Claim, head: Head, payload_hash: str, known: Credentials) -> str:
    """The signature that a request has which claims this."""
    canonical = "\n".join(
        (
            head.method,
            head.path if claim.service == "s3" else quote(normalize_url_path(head.path), safe="/~"),
            _canonical_query(head.query, without_signature=claim.in_query),
            *(f"{name}:{' '.join(head.headers.get(name, '').split())}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
            payload_hash,
        )
    )
    text = f"{ALGORITHM}\n{claim.stamp}\n{claim.scope}\n{sha256(canonical.encode()).hexdigest()}"
    return hmac.new(signing_key(known.secret_access_key, claim), text.encode(), sha256).hexdigest()


def chunk_signature(claim: Claim, known: Credentials, before: str, chunk_hash: str) -> str:
    """The signature of one chunk of a streaming upload, by its hash in hex, after one whose signature was `before`."""
    empty = sha256(b"").hexdigest()
    text = f"{ALGORITHM}-PAYLOAD\n{claim.stamp}\n{claim.scope}\n{before}\n{empty}\n{chunk_hash}"
    return hmac.new(signing_key(known.secret_access_key, claim), text.encode(), sha256).hexdigest()


def trailer_signature(claim: Claim, known: Credentials, before: str, trailer: bytes) -> str:
    """The signature of the trailing headers of a streaming upload."""
    text = f"{ALGORITHM}-TRAILER\n{claim.stamp}\n{claim.scope}\n{before}\n{sha256(trailer).hexdigest()}"
    return hmac.new(signing_key(known.secret_access_key, claim), text.encode(), sha256).hexdigest()


def mismatch() -> NoReturn:
    """Refuse a signature that isn't right."""
    _refuse("InvalidSignatureException", _MISMATCH, 403)


def signing_key(secret: str, claim: Claim) -> bytes:
    """The key of one day, region and service."""
    return _signing_key(secret, claim.date, claim.region, claim.service)


@lru_cache(maxsize=64)
def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key


def _moment(stamp: str, date: str) -> datetime:
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp, re.ASCII):
        _refuse("IncompleteSignatureException", f"Date must be in ISO-8601 'basic format'. Got '{stamp[:100]}'.", 403)
    if stamp[:8] != date:
        _refuse(
            "InvalidSignatureException",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date[:100]}' "
            f"!= '{stamp[:8]}', from '{stamp}'.",
            403,
        )
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        _refuse("IncompleteSignatureException", f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.", 403)


def _check_time(moment: datetime, now: datetime, expires: str | None) -> None:
    if moment - now > SKEW:
        _refuse(
            "InvalidSignatureException",
            f"Signature not yet current: {moment:{STAMP}} is still later than {now + SKEW:{STAMP}} "
            f"({now:{STAMP}} + 15 min.)",
            403,
        )
    if expires is None:
        if now - moment > SKEW:
            _refuse(
                "InvalidSignatureException",
                f"Signature expired: {moment:{STAMP}} is now earlier than {now - SKEW:{STAMP}} "
                f"({now:{STAMP}} - 15 min.)",
                403,
            )
        return
    if not expires.isascii() or not expires.isdigit() or not 1 <= int(expires[:9]) <= LONGEST_EXPIRY_S:
        _refuse("IncompleteSignatureException", f"X-Amz-Expires must be 1 to {LONGEST_EXPIRY_S} seconds.", 403)
    if now > (ends := moment + timedelta(seconds=int(expires[:9]))):
        _refuse("InvalidSignatureException", f"Signature expired: {now:{STAMP}} is now later than {ends:{STAMP}}", 403)


def _check_signed_headers(signed: tuple[str, ...], headers: Mapping[str, str]) -> None:
    if "host" not in signed:
        _refuse("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.", 403)
    if list(signed) != sorted(set(signed)):
        _refuse("IncompleteSignatureException", "SignedHeaders must be sorted, each once.", 403)
    unsigned = sorted(name for name in headers if name.startswith("x-amz-") and name not in signed)
    if unsigned:
        _refuse(
            "InvalidSignatureException",
            f"There were headers present in the request which were not signed: {', '.join(unsigned)}",
            403,
        )


def _canonical_query(query: str, *, without_signature: bool) -> str:
    if not query:
        return ""
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in _pairs(query)
        if not (without_signature and name == "X-Amz-Signature")
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _pairs(query: str) -> list[tuple[str, str]]:
    found = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in found]


def _refuse(code: str, message: str, status: int) -> NoReturn:
    raise Refusal(code, message, status)


def presigned(path: str, host: str, known: Credentials, expires_s: int) -> dict[str, str]:
    """The query that signs a GET of this path at this host, from now on for so long."""
    stamp = datetime.now(UTC).strftime(STAMP)
    claim = Claim(stamp[:8], REGION, "lambda", stamp, ("host",), "", True)
    query = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{known.access_key_id}/{claim.scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    head = Head("GET", path, urlencode(query, quote_via=quote), {"host": host})
    return {**query, "X-Amz-Signature": signature_of(claim, head, sha256(b"").hexdigest(), known)}
