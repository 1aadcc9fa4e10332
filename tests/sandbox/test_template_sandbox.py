"""SnapStart: a template forks environments from inside its own sandbox, each with a sandbox of its own."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = pytest.mark.limits

INNER = """
import errno, json, os, signal, tempfile
def tried(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
secrets = []
for name in os.listdir("/proc"):
    if name.isdigit():
        try:
            secrets.append(b"TEMPLATE_SECRET" in open(f"/proc/{name}/mem", "rb").read(1))
        except OSError:
            pass
with tempfile.NamedTemporaryFile("w") as mine:
    pass
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
caps = int(status["CapPrm"], 16) | int(status["CapEff"], 16)
print(json.dumps([sorted(os.listdir(sandbox.tmp_root(child))), os.listdir(sandbox.task_root(child)), caps, os.getpid(),
                  tried(open, "/usr/new", "w"), tried(open, SECRET), os.statvfs("/tmp").f_blocks *
                  os.statvfs("/tmp").f_frsize, os.getuid(), tried(open, "/proc/sys/kernel/core_pattern", "w")]))
"""

TEMPLATE = """
import json, os
with open(sandbox.tmp_root(child) + "/of-template", "w") as file:
    file.write("init was here")
for inner in json.loads(INNERS):
    status = environment(inner, CODE)
    assert status == 0, status
"""


@pytest.mark.parametrize("without", [(), ("proc",), ("namespaces",)])
def test_environments_of_a_template(capable, sandboxed, checkout_in_tmp, without) -> None:
    capabilities = capable(*without)
    if without != ("namespaces",) and not capabilities.namespaces:
        pytest.skip(f"no namespaces: {capabilities.reasons}")
    secret = sandboxed.folder / "secret.txt"
    secret.write_text("secret")
    code = INNER.replace("SECRET)", f"{str(secret)!r})")
    template = sandboxed.instructions(capabilities, template=True, tmp_mb=8, environment="template")
    inners = [sandboxed.instructions(capabilities, tmp_mb=size, environment=f"inner-{size}") for size in (12, 20)]
    process = sandboxed.start(template, f"INNERS, CODE = {json.dumps(inners)!r}, {code!r}\n" + TEMPLATE)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    answers = [json.loads(line) for line in output.splitlines()]
    assert len(answers) == 2
    for size, answer in zip((12, 20), answers, strict=True):
        assert answer[0] == ([] if without == ("namespaces",) else checkout_in_tmp)
        assert answer[1] == ["lambda_function.py"]
        assert answer[2] == 0
        assert answer[4] in {"EROFS", "EACCES", "ENOENT"}
        assert answer[5] in {"ENOENT", "EACCES"}
        assert answer[7] == os.getuid()
        assert answer[8] in {"EROFS", "EACCES", "EPERM"}
        if capabilities.namespaces:
            assert answer[3] == 2
            assert answer[6] == size << 20


def test_environments_of_a_template_have_their_own_processes(capable, sandboxed) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is counted for root")
    capabilities = capable("cgroups", needs="namespaces")
    code = """
import json, os
made = 0
reading, writing = os.pipe()
try:
    while made < 100:
        if os.fork() == 0:
            os.close(writing); os.read(reading, 1); os._exit(0)
        made += 1
except OSError:
    pass
print(made)
"""
    template = sandboxed.instructions(capabilities, template=True, processes=20, environment="template")
    inners = [sandboxed.instructions(capabilities, processes=count) for count in (20, 50)]
    process = sandboxed.start(template, f"INNERS, CODE = {json.dumps(inners)!r}, {code!r}\n" + TEMPLATE)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.split() == ["19", "49"]


def test_one_zygote_lays_out_another_root_for_other_readables(capable, sandboxed) -> None:
    capabilities = capable(needs="namespaces")
    base = sandboxed.instructions(capabilities, template=True)["root"]["binds"]
    # The second may not read what is bound into /etc: its mount points stay empty.
    inners = [sandboxed.instructions(capabilities) for _ in range(3)]
    inners[1]["root"] = inners[1]["root"] | {"binds": [path for path in base if not path.startswith("/etc/")]}
    code = "import os; print(os.path.getsize('/etc/passwd') > 0)"
    process = sandboxed.start(
        sandboxed.instructions(capabilities, template=True),
        f"INNERS, CODE = {json.dumps(inners)!r}, {code!r}\n" + TEMPLATE,
    )
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.split() == ["True", "False", "True"]
