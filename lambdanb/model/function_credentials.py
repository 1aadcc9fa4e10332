"""The credentials of a function: what it signs its requests to AWS's services with.

On AWS they are those of a session of its execution role, made ahead and renewed. Here they are computed: the token says
which function and which role, sealed with a secret of the executor's, and the secret key follows from the token. So a
cold start waits for nobody, nothing has to be kept or renewed, and they end with the executor. The gateway opens them
and goes on under a session of the role; to anybody else they are good for nothing. The access key id begins with LSIA,
where AWS's begin with ASIA.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

PREFIX = "LSIA"


@dataclass(frozen=True)
class FunctionCredentials:
    """What a function signs with."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True)
class FunctionIdentity:
    """Who signed, and the secret that it must have signed with."""

    function_arn: str
    role_arn: str
    secret_access_key: str


def function_credentials(secret: bytes, function_arn: str, role_arn: str) -> FunctionCredentials:
    """The credentials of a function that has this role. Always the same, for one secret."""
    said = _text(json.dumps([function_arn, role_arn], separators=(",", ":")).encode())
    token = f"{said}.{_text(_sealed(secret, 'token', said))}"
    key_id = base64.b32encode(_sealed(secret, "id", said)[:10]).decode()
    return FunctionCredentials(PREFIX + key_id, _text(_sealed(secret, "key", said)), token)


def opened(secret: bytes, access_key_id: str, token: str) -> FunctionIdentity | None:
    """Whose credentials these are; None when they aren't of this secret."""
    said, _, seal = token.partition(".")
    if not hmac.compare_digest(_text(_sealed(secret, "token", said)).encode(), seal.encode()):
        return None
    function_arn, role_arn = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    own = function_credentials(secret, function_arn, role_arn)
    if not hmac.compare_digest(own.access_key_id.encode(), access_key_id.encode()):
        return None
    return FunctionIdentity(function_arn, role_arn, own.secret_access_key)


def _sealed(secret: bytes, use: str, said: str) -> bytes:
    return hmac.new(secret, f"{use}\n{said}".encode(), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
