"""Every operation of the Lambda API: what does it, or why it isn't offered."""

from __future__ import annotations

from lambdanb.gateway import (
    aliases,
    concurrency,
    event_invoke,
    function_urls,
    functions,
    invoke,
    layers,
    mappings,
    permissions,
    recorded,
    tags,
)
from lambdanb.gateway.api import Handler

HANDLERS: dict[str, Handler] = {
    **functions.HANDLERS,
    **invoke.HANDLERS,
    **aliases.HANDLERS,
    **concurrency.HANDLERS,
    **event_invoke.HANDLERS,
    **permissions.HANDLERS,
    **tags.HANDLERS,
    **function_urls.HANDLERS,
    **layers.HANDLERS,
    **recorded.HANDLERS,
    **mappings.HANDLERS,
}

_CAPACITY = "there are no managed instances on one machine"
_DURABLE = "there are no durable executions"

NOT_OFFERED: dict[str, str] = {
    **dict.fromkeys(
        (
            "CreateCapacityProvider",
            "DeleteCapacityProvider",
            "GetCapacityProvider",
            "ListCapacityProviders",
            "ListFunctionVersionsByCapacityProvider",
            "UpdateCapacityProvider",
            "GetFunctionScalingConfig",
            "PutFunctionScalingConfig",
        ),
        _CAPACITY,
    ),
    **dict.fromkeys(
        (
            "CheckpointDurableExecution",
            "DeleteDurableExecution",
            "GetDurableExecution",
            "GetDurableExecutionHistory",
            "GetDurableExecutionState",
            "ListDurableExecutionsByFunction",
            "PauseDurableExecution",
            "ResumeDurableExecution",
            "SendDurableExecutionCallbackFailure",
            "SendDurableExecutionCallbackHeartbeat",
            "SendDurableExecutionCallbackSuccess",
            "StopDurableExecution",
        ),
        _DURABLE,
    ),
}
