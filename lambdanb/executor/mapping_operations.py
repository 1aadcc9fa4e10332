"""What the gateway and the sources process ask of event source mappings."""

from __future__ import annotations

from typing import Any

from lambdanb.executor.api_operations import ApiOperations
from lambdanb.executor.mappings import Mappings
from lambdanb.model.errors import InvalidParameterValueException, ResourceNotFoundException
from lambdanb.model.mappings import EventSourceMapping


class MappingOperations(ApiOperations):
    """All operations there are."""

    def __init__(self, *parts: Any, mappings: Mappings) -> None:
        super().__init__(*parts)
        self.mappings = mappings

    def op_aws(self) -> dict[str, Any]:
        """Where the services beside Lambda are asked, and whether they are on this machine, where a call costs nobody
        money."""
        return {"url": self.aws.url(), "local": self.aws.is_local}

    # The gateway's

    def op_create_mapping(self, mapping: dict[str, Any], enabled: bool) -> dict[str, Any]:
        """A new mapping, of settings that have been checked."""
        made = EventSourceMapping.from_json(mapping)
        self._check_function(made)
        return self.mappings.create(made, enabled=enabled).to_json()

    def op_update_mapping(self, mapping: dict[str, Any], enabled: bool | None, generation: int) -> dict[str, Any]:
        """All settings of a mapping anew, if they are still those of that generation."""
        made = EventSourceMapping.from_json(mapping)
        self._check_function(made)
        return self.mappings.update(made, enabled=enabled, generation=generation).to_json()

    def op_delete_mapping(self, uuid: str) -> dict[str, Any]:
        """It is gone when it is read no more."""
        return self.mappings.delete(uuid).to_json()

    def op_mapping(self, uuid: str) -> dict[str, Any]:
        """One mapping."""
        return self.mappings.get(uuid).to_json()

    def op_mappings(self) -> dict[str, Any]:
        """All mappings."""
        return {"mappings": [each.to_json() for each in self.mappings.all()]}

    # The sources process's

    def op_mapping_is(self, uuid: str, generation: int, running: bool) -> dict[str, Any]:
        """The sources process has followed."""
        self.mappings.is_running(uuid, generation, running)
        return {}

    def op_mapping_result(self, uuid: str, result: str) -> dict[str, Any]:
        """What came of the last batch."""
        self.mappings.is_result(uuid, result)
        return {}

    def _check_function(self, mapping: EventSourceMapping) -> None:
        try:
            self.registry.get(mapping.function, mapping.qualifier)
        except ResourceNotFoundException:
            raise InvalidParameterValueException("Function does not exist") from None
