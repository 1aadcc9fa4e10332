"""Event source mappings: there are none yet, so lists are empty and making one is refused."""

from __future__ import annotations

from lambdanb.gateway.api import Api, Members
from lambdanb.gateway.refusals import not_here
from lambdanb.model.errors import ResourceNotFoundException


async def create_event_source_mapping(api: Api, members: Members) -> Members:
    """Refused: nothing polls streams and queues here yet."""
    raise not_here("CreateEventSourceMapping", "nothing polls streams or queues yet; invoke the function yourself")


async def list_event_source_mappings(api: Api, members: Members) -> Members:
    """None."""
    return {"EventSourceMappings": []}


async def no_such_mapping(api: Api, members: Members) -> Members:
    """Get, update and delete: there is none of any UUID."""
    raise ResourceNotFoundException("The resource you requested does not exist.")


HANDLERS = {
    "CreateEventSourceMapping": create_event_source_mapping,
    "ListEventSourceMappings": list_event_source_mappings,
    "GetEventSourceMapping": no_such_mapping,
    "UpdateEventSourceMapping": no_such_mapping,
    "DeleteEventSourceMapping": no_such_mapping,
}
