"""What follows when a batch of a stream was invoked, or is too old to be: plain data in, plain data out.

Source: "How Lambda processes records from stream and queue-based event sources", and "Kinesis" and "DynamoDB: error
handling" in the developer guide of AWS Lambda:

- A failed batch is tried again, with waits that grow, and nothing of its lane before it is through or given up.
- With BisectBatchOnFunctionError a failed batch is cut in two halves, which are tried one after the other. That doesn't
  use up a retry.
- A function that reports the lowest failed record has dealt with those before it; the rest is a batch of its own, with
  all of its retries. If that is the first record, the whole batch failed.
- What has failed after all retries, or is older than MaximumRecordAgeInSeconds, is given up.
- A throttle is no failure: the batch waits, and keeps its retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 60.0


class Aged(Protocol):
    @property
    def arrived_s(self) -> float:
        """When it came to the source, in seconds since 1970."""


Item = TypeVar("Item", bound=Aged)


@dataclass(frozen=True, slots=True)
class Policy:
    """How often, how long and in which pieces a batch is tried. -1: forever."""

    maximum_retry_attempts: int = -1
    maximum_record_age_s: int = -1
    bisect: bool = False


@dataclass(slots=True)
class Batch(Generic[Item]):
    """Records that are handed over together. `failures` used up a try each; `invocations` are all that there were."""

    records: Sequence[Item]
    failures: int = 0
    invocations: int = 0


@dataclass(frozen=True, slots=True)
class Next(Generic[Item]):
    """What is done with (behind the checkpoint from now on), what was given up of it and why, and the batches that
    follow in their order, at once or, where `waits`, after a while."""

    done: Sequence[Item] = ()
    given_up: Sequence[Item] = ()
    condition: str = ""
    batches: list[Batch[Item]] = field(default_factory=list)
    waits: bool = False


def before(batch: Batch[Item], policy: Policy, now_s: float) -> Next[Item] | None:
    """Before an invocation: the first records that are too old are given up. None where there are none."""
    if policy.maximum_record_age_s < 0:
        return None
    oldest_s = now_s - policy.maximum_record_age_s
    count = next((n for n, record in enumerate(batch.records) if record.arrived_s >= oldest_s), len(batch.records))
    if count == 0:
        return None
    rest = batch.records[count:]
    follows = [Batch(rest, batch.failures, batch.invocations)] if rest else []
    return Next(batch.records[:count], batch.records[:count], TOO_OLD, follows)


def succeeded(batch: Batch[Item]) -> Next[Item]:
    """All of it is done with."""
    return Next(batch.records)


def failed(batch: Batch[Item], policy: Policy) -> Next[Item]:
    """The function failed, or its answer can't be read."""
    count = len(batch.records)
    if policy.bisect and count > 1:
        half = count // 2
        halves = [
            Batch(batch.records[:half], batch.failures, 0),
            Batch(batch.records[half:], batch.failures, 0),
        ]
        return Next(batches=halves)
    failures = batch.failures + 1
    if 0 <= policy.maximum_retry_attempts < failures:
        return Next(batch.records, batch.records, EXHAUSTED)
    return Next(batches=[Batch(batch.records, failures, batch.invocations)], waits=True)


def reported(batch: Batch[Item], lowest: int, policy: Policy) -> Next[Item]:
    """The function dealt with all records before that place, and failed there."""
    if lowest == 0:
        return failed(batch, policy)
    return Next(batch.records[:lowest], batches=[Batch(batch.records[lowest:])])


def wait_s(tries: int, share: float) -> float:
    """How long to wait after so many tries in a row, 1 or more; share: random, 0 to 1, so that not all lanes come back
    at once."""
    longest = min(FIRST_WAIT_S * 2.0 ** min(tries - 1, 30), LONGEST_WAIT_S)
    return longest * (0.5 + share / 2)
