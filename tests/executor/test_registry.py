"""The registry's rules are AWS's: versions, aliases, weights, and concurrency set aside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from full_disk import fill, small_disk

from lambdanb.executor import concurrency
from lambdanb.executor.registry import Registry
from lambdanb.executor.versions import FunctionVersion
from lambdanb.model.configuration import Configuration
from lambdanb.model.database import StoreUnusable
from lambdanb.model.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
    ResourceNotFoundException,
    ValidationException,
)
from lambdanb.model.rules import PREVIEW_2014, TODAY

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path / "registry.db")
    yield registry
    registry.close()


def deploy(registry: Registry, name: str = "f", code: str = "code-1", **settings: Any) -> FunctionVersion:
    return registry.put_function(Configuration(function_name=name, **settings), code)


def published(registry: Registry, count: int, name: str = "f") -> None:
    for number in range(1, count + 1):
        deploy(registry, name, f"code-{number}")
        assert registry.publish(name).version == str(number)


# Functions


def test_a_function_outlives_the_executor(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry.db")
    configuration = Configuration(
        function_name="f",
        memory_mb=512,
        environment={"KEY": "välue"},
        keep_alive_s={"law": "uniform", "from_s": 1, "to_s": 2},
        on_failure="g",
    )
    first = registry.put_function(
        configuration, "sha", code_bytes=7, imports=["json", "numpy"], triggers=[{"s3": "photos/*.jpg"}]
    )
    registry.close()
    registry = Registry(tmp_path / "registry.db")
    again = registry.get("f")
    assert again == first
    assert again.configuration == configuration
    assert (again.version, again.arn, again.state) == ("$LATEST", f"{ARN}f", "Active")
    assert (again.imports, again.triggers, again.code_bytes) == (("json", "numpy"), ({"s3": "photos/*.jpg"},), 7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", again.last_modified)
    registry.close()


def test_deploying_the_same_again_changes_nothing(registry: Registry) -> None:
    first = deploy(registry)
    assert deploy(registry) == first
    assert deploy(registry, code="code-2").revision_id != first.revision_id
    assert deploy(registry, code="code-2", memory_mb=256).configuration.memory_mb == 256
    assert [function.function for function in registry.functions()] == ["f"]


def test_creating_refuses_a_name_that_is_taken(registry: Registry) -> None:
    registry.put_function(Configuration(function_name="f"), "code", new=True)
    with pytest.raises(ResourceConflictException, match="Function already exist: f"):
        registry.put_function(Configuration(function_name="f"), "code", new=True)


def test_a_revision_id_guards_a_change(registry: Registry) -> None:
    revision_id = deploy(registry).revision_id
    changed = registry.put_function(Configuration(function_name="f"), "code-2", revision_id=revision_id)
    with pytest.raises(PreconditionFailedException, match="does not match the latest Revision Id"):
        registry.put_function(Configuration(function_name="f"), "code-3", revision_id=revision_id)
    with pytest.raises(PreconditionFailedException):
        registry.publish("f", revision_id=revision_id)
    assert registry.get("f") == changed
    with pytest.raises(ResourceNotFoundException):
        registry.put_function(Configuration(function_name="new"), "code", revision_id=revision_id)


@pytest.mark.parametrize("qualifier", [None, "$LATEST", "live", "1", "0", "007", "9" * 40])
def test_what_is_not_there(registry: Registry, qualifier: str | None) -> None:
    arn = f"{ARN}f:{qualifier}" if qualifier else f"{ARN}f"
    for call in (registry.get, registry.resolve):
        with pytest.raises(ResourceNotFoundException, match=f"^Function not found: {re.escape(arn)}$"):
            call("f", qualifier)
    deploy(registry)
    if qualifier not in (None, "$LATEST"):
        with pytest.raises(ResourceNotFoundException, match=re.escape(arn)):
            registry.get("f", qualifier)


# Versions


def test_publishing_numbers_and_freezes(registry: Registry) -> None:
    deploy(registry)
    one = registry.publish("f", "the first")
    assert (one.version, one.arn, one.description, one.code_sha256) == ("1", f"{ARN}f:1", "the first", "code-1")
    deploy(registry, code="code-2")
    assert registry.publish("f").version == "2"
    assert registry.get("f", "1") == one
    assert [version.version for version in registry.versions("f")] == ["$LATEST", "1", "2"]
    assert registry.code_in_use() == {"code-1", "code-2"}


def test_publishing_without_a_change_gives_the_last_version(registry: Registry) -> None:
    deploy(registry)
    one = registry.publish("f")
    assert registry.publish("f", "another description") == one
    deploy(registry, memory_mb=256)
    assert registry.publish("f").version == "2"
    deploy(registry)
    assert registry.publish("f").version == "3", "compared with the last one, not with any"


def test_numbers_are_never_used_again(registry: Registry) -> None:
    published(registry, 2)
    registry.delete("f", "2")
    assert registry.publish("f").version == "3"
    registry.delete("f")
    deploy(registry)
    assert registry.publish("f").version == "4"


def test_publishing_can_demand_the_code(registry: Registry) -> None:
    deploy(registry)
    with pytest.raises(InvalidParameterValueException, match=r"CodeSHA256 \(other\) is different from current"):
        registry.publish("f", code_sha256="other")
    assert registry.publish("f", code_sha256="code-1").version == "1"


def test_deleting_a_function_deletes_all_of_it(registry: Registry) -> None:
    published(registry, 2)
    registry.put_alias("f", "live", "1")
    concurrency.put_reserved(registry, "f", 10)
    concurrency.put_provisioned(registry, "f", "live", 5)
    registry.delete("f")
    for qualifier in (None, "1", "live"):
        with pytest.raises(ResourceNotFoundException):
            registry.get("f", qualifier)
    assert (registry.functions(), concurrency.set_aside(registry), concurrency.provisioned(registry)) == ([], {}, [])
    deploy(registry)
    assert registry.aliases("f") == []


def test_versions_that_can_not_be_deleted(registry: Registry) -> None:
    published(registry, 3)
    registry.put_alias("f", "live", "1", weights={"2": 0.5})
    registry.put_alias("f", "prod", "1")
    with pytest.raises(ResourceConflictException, match=r"the following aliases reference it: \[live, prod\]\n"):
        registry.delete("f", "1")
    with pytest.raises(ResourceConflictException, match=r"the following aliases reference it: \[live\]\n"):
        registry.delete("f", "2")
    with pytest.raises(InvalidParameterValueException, match="without deleting the function"):
        registry.delete("f", "$LATEST")
    with pytest.raises(InvalidParameterValueException, match="aliases"):
        registry.delete("f", "live")
    registry.delete("f", "3")
    registry.delete_alias("f", "live")
    registry.delete("f", "2")
    assert [version.version for version in registry.versions("f")] == ["$LATEST", "1"]


# Aliases


def test_an_alias_follows(registry: Registry) -> None:
    published(registry, 2)
    alias = registry.put_alias("f", "live", "1", description="what runs")
    assert (alias.arn, alias.version, alias.description) == (f"{ARN}f:live", "1", "what runs")
    assert registry.get("f", "live").version == "1"
    moved = registry.put_alias("f", "live", "2", revision_id=alias.revision_id)
    assert registry.resolve("f", "live").version == "2"
    assert moved.revision_id != alias.revision_id
    registry.put_alias("f", "newest", "$LATEST")
    assert registry.resolve("f", "newest").version == "$LATEST"
    assert [found.name for found in registry.aliases("f")] == ["live", "newest"]
    assert [found.name for found in registry.aliases("f", "2")] == ["live"]
    with pytest.raises(PreconditionFailedException):
        registry.put_alias("f", "live", "1", revision_id=alias.revision_id)
    with pytest.raises(ResourceConflictException, match=re.escape(f"Alias already exists: {ARN}f:live")):
        registry.put_alias("f", "live", "1", new=True)
    registry.delete_alias("f", "live")
    registry.delete_alias("f", "live")
    with pytest.raises(ResourceNotFoundException, match=re.escape(f"Cannot find alias arn: {ARN}f:live")):
        registry.alias("f", "live")


def test_weights_split_the_invocations(registry: Registry) -> None:
    published(registry, 2)
    registry.put_alias("f", "live", "1", weights={"2": 0.25})
    assert registry.get("f", "live").version == "1"
    drawn = Counter(registry.resolve("f", "live", draw=n / 100).version for n in range(100))
    assert drawn == {"1": 75, "2": 25}
    assert {registry.resolve("f", "live").version for _ in range(500)} == {"1", "2"}
    registry.put_alias("f", "live", "1", weights={"2": 1.0})
    assert {registry.resolve("f", "live").version for _ in range(50)} == {"2"}
    registry.put_alias("f", "live", "1", weights={"2": 0.0})
    assert {registry.resolve("f", "live").version for _ in range(50)} == {"1"}


@pytest.mark.parametrize(
    ("version", "weights", "error", "text"),
    [
        ("1", {"2": 0.1, "3": 0.1}, InvalidParameterValueException, "cannot be greater than 1"),
        (
            "$LATEST",
            {"2": 0.1},
            InvalidParameterValueException,
            "$LATEST is not supported for an alias pointing to more",
        ),
        ("1", {"1": 0.1}, InvalidParameterValueException, "Function version 1 is already included"),
        ("1", {"2": 1.5}, ValidationException, "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed"),
        ("1", {"2": -0.1}, ValidationException, "greater than or equal to 0.0"),
        ("1", {"2": float("nan")}, ValidationException, "Map value must satisfy"),
        ("1", {"$LATEST": 0.1}, ValidationException, "Map keys must satisfy constraint"),
        ("1", {"9": 0.1}, ResourceNotFoundException, f"Function not found: {ARN}f:9"),
        ("9", {}, ResourceNotFoundException, f"Function not found: {ARN}f:9"),
        ("live", {}, ValidationException, "Value 'live' at 'functionVersion' failed"),
    ],
)
def test_aliases_that_aws_refuses(
    registry: Registry, version: str, weights: dict[str, float], error: type[Exception], text: str
) -> None:
    published(registry, 3)
    with pytest.raises(error, match=re.escape(text)):
        registry.put_alias("f", "live", version, weights=weights)
    assert registry.aliases("f") == []


@pytest.mark.parametrize("name", ["12", "", "a b", "$LATEST", "a" * 129])
def test_alias_names(registry: Registry, name: str) -> None:
    deploy(registry)
    with pytest.raises(ValidationException, match="at 'name' failed to satisfy constraint"):
        registry.put_alias("f", name, "$LATEST")


# Concurrency


def test_reserving_leaves_the_minimum_unreserved(registry: Registry) -> None:
    deploy(registry)
    deploy(registry, "g")
    concurrency.put_reserved(registry, "f", 600)
    text = (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100]."
    )
    with pytest.raises(InvalidParameterValueException) as refused:
        concurrency.put_reserved(registry, "g", 301)
    assert refused.value.message == text
    assert "301 asked for, at most 300 are left" in refused.value.hint
    concurrency.put_reserved(registry, "g", 300)
    concurrency.put_reserved(registry, "f", 0)
    assert concurrency.reserved(registry) == {"f": 0, "g": 300}
    concurrency.delete_reserved(registry, "g")
    assert concurrency.reserved(registry) == {"f": 0}
    with pytest.raises(ValidationException, match="Value '-1' at 'reservedConcurrentExecutions'"):
        concurrency.put_reserved(registry, "f", -1)
    with pytest.raises(ResourceNotFoundException):
        concurrency.put_reserved(registry, "nobody", 1)


def test_provisioned_concurrency(registry: Registry) -> None:
    published(registry, 2)
    registry.put_alias("f", "live", "1")
    registry.put_alias("f", "newest", "$LATEST")
    for qualifier in ("$LATEST", "newest"):
        with pytest.raises(InvalidParameterValueException, match="cannot be applied to unpublished function versions"):
            concurrency.put_provisioned(registry, "f", qualifier, 1)
    with pytest.raises(ResourceNotFoundException):
        concurrency.put_provisioned(registry, "f", "9", 1)
    with pytest.raises(ValidationException, match="Value '0' at 'provisionedConcurrentExecutions'"):
        concurrency.put_provisioned(registry, "f", "1", 0)
    with pytest.raises(ProvisionedConcurrencyConfigNotFoundException):
        concurrency.get_provisioned(registry, "f", "live")
    entry = concurrency.put_provisioned(registry, "f", "live", 5)
    assert (entry.qualifier, entry.executions) == ("live", 5)
    assert concurrency.get_provisioned(registry, "f", "live") == entry
    with pytest.raises(ResourceConflictException, match="pointed by a Provisioned Concurrency alias"):
        concurrency.put_provisioned(registry, "f", "1", 5)
    with pytest.raises(InvalidParameterValueException, match="cannot be applied to unpublished function versions"):
        registry.put_alias("f", "live", "$LATEST")
    assert registry.get("f", "live").version == "1"
    concurrency.put_provisioned(registry, "f", "2", 3)
    registry.put_alias("f", "second", "2")
    with pytest.raises(ResourceConflictException, match="already Provisioned version"):
        concurrency.put_provisioned(registry, "f", "second", 5)
    assert concurrency.set_aside(registry) == {"f": 8}
    concurrency.delete_provisioned(registry, "f", "2")
    registry.delete_alias("f", "live")
    assert concurrency.provisioned(registry) == []


@pytest.mark.parametrize("wrong", [1.5, 3.0, True, "5", [1], {}, float("nan"), -1, 2**31, 10**30])
def test_concurrency_is_a_whole_number(registry: Registry, wrong: Any) -> None:
    published(registry, 1)
    for put, member in (
        (lambda: concurrency.put_reserved(registry, "f", wrong), "reservedConcurrentExecutions"),
        (lambda: concurrency.put_provisioned(registry, "f", "1", wrong), "provisionedConcurrentExecutions"),
        (lambda: concurrency.put_account_settings(registry, concurrency=wrong), "concurrentExecutions"),
    ):
        with pytest.raises(ValidationException) as refused:
            put()
        assert f"Value '{wrong}' at '{member}' failed to satisfy constraint: Member must" in refused.value.message
        assert "or more (rules: today)" in refused.value.hint
    assert (concurrency.set_aside(registry), concurrency.account_settings(registry).concurrency) == ({}, 1000)


def test_provisioned_fits_into_reserved_or_unreserved(registry: Registry) -> None:
    published(registry, 1)
    with pytest.raises(InvalidParameterValueException, match=r"below its minimum value of \[100\]"):
        concurrency.put_provisioned(registry, "f", "1", 901)
    concurrency.put_provisioned(registry, "f", "1", 900)
    deploy(registry, "g")
    with pytest.raises(InvalidParameterValueException, match="Specified ReservedConcurrentExecutions"):
        concurrency.put_reserved(registry, "g", 1)
    concurrency.put_provisioned(registry, "f", "1", 10)
    concurrency.put_reserved(registry, "f", 20)
    with pytest.raises(InvalidParameterValueException, match="should not be greater than the reservedConcurrent"):
        concurrency.put_provisioned(registry, "f", "1", 21)
    with pytest.raises(InvalidParameterValueException, match="less than its provisioned"):
        concurrency.put_reserved(registry, "f", 9)
    assert concurrency.set_aside(registry) == {"f": 20}


def test_account_settings(registry: Registry, tmp_path: Path) -> None:
    assert concurrency.account_settings(registry) == concurrency.AccountSettings("today", TODAY.concurrency)
    changed = concurrency.put_account_settings(registry, rules_name="preview-2014")
    assert (changed.rules, changed.concurrency) == (PREVIEW_2014, PREVIEW_2014.concurrency)
    concurrency.put_account_settings(registry, concurrency=30)
    other = Registry(tmp_path / "registry.db")
    assert concurrency.account_settings(other) == concurrency.AccountSettings("preview-2014", 30)
    other.close()
    assert concurrency.put_account_settings(registry, rules_name="preview-2014").concurrency == 30
    assert concurrency.put_account_settings(registry, rules_name="today").concurrency == TODAY.concurrency
    with pytest.raises(ValidationException, match=r"Value '2031' at 'rules'.*\[today, preview-2014\]"):
        concurrency.put_account_settings(registry, rules_name="2031")
    with pytest.raises(ValidationException, match="greater than or equal to 1"):
        concurrency.put_account_settings(registry, concurrency=0)


def test_settings_leave_room_for_what_is_reserved(registry: Registry) -> None:
    deploy(registry)
    concurrency.put_reserved(registry, "f", 300)
    with pytest.raises(InvalidParameterValueException, match="can't hold the 300 that functions have reserved"):
        concurrency.put_account_settings(registry, concurrency=399)
    with pytest.raises(InvalidParameterValueException, match="can't hold the 300"):
        concurrency.put_account_settings(registry, rules_name="preview-2014")
    assert concurrency.put_account_settings(registry, concurrency=400).concurrency == 400


# Trouble


VICTIM = """
import sys
from pathlib import Path
from lambdanb.executor.registry import Registry
from lambdanb.model.configuration import Configuration

