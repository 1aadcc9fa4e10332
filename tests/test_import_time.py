"""`import lambdanb` must stay cheap: nothing heavy is loaded until it is used.

What is asserted here is what gets loaded, not how long that takes: see benchmarks/import_time.py for the time.
"""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "pandas",
    "matplotlib",
    "numpy",
    "numba",
    "boto3",
    "botocore",
    "aiohttp",
    "IPython",
    "ipywidgets",
    "multiprocess",
)


def modules_imported(statement: str) -> set[str]:
    """The top-level modules that `python -X importtime -c statement` tells of."""
    # -P: without the working folder on the path, as it is for a notebook elsewhere.
    command = [sys.executable, "-P", "-X", "importtime", "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_imported("import lambdanb")
    assert "lambdanb" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_listing_would_show_it() -> None:
    assert "pandas" in modules_imported("import pandas")
