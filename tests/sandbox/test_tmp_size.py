"""/tmp has exactly the configured size; writing past it fails in the function and harms nobody else."""

from __future__ import annotations

import errno

import pytest

pytestmark = pytest.mark.limits

FILL = """
import errno, json, os
written, number = 0, None
with open(sandbox.tmp_root(child) + "/full", "wb", buffering=0) as file:
    try:
        while written < 64 << 20:
            written += file.write(bytes(1 << 16))
    except OSError as error:
        number = error.errno
os.unlink(file.name)
with open(sandbox.tmp_root(child) + "/after", "wb") as file:
    file.write(b"room again")
print(json.dumps([written, number]))
"""


def test_the_byte_after_the_last_fails_with_enospc(capable, sandboxed) -> None:
    child = sandboxed.instructions(capable(needs="namespaces"), tmp_mb=20)
    assert sandboxed.run(child, FILL) == [20 << 20, errno.ENOSPC]


def test_a_full_tmp_leaves_others_their_room(capable, sandboxed) -> None:
    capabilities = capable(needs="namespaces")
    full = sandboxed.start(
        sandboxed.instructions(capabilities, tmp_mb=10),
        """
        import contextlib, os
        with contextlib.suppress(OSError), open("/tmp/full", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        os.write(1, b"full" + bytes([10]))
        import signal
        signal.pause()
        """,
    )
    assert full.stdout.readline() == "full\n"
    child = sandboxed.instructions(capabilities, tmp_mb=10)
    assert sandboxed.run(child, FILL) == [10 << 20, errno.ENOSPC]


def test_one_file_is_held_by_the_kernel_where_tmp_is_a_folder(capable, sandboxed) -> None:
    child = sandboxed.instructions(capable("namespaces"), tmp_mb=20)
    assert child["tmp_dir"] is not None
    assert sandboxed.run(child, FILL) == [20 << 20, errno.EFBIG]
