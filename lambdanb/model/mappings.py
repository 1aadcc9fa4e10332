"""Event source mappings as plain data: which source's records go to which function, and how.

The AWS API makes them (`gateway.mappings`), the executor keeps them (`executor.mappings`), the sources process runs
them (`lambdanb.sources`). Limits: `mapping_limits`.

https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lambdanb.model.names import ACCOUNT, REGION, function_arn

Kind = Literal["kinesis", "dynamodb", "sqs"]

NOTHING_YET = "No records processed"
OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"

TO_RUN = frozenset(("Creating", "Enabling", "Enabled", "Updating"))
"""States of mappings that are read, or are to be from now on."""
TO_STOP = frozenset(("Disabling", "Deleting"))
"""States of mappings that are read no more once what is under way is over."""


@dataclass(frozen=True, kw_only=True)
class EventSourceMapping:
    """What is chosen of a mapping, in AWS's words where it has them.

    starting_timestamp_s        of AT_TIMESTAMP, seconds since 1970
    maximum_retry_attempts, maximum_record_age_s   -1: forever
    on_failure                  ARN of a function, queue or topic, which is told of records that are given up
    report_batch_item_failures  FunctionResponseTypes
    filters                     patterns, of which one must match
    maximum_concurrency         None: as many as the account has
    """

    uuid: str
    source_arn: str
    function: str
    qualifier: str | None = None
    batch_size: int = 100
    batching_window_s: int = 0
    starting_position: str = ""
    starting_timestamp_s: float | None = None
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    maximum_record_age_s: int = -1
    bisect_batch_on_function_error: bool = False
    tumbling_window_s: int = 0
    on_failure: str | None = None
    report_batch_item_failures: bool = False
    filters: tuple[str, ...] = ()
    maximum_concurrency: int | None = None

    @property
    def kind(self) -> Kind:
        return kind_of(self.source_arn)

    @property
    def fifo(self) -> bool:
        """Whether the source is a FIFO queue."""
        return self.kind == "sqs" and self.source_arn.endswith(".fifo")

    @property
    def function_arn(self) -> str:
        return function_arn(self.function, self.qualifier)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EventSourceMapping:
        return cls(**{**data, "filters": tuple(data["filters"])})


def kind_of(source_arn: str) -> Kind:
    """What a mapping's source is. Raises ValueError for one that nothing here reads."""
    parts = source_arn.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn":
        if parts[2] == "kinesis" and parts[5].startswith("stream/") and parts[5].count("/") == 1:
            return "kinesis"
        if parts[2] == "dynamodb" and "/stream/" in parts[5]:
            return "dynamodb"
        if parts[2] == "sqs":
            return "sqs"
    raise ValueError(source_arn)


def mapping_arn(uuid: str) -> str:
    """The ARN of a mapping itself."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}"