registry = Registry(Path(sys.argv[1]))
for number in range(1, 21):
    registry.put_function(Configuration(function_name="f"), f"code-{number}")
    registry.publish("f")
    registry.put_alias("f", "live", str(number))
print("done", flush=True)
sys.stdin.read()
"""


def test_other_troubles_are_not_called_a_want_of_space(registry: Registry) -> None:
    """A row that breaks the schema is a defect, and passes through; a file that another program holds says so."""
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"), registry.writing():
        registry.connection.execute("INSERT INTO reserved_concurrency VALUES ('f', NULL)")
    with contextlib.closing(sqlite3.connect(registry.path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable) as refused:
            deploy(registry)
    assert "registry.db can't be written: database is locked." in str(refused.value)
    assert "Another program holds the file" in str(refused.value)
    assert "full" not in str(refused.value)
    assert registry.functions() == []


def test_what_was_deployed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "done\n"
        os.kill(victim.pid, signal.SIGKILL)
    registry = Registry(path)
    assert len(registry.versions("f")) == 21
    assert registry.resolve("f", "live").code_sha256 == "code-20"
    registry.close()


def test_a_full_disk_refuses_and_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        registry = Registry(disk / "registry.db")
        first = deploy(registry)
        ballast = fill(disk)
        with pytest.raises(StoreUnusable, match=r"registry\.db can't be written: .*full.* Make room"):
            for number in range(2, 1_000):
                before = registry.get("f")
                deploy(registry, code=f"code-{number}", description="x" * 250)
        assert registry.get("f") == before
        assert before.function == first.function
        ballast.unlink()
        assert deploy(registry, code="after").code_sha256 == "after"
        registry.close()
