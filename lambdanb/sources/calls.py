"""Calls to AWS, or to whatever speaks its protocol: botocore's clients, each call in a thread.

A mapping has threads of its own, so that one whose source answers slowly holds up no other.

Why threads and not an asynchronous client: docs/decisions/0013-sources.md.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdanb.client.aws import make_client

MOST_THREADS = 64

_EXPIRED = {"ExpiredIteratorException", "ExpiredIterator"}
_TRIMMED = {"TrimmedDataAccessException"}
_BUSY = {"ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "RequestThrottled"}
_GONE = {
    *("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    *("NotFound", "NotFoundException"),
}


class CallFailed(Exception):
    """A call that failed; what it means is told by its class."""


class Expired(CallFailed):
    """The iterator is too old: get another."""


class Trimmed(CallFailed):
    """What was asked for is older than what the stream still has."""


class Busy(CallFailed):
    """Too many calls: wait."""


class Gone(CallFailed):
    """The shard, the stream or the queue isn't there."""


class Calls:
    """Calls of one mapping. `variables` are AWS's own: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ..."""

    def __init__(self, variables: Mapping[str, str], name: str) -> None:
        self._variables = dict(variables)
        self._clients: dict[str, Any] = {}
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix=name)

    async def __call__(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call, and wait for the answer. Raises CallFailed."""
        work = functools.partial(self._call, service, operation, parameters)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Let the threads end when what they do is over."""
        self._threads.shutdown(wait=False)
        for client in self._clients.values():
            client.close()

    def _call(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**parameters)
            return answer
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            for codes, kind in ((_EXPIRED, Expired), (_TRIMMED, Trimmed), (_BUSY, Busy), (_GONE, Gone)):
                if code in codes:
                    raise kind(str(error)) from error
            raise CallFailed(str(error)) from error
        except BotoCoreError as error:
            raise CallFailed(str(error)) from error

    def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            client = self._clients.setdefault(service, make_client(service, self._variables, MOST_THREADS))
        return client
