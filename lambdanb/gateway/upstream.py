"""Where requests to the services beside Lambda go on to.

That is the home's emulator, by its socket, or the endpoint that LAMBDANB_AWS_ENDPOINT_URL names (LocalStack, moto's
server, whatever speaks AWS's protocols at one address); requests to that one are signed with the keys of the profile
that LAMBDANB_AWS_PROFILE names in ~/.aws, else with test/test, which local endpoints take.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from lambdanb.client.credentials import DOOR_HEADER, Credentials
from lambdanb.client.link import Link
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import STAMP, Claim, Head, signature_of
from lambdanb.model.errors import ServiceError
from lambdanb.model.names import OTHER_ENDPOINT_VARIABLE, REGION

PROFILE_VARIABLE = "LAMBDANB_AWS_PROFILE"
_CONNECTS_S = 5.0
_ANSWERS_S = 75.0
"""The longest that a service keeps a request waiting is 20 s, SQS's long poll; an upload's time isn't counted."""
_IDLE_S = 30.0
_SPARE_BYTES = 32 * 1024 * 1024
_NONE_OF_ITS_OWN = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True)
class Keys:
    """What a request goes on under."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None


class Upstream:
    """One for the gateway's life; connections are kept and used again."""

    def __init__(self, link: Link, home: Path, known: Credentials, url: str) -> None:
        """`url` is the gateway's own address, which the emulator is told to be at."""
        self._link = link
        self._home = home
        self._known = known
        named = os.environ.get(OTHER_ENDPOINT_VARIABLE)
        self.emulated = not named
        self.url = (named or url).rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def root(self) -> Keys:
        """The keys of the account's owner there."""
        if self.emulated:
            return Keys(self._known.access_key_id, self._known.secret_access_key)
        profile = os.environ.get(PROFILE_VARIABLE)
        return await asyncio.to_thread(_profile_keys, profile) if profile else Keys("test", "test")

    async def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        data: bytes | AsyncIterable[bytes] | None,
    ) -> aiohttp.ClientResponse:
        """Send a request, whose path and query are `target`, as it is. Raises Refusal when nobody answers."""
        session = await self._connected()
        sent = dict(headers)
        if self.emulated:
            sent[DOOR_HEADER] = self._known.door_key
        try:
            return await session.request(
                method,
                URL(self.url + target, encoded=True),
                headers=sent,
                data=data,
                allow_redirects=False,
                skip_auto_headers=_NONE_OF_ITS_OWN,
            )
        except aiohttp.ClientConnectorError as error:
            if self.emulated:  # the executor had given it up: the next request finds it tried again
                await self._link.ask("emulator")
            raise self._unavailable(f"can't be reached ({error.os_error.strerror})") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error.__cause__, ServiceError):  # of the body, while it was read
                raise error.__cause__ from None
            told = "gave no answer in time" if isinstance(error, TimeoutError) else "broke off the request"
            raise self._unavailable(told) from error

    def signed(self, head: Head, service: str, payload_hash: str, keys: Keys) -> dict[str, str]:
        """The headers of a request with those that sign it. `head.headers`: all that are sent, but for those."""
        stamp = datetime.now(UTC).strftime(STAMP)
        headers = {**head.headers, "host": URL(self.url).authority, "x-amz-date": stamp}
        headers["x-amz-content-sha256"] = payload_hash
        if keys.token is not None:
            headers["x-amz-security-token"] = keys.token
        names = tuple(sorted(name for name in headers if name == "host" or name.startswith(("x-amz-", "content-md5"))))
        claim = Claim(stamp[:8], REGION, service, stamp, names, "", False, keys.access_key_id)
        whole = Head(head.method, head.path, head.query, headers)
        known = Credentials(keys.access_key_id, keys.secret_access_key)
        signed = replace(claim, signature=signature_of(claim, whole, payload_hash, known))
        return headers | {"authorization": signed.authorization}

    def check_room(self, size: int) -> None:
        """Raises Refusal when the home's disk has no room for so many bytes: the emulator would lose them silently."""
        if self.emulated:
            disk = os.statvfs(self._home)
            if disk.f_bavail * disk.f_frsize < size + _SPARE_BYTES:
                raise Refusal("ServiceUnavailable", f"The disk of {self._home} is full.", 503)

    async def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            if self.emulated:
                if not (await self._link.ask("emulator"))["installed"]:
                    raise Refusal(
                        "NotImplemented",
                        "Only Lambda, its logs and its metrics are served here: the emulator of the other services "
                        "isn't installed. Either pip install 'lambdanb[aws]', or name another endpoint by "
                        f"{OTHER_ENDPOINT_VARIABLE} and end this home's executor (close its notebooks).",
                        501,
                    )
                # Through the descriptor: a socket's path may have 107 bytes, a home's path more.
                folder = os.open(self._home / "run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                connector: aiohttp.BaseConnector = aiohttp.UnixConnector(
                    f"/proc/self/fd/{folder}/aws.sock", limit=0, keepalive_timeout=_IDLE_S
                )
            else:
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTS_S, sock_read=_ANSWERS_S),
            )
        return self._session

    def _unavailable(self, what: str) -> Refusal:
        if self.emulated:
            told = f"The emulator of AWS's services {what}. It is started again by itself: try again. If that doesn't "
            told += f"help, {self._home / 'executor.log'} tells why."
        else:
            told = f"{self.url}, which {OTHER_ENDPOINT_VARIABLE} names, {what}."
        return Refusal("ServiceUnavailable", told, 503)


def _profile_keys(profile: str) -> Keys:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found: Any = Session(profile=profile).get_credentials()
        if found is None:
            raise Refusal("UnrecognizedClientException", f"The profile {profile!r} in ~/.aws has no credentials.", 403)
        frozen = found.get_frozen_credentials()
    except BotoCoreError as error:
        raise Refusal("UnrecognizedClientException", f"{PROFILE_VARIABLE}={profile}: {error}", 403) from error
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)
