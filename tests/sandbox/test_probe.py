"""The probe tells what is there, what isn't and why; every limit says what holds it, on every fall-back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lambdanb.sandbox.probe import MECHANISMS, Capabilities, enforcements, probe, without_from_environment

pytestmark = pytest.mark.limits

LIMITS = ["memory", "cpu", "timeout", "processes", "files", "tmp", "connections", "isolation", "bandwidth"]


def strengths(capabilities: Capabilities) -> dict[str, str]:
    return {each.limit: each.strength for each in enforcements(capabilities, connections=10)}


def test_without_everything_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_WITHOUT", ",".join(MECHANISMS))
    found = probe()
    assert found == Capabilities(uid=os.geteuid(), reasons=found.reasons)
    assert set(found.reasons) == MECHANISMS
    listed = enforcements(found, connections=10)
    assert [each.limit for each in listed] == LIMITS
    by_name = {each.limit: each for each in listed}
    assert by_name["isolation"].strength == by_name["connections"].strength == "not enforced"
    assert "LAMBDANB_WITHOUT" in by_name["isolation"].note
    for limit in ("memory", "cpu", "processes", "tmp"):
        assert by_name[limit].strength == "soft"
        assert "watchdog" in by_name[limit].mechanism


def test_each_mechanism_can_be_done_without(capable) -> None:
    everything = capable()
    assert capable("cgroups").cgroup is None
    assert capable("landlock").landlock_abi == 0
    assert not capable("seccomp").seccomp_notify
    assert not capable("proc").fresh_proc
    assert capable("proc").namespaces == everything.namespaces
    bare = capable("namespaces")
    assert not bare.namespaces
    assert bare.landlock_abi == everything.landlock_abi
    assert strengths(bare)["tmp"] == "soft"
    if everything.namespaces:
        assert strengths(everything)["tmp"] == strengths(everything)["isolation"] == "hard"
    if everything.landlock_abi:
        held = next(each for each in enforcements(bare) if each.limit == "isolation")
        assert (held.strength, "Landlock" in held.mechanism) == ("hard", True)


def test_every_missing_mechanism_has_its_reason(capable) -> None:
    found = capable()
    present = {"cgroups": found.cgroup, "namespaces": found.namespaces, "proc": found.fresh_proc or not
    found.namespaces,
               "landlock": found.landlock_abi, "seccomp": found.seccomp_notify}  # fmt: skip
    assert {name for name, there in present.items() if not there} == set(found.reasons)


def test_rules_without_a_limit_on_connections_say_so(capable) -> None:
    held = next(each for each in enforcements(capable()) if each.limit == "connections")
    assert (held.strength, held.mechanism) == ("not enforced", "")


def test_an_unknown_mechanism_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_WITHOUT", "cgroups, wishes")
    with pytest.raises(ValueError, match="wishes"):
        without_from_environment()


def test_namespaces_that_the_kernel_refuses_are_told(tmp_path) -> None:
    """In a process whose user may have no more namespaces, the trial fails, and says where."""
    code = """
import json, os
from lambdanb.sandbox import syscalls, trial
uid, gid = os.geteuid(), os.getegid()
syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
    open(f"/proc/self/{name}", "w").write(content)
open("/proc/sys/user/max_user_namespaces", "w").write("0")
print(json.dumps(trial.main(frozenset({"landlock", "seccomp"}))))
"""
    if not probe(frozenset({"cgroups"})).namespaces:
        pytest.skip("no namespaces to refuse any")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert '"namespaces": false' in done.stdout
    assert "unshare into new namespaces: No space left on device" in done.stdout


def test_a_trial_that_dies_leaves_nothing_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdanb.sandbox.probe._TRIAL", "import os; os.abort()")
    found = probe(frozenset({"cgroups"}))
    assert (found.namespaces, found.landlock_abi, found.seccomp_notify) == (False, 0, False)
    assert "trial failed" in found.reasons["namespaces"]
