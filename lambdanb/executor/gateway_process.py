"""The gateway as its executor holds it: a process of its own on one loopback address, started when first asked for.

The executor binds the address and hands the listening socket over, so that it stays bound when the gateway is killed:
who connects meanwhile waits in the kernel's backlog for the next one, which is started at once. A home keeps its port
where that is free, so that a client's AWS_ENDPOINT_URL stays good.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

from lambdanb.executor.part_process import PartProcess
from lambdanb.model.errors import ServiceException
from lambdanb.sandbox.watchdog_start import Watchdog

_BACKLOG = 512
_NEEDS = ("aiohttp", "botocore")


class GatewayProcess:
    """At most one gateway of this executor's."""

    def __init__(self, home: Path, watchdog: Watchdog) -> None:
        self._home = home
        self._process = PartProcess(home, watchdog, "lambdanb.gateway")
        self._socket: socket.socket | None = None

    def url(self) -> str:
        """The endpoint's URL; the gateway is started first if it isn't up. Raises ServiceException."""
        if self._socket is None:
            missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
            if missing:
                raise ServiceException(
                    f"The AWS API is served with {' and '.join(missing)}, which this Python has not: pip install "
                    f"{' '.join(missing)}, then end this home's executor (close its notebooks) and ask again."
                )
            self._socket = _listen(self._home / "gateway.port")
            descriptor = self._socket.fileno()
            self._process.start([str(descriptor)], [descriptor])
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def restart_if_dead(self) -> None:
        """Start it again when it has died (call this on the news of a child's death)."""
        if not self._process.restart_if_dead():
            print("The gateway ends as soon as it starts; the AWS API is closed.", file=sys.stderr, flush=True)
            self._close_socket()

    def close(self) -> None:
        """End it. What it was serving is cut off, as by any end of the executor."""
        self._process.close()
        self._close_socket()

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _listen(port_file: Path) -> socket.socket:
    """A listening socket on the port that the file remembers, or on a free one, which it remembers from now on."""
    try:
        remembered = int(port_file.read_text())
    except (OSError, ValueError):
        remembered = 0
    for port in (remembered, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen(_BACKLOG)
        except (OSError, OverflowError):
            sock.close()
            continue
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), False)
        own = sock.getsockname()[1]
        if own != remembered:
            port_file.write_text(str(own))
        return sock
    raise ServiceException("No port of 127.0.0.1 can be listened on.")
