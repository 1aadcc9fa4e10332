"""The executor's own times. Limits of functions and AWS's rules are in `lambdanb.model`, not here.

`LAMBDANB_TIMES`, a JSON object of these names, changes them for the executor that it is given to: tests shorten the
retries with it, since AWS's are minutes long.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Times:
    """All in seconds."""

    init_timeout_s: float = 10.0
    """How long a function's init may take, as on AWS."""
    fork_timeout_s: float = 20.0
    """How long a new environment may wait for a zygote that can fork it."""
    template_timeout_s: float = 130.0
    """How long it may take in a SnapStart template, as on AWS."""
    retry_first_s: float = 60.0
    """Wait before the first retry of an event whose function failed, as on AWS."""
    retry_second_s: float = 120.0
    throttle_backoff_s: float = 1.0
    """First wait of an event that was throttled; doubles up to `throttle_backoff_longest_s`."""
    throttle_backoff_longest_s: float = 300.0
    flush_s: float = 0.25
    """Records and logs are written to disk this often while there are any."""
    prune_s: float = 3600.0
    ending_s: float = 1.0
    """How long init may take to end an environment's processes before the executor does it from outside."""
    last_client_s: float = 0.4
    """How long after its last client has gone the executor ends."""
    drain_s: float = 0.6
    """How long it then waits for events under way; what isn't finished runs again at the next start."""

    @staticmethod
    def from_environment() -> Times:
        """The defaults, changed by LAMBDANB_TIMES. Raises ValueError naming an unknown time."""
        changes = json.loads(os.environ.get("LAMBDANB_TIMES", "{}"))
        known = {field.name for field in fields(Times)}
        unknown = changes.keys() - known
        if unknown:
            raise ValueError(f"LAMBDANB_TIMES: unknown {sorted(unknown)}; known are {sorted(known)}")
        return Times(**changes)
