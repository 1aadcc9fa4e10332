"""What MiniStack is told by environment variables, which is how it takes all of its settings.

https://github.com/ministackorg/ministack
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lambdanb.client.credentials import Credentials
from lambdanb.model.names import ACCOUNT, REGION

FOLDER = "aws"
"""In the home: what the services hold."""
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")


def environment(home: Path, known: Credentials) -> dict[str, str]:
    """The variables of the process; none of the user's own keys, proxies or daemons among them."""
    folder = home / FOLDER
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables |= {
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOG_LEVEL": "WARNING",
        # Who calls is checked, and what their policies allow. Without a pair of its own the root key is test/test.
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": known.access_key_id,
        "AWS_SECRET_ACCESS_KEY": known.secret_access_key,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        # Objects of S3 are written at once, everything else at the end and in snapshots.
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        # It would open ports on all addresses, and end containers of another MiniStack's.
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "SFTP_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
    }
    with contextlib.suppress(OSError):  # it is for the addresses that some answers name
        variables["GATEWAY_PORT"] = (home / "gateway.port").read_text()
    return variables
