"""Limits of event source mappings: what can be chosen about how a stream or a queue is read.

Source: "CreateEventSourceMapping" in the API reference of AWS Lambda. -1 means forever where a minimum is -1.
"""

from __future__ import annotations

from lambdanb.model.rules import MB, Limit

BATCH_BYTES = 6 * MB
"""A batch is handed over when it has grown to this, however few records it has: it is one invocation's payload."""

TUMBLING_STATE_BYTES = MB
"""The largest state that a tumbling window carries from one invocation to the next, per shard."""

BATCHING_WINDOW_S = Limit("batching window", "s", 0, 300, 0, 1, "maximumBatchingWindowInSeconds")

STREAM: tuple[Limit, ...] = (
    Limit("batch size", "records", 1, 10_000, 100, 1, "batchSize"),
    BATCHING_WINDOW_S,
    Limit("parallelization factor", "", 1, 10, 1, 1, "parallelizationFactor"),
    Limit("retry attempts", "", -1, 10_000, -1, 1, "maximumRetryAttempts"),
    Limit("record age", "s", -1, 604_800, -1, 1, "maximumRecordAgeInSeconds"),
    Limit("tumbling window", "s", 0, 900, 0, 1, "tumblingWindowInSeconds"),
)
"""Kinesis and DynamoDB streams."""

QUEUE: tuple[Limit, ...] = (
    Limit("batch size", "messages", 1, 10_000, 10, 1, "batchSize"),
    BATCHING_WINDOW_S,
    Limit("maximum concurrency", "", 2, 1000, 1000, 1, "scalingConfig.maximumConcurrency"),
)
"""SQS. A batch size over `QUEUE_BATCH_WITHOUT_WINDOW` needs a batching window of at least 1 s. Without a scaling
configuration there is no maximum concurrency."""

FIFO_QUEUE: tuple[Limit, ...] = (Limit("batch size", "messages", 1, 10, 10, 1, "batchSize"), *QUEUE[2:])
"""SQS FIFO queues, which have no batching window."""

QUEUE_BATCH_WITHOUT_WINDOW = 10
