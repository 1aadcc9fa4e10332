"""Event source mappings: create, get, list, update, delete. The executor keeps them, the sources process runs them.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import uuid4

from lambdanb.gateway.api import Api, Members, function_of, page
from lambdanb.gateway.mapping_settings import changed_mapping, new_mapping, told
from lambdanb.gateway.mapping_sources import check_source
from lambdanb.model.errors import InvalidParameterValueException, ResourceNotFoundException
from lambdanb.model.mappings import EventSourceMapping

_MOST_A_PAGE = 100


async def create_event_source_mapping(api: Api, members: Members) -> Members:
    """202, Creating; Disabled where Enabled is false."""
    name, qualifier = function_of(members)
    mapping = new_mapping(str(uuid4()), name, qualifier, members)
    await _check(api, mapping)
    kept = await api.link.ask("create_mapping", mapping=mapping.to_json(), enabled=members.get("Enabled", True))
    return told(kept)


async def get_event_source_mapping(api: Api, members: Members) -> Members:
    """One, by its UUID."""
    return told(await api.link.ask("mapping", uuid=members["UUID"]))


async def list_event_source_mappings(api: Api, members: Members) -> Members:
    """All, or those of a source, of a function, or of both."""
    found = (await api.link.ask("mappings"))["mappings"]
    wanted: dict[str, Any] = {}
    if members.get("EventSourceArn"):
        wanted["source_arn"] = members["EventSourceArn"]
    if members.get("FunctionName"):
        wanted["function"], qualifier = function_of(members)
        if qualifier is not None:
            wanted["qualifier"] = qualifier
    chosen = [kept for kept in found if all(kept["mapping"][name] == value for name, value in wanted.items())]
    chosen.sort(key=lambda kept: str(kept["mapping"]["uuid"]))
    some, marker = page(chosen, members, lambda kept: str(kept["mapping"]["uuid"]), _MOST_A_PAGE)
    return {"EventSourceMappings": [told(kept) for kept in some], "NextMarker": marker}


async def update_event_source_mapping(api: Api, members: Members) -> Members:
    """202, Updating, Enabling or Disabling. What isn't given stays."""
    kept = await api.link.ask("mapping", uuid=members["UUID"])
    mapping = EventSourceMapping.from_json(kept["mapping"])
    if "FunctionName" in members:
        name, qualifier = function_of(members)
        mapping = dataclasses.replace(mapping, function=name, qualifier=qualifier)
    mapping = changed_mapping("UpdateEventSourceMapping", mapping, members)
    enabled, generation = members.get("Enabled"), kept["generation"]
    if enabled or (enabled is None and kept["state"] != "Disabled"):
        await _check(api, mapping)
    return told(await api.link.ask("update_mapping", mapping=mapping.to_json(), enabled=enabled, generation=generation))


async def delete_event_source_mapping(api: Api, members: Members) -> Members:
    """202, Deleting: it is gone when nothing of it is under way."""
    return told(await api.link.ask("delete_mapping", uuid=members["UUID"]))


async def _check(api: Api, mapping: EventSourceMapping) -> None:
    try:
        await check_source(api, mapping)
    except ResourceNotFoundException:
        raise InvalidParameterValueException("Function does not exist") from None


HANDLERS = {
    "CreateEventSourceMapping": create_event_source_mapping,
    "ListEventSourceMappings": list_event_source_mappings,
    "GetEventSourceMapping": get_event_source_mapping,
    "UpdateEventSourceMapping": update_event_source_mapping,
    "DeleteEventSourceMapping": delete_event_source_mapping,
}
