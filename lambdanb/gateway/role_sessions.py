"""Under which keys the requests of functions go on: a session of the function's execution role, made when first needed.

The default role is made where the emulator has none: it may write logs, as AWSLambdaBasicExecutionRole, and nothing
else. Any other role, and any role at an endpoint that isn't the emulator, must be there.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode
from xml.sax.saxutils import unescape

from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Head
from lambdanb.gateway.upstream import Keys, Upstream
from lambdanb.model.function_credentials import FunctionIdentity
from lambdanb.model.names import DEFAULT_ROLE

_LASTS_S = 3600
_EARLY_S = 300.0
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_MAY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "*",
        }
    ],
}


@dataclass(frozen=True)
class _Session:
    keys: Keys
    until_s: float


class RoleSessions:
    """Sessions by function and role; each is kept until it is about to expire, or isn't known upstream any more."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._making = asyncio.Lock()

    async def keys(self, identity: FunctionIdentity) -> Keys:
        """The keys of the function's session. Raises Refusal when its role can't be assumed."""
        key = (identity.function_arn, identity.role_arn)
        async with self._making:
            session = self._sessions.get(key)
            if session is None or time.monotonic() > session.until_s:
                session = self._sessions[key] = await self._assume(*key)
        return session.keys

    def forget(self, identity: FunctionIdentity) -> None:
        """The session isn't known upstream any more: the next request makes another one."""
        self._sessions.pop((identity.function_arn, identity.role_arn), None)

    async def _assume(self, function_arn: str, role_arn: str) -> _Session:
        # The session is named after the function, as on AWS; a name may have one letter, a session's has two or more.
        name = function_arn.rpartition(":")[2].ljust(2, "_")
        asked = {"RoleArn": role_arn, "RoleSessionName": name, "DurationSeconds": str(_LASTS_S)}
        begun_s = time.monotonic()
        status, text = await self._ask("sts", "AssumeRole", "2011-06-15", asked)
        if status != 200 and role_arn == DEFAULT_ROLE and self._upstream.emulated:
            await self._make_default()
            status, text = await self._ask("sts", "AssumeRole", "2011-06-15", asked)
        if status != 200:
            why = f"{_member(text, 'Code')}: {_member(text, 'Message')}"
            told = f"The execution role {role_arn} of this function can't be assumed ({why})."
            raise Refusal("AccessDeniedException", told, 403)
        keys = Keys(*(_member(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        return _Session(keys, begun_s + _LASTS_S - _EARLY_S)

    async def _make_default(self) -> None:
        name = DEFAULT_ROLE.rpartition("/")[2]
        about = "lambdanb's default execution role: it may write logs."
        trust = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(_TRUST), "Description": about}
        status, _ = await self._ask("iam", "CreateRole", "2010-05-08", trust)
        if status == 200:
            may = {"RoleName": name, "PolicyName": "logs", "PolicyDocument": json.dumps(_MAY)}
            await self._ask("iam", "PutRolePolicy", "2010-05-08", may)

    async def _ask(self, service: str, action: str, version: str, members: dict[str, str]) -> tuple[int, str]:
        """A request by the account's owner: status and the XML of the answer."""
        body = urlencode({"Action": action, "Version": version, **members}).encode()
        head = Head("POST", "/", "", {"content-type": _FORM, "content-length": str(len(body))})
        keys = await self._upstream.root()
        headers = self._upstream.signed(head, service, sha256(body).hexdigest(), keys)
        response = await self._upstream.send("POST", "/", headers, body)
        async with response:
            return response.status, await response.text()


def _member(xml: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return unescape(found[1], {"&quot;": '"', "&apos;": "'"}) if found else ""
