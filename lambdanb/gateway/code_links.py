"""Links under which code can be downloaded as a zip, signed in the query and good for ten minutes, as AWS's are.

The zip has the files that were deployed; it isn't the zip that was uploaded byte for byte.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode, urlsplit

from lambdanb.code.package import pack
from lambdanb.gateway import signature
from lambdanb.gateway.api import Api
from lambdanb.model.errors import ResourceNotFoundException

PREFIX = "/code/"
_GOOD_FOR_S = 600


def code_location(api: Api, sha256: str, name: str) -> str:
    """The URL of a code folder's zip."""
    path = f"{PREFIX}{sha256}/{name}.zip"
    query = signature.presigned(path, urlsplit(api.url).netloc, api.credentials, _GOOD_FOR_S)
    return f"{api.url}{path}?{urlencode(query)}"


async def download(api: Api, path: str) -> bytes:
    """The zip at a link's path, whose signature was checked. Raises ResourceNotFoundException."""
    sha256 = path.removeprefix(PREFIX).partition("/")[0]
    try:
        return await asyncio.to_thread(lambda: pack(api.store.path(sha256)))
    except (FileNotFoundError, ValueError):
        raise ResourceNotFoundException(f"There is no code {sha256[:64]} any more.") from None
