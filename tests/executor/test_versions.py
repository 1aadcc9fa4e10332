"""Versions never change, aliases point at them, weights share the invocations; provisioned concurrency is kept up."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from processes import eventually

import lambdanb
from lambdanb.client.connection import Executor
from lambdanb.model.errors import InvalidParameterValueException, ResourceConflictException, ServiceError

ARN = "arn:aws:lambda:us-east-1:123456789012:function"


def saying(word: str) -> str:
    return f"""
import os
def lambda_handler(event, context):
    return ["{word}", context.function_version, context.invoked_function_arn, os.environ["AWS_LAMBDA_FUNCTION_VERSION"]]
"""


def environments(function: str) -> list[dict[str, Any]]:
    return [each for each in Executor.of().ask("environments")["environments"] if each["function"] == function]


def test_a_version_never_changes(shared_home: Path) -> None:
    function = lambdanb.deploy("published", saying("one"), memory=128)
    first = function.publish("the first")
    assert (first.name, first.qualifier) == ("published", "1")
    assert first() == ["one", "1", f"{ARN}:published:1", "1"]
    lambdanb.deploy("published", saying("two"), memory=256)
    assert function() == ["two", "$LATEST", f"{ARN}:published", "$LATEST"]
    assert first() == ["one", "1", f"{ARN}:published:1", "1"]
    assert first.invoke().report.memory_mb == 128  # type: ignore[union-attr]
    assert "one" in first.source
    with pytest.raises(InvalidParameterValueException, match="is published and never changes"):
        first.configure(memory=512)
    assert function.publish().qualifier == "2"
    assert function.publish().qualifier == "2", "nothing changed since"
    first.delete()
    with pytest.raises(ServiceError, match="Function not found"):
        first()
    assert lambdanb.get("published", "2")()[0] == "two"


def test_an_alias_is_moved(shared_home: Path) -> None:
    function = lambdanb.deploy("moved", saying("one"))
    function.publish()
    live = function.alias("live", 1)
    assert live() == ["one", "1", f"{ARN}:moved:live", "1"]
    lambdanb.deploy("moved", saying("two"))
    function.publish()
    assert live()[0] == "one"
    assert function.alias("live", "2")()[0] == "two"
    assert live() == ["two", "2", f"{ARN}:moved:live", "2"]
    assert live.invoke().version == "2"
    with pytest.raises(ResourceConflictException, match="aliases reference it"):
        lambdanb.get("moved", "2").delete()
    live.delete()
    with pytest.raises(ServiceError, match="Function not found"):
        live()
    lambdanb.get("moved", "2").delete()


def test_weights(shared_home: Path) -> None:
    function = lambdanb.deploy("weighted", saying("one"))
    function.publish()
    lambdanb.deploy("weighted", saying("two"))
    function.publish()
    canary = function.alias("canary", 1, weights={"2": 0.5})
    answers = [canary()[0] for _ in range(100)]
    # Off by chance less than once in 10^9 runs.
    assert 20 <= answers.count("one") <= 80
    assert answers.count("one") + answers.count("two") == 100
    function.alias("canary", 1, weights={"2": 1.0})
    assert {canary()[0] for _ in range(10)} == {"two"}
    function.alias("canary", 1)
    assert {canary()[0] for _ in range(10)} == {"one"}


def test_what_isn_t_there(shared_home: Path) -> None:
    function = lambdanb.deploy("there", saying("one"))
    for qualifier in ("7", "nowhere"):
        with pytest.raises(ServiceError, match=f"Function not found: {ARN}:there:{qualifier}"):
            lambdanb.get("there", qualifier)
    with pytest.raises(ServiceError, match="Function not found"):
        function.alias("live", 7)
    with pytest.raises(ServiceError, match="Function not found"):
        lambdanb.get("nobody")
    function.delete()
    with pytest.raises(ServiceError, match="Function not found"):
        function()


def test_an_event_to_an_alias_names_it(shared_home: Path) -> None:
    function = lambdanb.deploy(
        "named", "def lambda_handler(event, context): print('arn', context.invoked_function_arn)\n"
    )
    function.publish()
    live = function.alias("live", 1)
    live.invoke(1, mode="async")
    assert eventually(lambda: f"arn {ARN}:named:live" in function.logs(), 10)


COUNTING_INIT = """
import time
begun = time.time()
def lambda_handler(event, context):
    return begun
"""


def test_provisioned_concurrency_is_initialised_ahead_and_replaced(shared_home: Path) -> None:
    function = lambdanb.deploy("ahead", COUNTING_INIT, provisioned_concurrency=2)
    assert eventually(lambda: [each["state"] for each in environments("ahead")] == ["idle"] * 2, 10)
    version = lambdanb.get("ahead", "1")
    warm = version.invoke()
    assert warm.record is not None
    assert (warm.record.cold, warm.record.init_ms) == (False, None)
    assert warm.record.queued_ms >= 0
    assert "Init Duration" not in warm.logs
    before = {each["id"] for each in environments("ahead")}
    for each in environments("ahead"):
        os.kill(each["init_pid"], signal.SIGKILL)
    assert eventually(
        lambda: (
            len(new := [each for each in environments("ahead") if each["id"] not in before]) == 2
            and all(each["state"] == "idle" for each in new)
        ),
        10,
    )
    assert version.invoke().record.cold is False  # type: ignore[union-attr]
    assert function.description["provisioned_concurrency"] == {"1": 2}


def test_provisioned_concurrency_moves_to_the_newest_version_and_goes(shared_home: Path) -> None:
    lambdanb.deploy("ahead", saying("one"), provisioned_concurrency=2)
    function = lambdanb.deploy("ahead", saying("two"), provisioned_concurrency=1)
    newest = max(function.description["versions"], key=lambda version: int(version) if version.isdigit() else 0)
    assert function.description["provisioned_concurrency"] == {newest: 1}

    def provisioned() -> list[str]:
        return [each["version"] for each in environments("ahead") if each["state"] == "idle"]

    assert eventually(lambda: provisioned() == [newest], 10)
    assert lambdanb.get("ahead", newest).invoke().record.cold is False  # type: ignore[union-attr]
    function.configure(provisioned_concurrency=None)
    assert function.description["provisioned_concurrency"] == {}
    assert eventually(lambda: provisioned() == [], 10)


def test_a_provisioned_environment_that_crashed_is_initialised_again(shared_home: Path) -> None:
    source = "import os\ndef lambda_handler(event, context):\n    if event: os._exit(1)\n    return 'fine'\n"
    lambdanb.deploy("crashes", source, provisioned_concurrency=1)
    version = lambdanb.get("crashes", "1")
    assert eventually(lambda: [each["state"] for each in environments("crashes")] == ["idle"], 10)
    assert version.invoke("crash").error is not None
    assert eventually(lambda: [each["state"] for each in environments("crashes")] == ["idle"], 10)
    again = version.invoke()
    assert again.payload == "fine"
    assert again.record.cold is False  # type: ignore[union-attr]
