"""What this machine can enforce, found out once by really trying it.

A mechanism counts as present only if a trial of it has worked: reading a version number would not tell that a
container masks /proc, or that AppArmor refuses mounts in a user namespace. The trial runs in a process of its own
(`trial.py`), because namespaces, Landlock and seccomp can't be undone by the process that has tried them.

`LAMBDANB_WITHOUT` (a comma list of `cgroups`, `namespaces`, `proc`, `landlock`, `seccomp`) does without mechanisms
that are there, which is how the tests walk every fall-back on one machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdanb.sandbox import cgroup_places, landlock

MECHANISMS = frozenset({"cgroups", "namespaces", "proc", "landlock", "seccomp"})
_TRIAL_TIMEOUT_S = 10.0
_TRIAL = "import runpy; runpy.run_module('lambdanb.sandbox.trial', run_name='__main__')"


@dataclass(frozen=True)
class Capabilities:
    """The mechanisms that this machine offers to this user.

    cgroup: "v1", "v2" or None. cgroup_dirs: where new cgroups may be made: for v1 one folder per controller
    ({"memory": ..., "cpu": ..., "cpuacct": ..., "pids": ...}), for v2 {"unified": the executor's own cgroup}.
    namespaces: user, mount, PID and IPC namespaces with a root of our own, as one.
    fresh_proc: a /proc that shows only the environment's processes (containers that mask /proc refuse it).
    recursive_readonly: mount_setattr(2) (Linux 5.12) can make a whole tree read-only.
    landlock_abi: 0 without Landlock; 6 and above can scope signals and abstract sockets.
    seccomp_notify: connect() can be put to a supervisor (user notification with CONTINUE, pidfd_getfd).
    reasons: for each mechanism that is missing, why ("cgroups", "namespaces", "proc", "landlock", "seccomp").
    """

    cgroup: str | None = None
    cgroup_dirs: Mapping[str, str] = field(default_factory=dict)
    namespaces: bool = False
    fresh_proc: bool = False
    recursive_readonly: bool = False
    landlock_abi: int = 0
    seccomp_notify: bool = False
    uid: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)


def without_from_environment() -> frozenset[str]:
    """The mechanisms that `LAMBDANB_WITHOUT` names. Raises ValueError for a name that means nothing."""
    names = frozenset(filter(None, os.environ.get("LAMBDANB_WITHOUT", "").replace(" ", "").split(",")))
    if names - MECHANISMS:
        known = ", ".join(sorted(MECHANISMS))
        raise ValueError(f"LAMBDANB_WITHOUT names {', '.join(sorted(names - MECHANISMS))}; it may name {known}")
    return names


def probe(without: frozenset[str] | None = None, trial: Trial | None = None) -> Capabilities:
    """Try everything, in 0.2 s; what fails is missing, with the reason. `without`: None means $LAMBDANB_WITHOUT.

    `trial`: one that was begun before, with the same `without`, by a caller who had something else to do meanwhile.
    """
    if without is None:
        without = without_from_environment()
    reasons = {name: "done without, as LAMBDANB_WITHOUT asks" for name in without}
    found = _outcome(begin_trial(without) if trial is None else trial)
    version, where, failure = (None, {}, None) if "cgroups" in without else cgroup_places.find()
    if failure is not None:
        reasons["cgroups"] = failure
    return Capabilities(
        cgroup=version,
        cgroup_dirs=where,
        namespaces=bool(found.get("namespaces")),
        fresh_proc=bool(found.get("fresh_proc")),
        recursive_readonly=bool(found.get("recursive_readonly")),
        landlock_abi=int(found.get("landlock_abi", 0)),
        seccomp_notify=bool(found.get("seccomp_notify")),
        uid=os.geteuid(),
        reasons=found.get("reasons", {}) | reasons,
    )


Trial = subprocess.Popen[str] | str
"""A trial under way, or why there is none."""


def begin_trial(without: frozenset[str] | None = None) -> Trial:
    """Start the process that tries the mechanisms."""
    if sys.platform != "linux":
        return f"{sys.platform} has none"
    if without is None:
        without = without_from_environment()
    package_parent = str(Path(__file__).parents[2])
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {package_parent!r}); {_TRIAL}",
        ",".join(sorted(without)),
    ]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        return f"the trial failed: {error}"


def _outcome(trial: Trial) -> dict[str, Any]:
    """What the trial process says. One that dies or hangs has shown that its mechanisms are not to be used."""
    if isinstance(trial, str):
        failure = trial
    else:
        with trial:
            try:
                said, complaint = trial.communicate(timeout=_TRIAL_TIMEOUT_S)
                if trial.returncode == 0:
                    answer: dict[str, Any] = json.loads(said)
                    return answer
                failure = f"the trial failed: {complaint.strip().splitlines()[-1:]}"
            except (subprocess.TimeoutExpired, ValueError) as error:
                trial.kill()
                failure = f"the trial failed: {error}"
    return {"reasons": dict.fromkeys(("namespaces", "landlock", "seccomp"), failure)}


@dataclass(frozen=True)
class Enforcement:
    """How one limit is held on this machine.

    strength: "hard" (the kernel refuses or ends what goes beyond, at the limit), "soft" (watched, and ended or slowed
    down after a moment beyond), "not enforced". mechanism: what does it, "" if nothing does. note: what else to know,
    or why it isn't better.
    """

    limit: str
    strength: str
    mechanism: str
    note: str = ""


def enforcements(capabilities: Capabilities, *, connections: int | None = None) -> list[Enforcement]:
    """Every limit of an environment and what holds it here, in the order in which `%lambda limits` shows them.

    connections: the limit on outbound connections of the rules in force, None where they have none.
    """
    own = capabilities.cgroup_dirs
    unified = capabilities.cgroup == "v2"
    missing = capabilities.reasons
    group = f"cgroup {capabilities.cgroup}"
    no_group = missing.get("cgroups", "the cgroup's controller is missing")
    listed = []
    if unified or "memory" in own:
        listed.append(Enforcement("memory", "hard", f"{group} memory", "counts the whole tree and shared memory"))
    else:
        # Files there that nobody has mapped are counted by their file system, where it is the environment's own.
        shm = "" if capabilities.namespaces else "; files in the machine's /dev/shm count only while they are mapped"
        listed.append(Enforcement("memory", "soft", "watchdog, every 10 ms", no_group + shm))
    if unified or "cpu" in own:
        listed.append(Enforcement("cpu", "hard", f"{group} CPU quota, 20 ms periods"))
    else:
        listed.append(Enforcement("cpu", "soft", "watchdog, stopping and continuing every 20 ms", no_group))
    listed.append(Enforcement("timeout", "hard", _tree_end(capabilities)))
    if unified or "pids" in own:
        listed.append(Enforcement("processes", "hard", f"{group} pids.max", "threads count"))
    elif capabilities.namespaces and capabilities.uid != 0:
        listed.append(
            Enforcement("processes", "hard", "RLIMIT_NPROC in a user namespace", f"threads count; {no_group}")
        )
    else:
        listed.append(Enforcement("processes", "soft", "watchdog, every 10 ms", no_group))
    listed.append(Enforcement("files", "hard", "RLIMIT_NOFILE", "of each process"))
    if capabilities.namespaces:
        listed.append(Enforcement("tmp", "hard", "tmpfs in a mount namespace"))
    else:
        note = f"TMPDIR names a folder of the environment's own; {missing.get('namespaces', '')}".rstrip("; ")
        listed.append(Enforcement("tmp", "soft", "watchdog on that folder", note))
    if connections is None:
        listed.append(Enforcement("connections", "not enforced", "", "the rules in force have no such limit"))
    elif capabilities.seccomp_notify:
        listed.append(
            Enforcement("connections", "hard", "seccomp user notification", "TCP, outbound, of the whole tree")
        )
    else:
        listed.append(Enforcement("connections", "not enforced", "", missing.get("seccomp", "")))
    listed.append(_isolation(capabilities))
    listed.append(
        Enforcement("bandwidth", "not enforced", "", "AWS publishes no figure; the network is the machine's own")
    )
    return listed


def _tree_end(capabilities: Capabilities) -> str:
    if capabilities.namespaces:
        return "deadline in the executor; the PID namespace ends with all that is in it"
    if capabilities.cgroup is not None:
        return "deadline in the executor; every process of the cgroup is killed"
    return "deadline in the executor; every descendant is killed"


def _isolation(capabilities: Capabilities) -> Enforcement:
    """Files and processes of the notebook and of other functions. The network is shared, as on Lambda it isn't."""
    missing = capabilities.reasons
    if capabilities.namespaces:
        note = (
            ""
            if capabilities.fresh_proc
            else f"numbers and names of processes outside can be seen: {missing.get('proc', '')}"
        )
        return Enforcement("isolation", "hard", "user, mount, PID and IPC namespaces", note)
    why = missing.get("namespaces", "")
    if capabilities.landlock_abi == 0:
        return Enforcement("isolation", "not enforced", "", "; ".join(filter(None, (why, missing.get("landlock", "")))))
    notes = ["/dev/shm is shared"]
    if capabilities.landlock_abi < landlock.SCOPING_ABI:
        notes.append("processes outside can be signalled (Linux before 6.12)")
    return Enforcement(
        "isolation", "hard", f"Landlock ABI {capabilities.landlock_abi}", "; ".join([*notes, why]).rstrip("; ")
    )
