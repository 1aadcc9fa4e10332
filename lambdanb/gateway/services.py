"""The services beside Lambda that are served at the same address, by the name that their requests are signed for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from lambdanb.gateway.api import Api
from lambdanb.gateway.logs_service import logs_service
from lambdanb.gateway.metrics_service import metrics_service
from lambdanb.gateway.signature import Head

Service = Callable[[Api, Head, bytes], Awaitable[tuple[int, Mapping[str, str], bytes]]]

SERVICES: dict[str, Service] = {"logs": logs_service, "monitoring": metrics_service}
