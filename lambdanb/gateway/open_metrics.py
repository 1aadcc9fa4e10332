"""/metrics in the OpenMetrics text format, for Prometheus and its kin.

It wants the home's credentials as HTTP basic authentication (`basic_auth` of a scrape configuration): the names and
rates of functions are nobody's business either.

https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import base64
import hmac

from aiohttp.web_response import Response

from lambdanb.gateway.api import Api
from lambdanb.gateway.refusals import Refusal
from lambdanb.gateway.signature import Head

PATH = "/metrics"
_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_SUMS = (
    ("invocations", "invocations", 1.0),
    ("errors", "errors", 1.0),
    ("throttles", "throttles", 1.0),
    ("cold_starts", "cold_starts", 1.0),
    ("duration_seconds", "duration_ms", 1e-3),
    ("billed_duration_seconds", "billed_ms", 1e-3),
)


async def answer(api: Api, head: Head) -> Response:
    """Counters of each function over all that is kept, in seconds. Raises Refusal without the credentials."""
    known = f"{api.credentials.access_key_id}:{api.credentials.secret_access_key}".encode()
    given = head.headers["authorization"].removeprefix("Basic ").strip().encode()
    if not hmac.compare_digest(given, base64.b64encode(known)):
        raise Refusal("UnrecognizedClientException", "The credentials of this home are asked for.", 403)
    totals = await _totals(api)
    lines = []
    for name, member, factor in _SUMS:
        unit = ["# UNIT lambdanb_" + name + " seconds"] if name.endswith("_seconds") else []
        lines += [f"# TYPE lambdanb_{name} counter", *unit]
        for function, sums in sorted(totals.items()):
            lines.append(f'lambdanb_{name}_total{{function="{function}"}} {sums[member] * factor:g}')
    return Response(body="\n".join([*lines, "# EOF", ""]).encode(), headers={"Content-Type": _TYPE})


async def _totals(api: Api) -> dict[str, dict[str, float]]:
    totals: dict[str, dict[str, float]] = {}
    since_ms = 0
    while rows := (await api.link.ask("metrics_of", since_ms=since_ms, period_s=86_400))["metrics"]:
        for row in rows:
            sums = totals.setdefault(row["function"], dict.fromkeys((member for _, member, _ in _SUMS), 0.0))
            for member in sums:
                sums[member] += row[member]
        since_ms = rows[-1]["start_ms"] + 86_400_000
    return totals
