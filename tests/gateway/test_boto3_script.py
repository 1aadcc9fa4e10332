"""boto3 in a process of its own, at an endpoint that `lambdanb serve` keeps: every operation is answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lambdanb.gateway.operations import HANDLERS

MAPPINGS = {f"{verb}EventSourceMapping" for verb in ("Create", "Get", "Update", "Delete")}
"""Nothing polls yet, so none can be made. The script fails when that changes."""


def test_every_operation(served: dict[str, str]) -> None:
    script = [sys.executable, str(Path(__file__).with_name("script_boto3.py"))]
    done = subprocess.run(script, env=served, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    answered = {
        name for service, name, statuses in json.loads(done.stdout) if service == "lambda" and min(statuses) < 400
    }
    assert HANDLERS.keys() - answered == MAPPINGS
