"""Executors that do without some of the machine's mechanisms, so that one machine walks every fall-back, and what an
executor says of its limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from homes import hang_up

from lambdanb.client.connection import Executor
from lambdanb.sandbox import cgroup_places

# The machine at its best, without cgroups (most users), without namespaces too (containers), and with nothing.
BEST, NO_CGROUPS, NO_NAMESPACES = "", "cgroups", "cgroups,namespaces"
BARE = "cgroups,namespaces,landlock,seccomp"
SECRET = "s3cr3t-of-the-notebook"
WAYS = (BEST, NO_CGROUPS, NO_NAMESPACES)


@dataclass(frozen=True)
class Machine:
    """A home whose executor does without the mechanisms that `without` names."""

    home: Path
    without: str

    @property
    def executor(self) -> Executor:
        return Executor.of(self.home)

    def limit(self, name: str) -> dict[str, Any]:
        """What the executor says of one limit: value, strength, mechanism, note."""
        return {each["limit"]: each for each in self.executor.ask("limits")["limits"]}[name]

    def check(self, name: str, expected: str) -> str:
        """The executor's word on how strongly a limit is held, which must be the expected one. What isn't held as well
        as it might be is held to say why."""
        said = self.limit(name)
        assert said["strength"] == expected, said
        if expected != "not enforced":
            assert said["mechanism"], said
        if self.without and expected != "hard":
            assert "LAMBDANB_WITHOUT" in said["note"], said
        return expected


def machines(*ways: str, rules: str = "today") -> Any:
    """A module's fixture `machine`: its tests run once on each of the ways. LAMBDANB_HOME is the machine's home; the
    user's own folder has AWS credentials in it.
    """
    has_cgroups = cgroup_places.find()[0] is not None
    # Without cgroups to do without, the best way is the one without them.
    params = [way for way in ways or WAYS if way != NO_CGROUPS or has_cgroups]

    @pytest.fixture(scope="module", params=params, ids=lambda way: f"without-{way}" if way else "best")
    def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
        folder = tmp_path_factory.mktemp("limits") / "home"
        credentials = folder.parent / "user" / ".aws" / "credentials"
        credentials.parent.mkdir(parents=True)
        credentials.write_text(f"aws_secret_access_key = {SECRET}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(credentials.parents[1]))
            patch.setenv("LAMBDANB_HOME", str(folder))
            patch.setenv("LAMBDANB_WITHOUT", request.param)
            machine = Machine(folder, request.param)
            machine.executor.ask("settings", rules=rules)
            yield machine
            hang_up(folder)

    return machine


def has_cgroups(machine: Machine) -> bool:
    """Whether this machine's executor holds limits by cgroups."""
    return "cgroups" not in machine.without and cgroup_places.find()[0] is not None


def has_namespaces(machine: Machine) -> bool:
    """Whether this machine's executor isolates by namespaces, as it says itself."""
    return "namespaces" not in machine.executor.ask("limits")["missing"]


def is_root() -> bool:
    """Whether these tests, and so their executors, run as root."""
    return os.geteuid() == 0
