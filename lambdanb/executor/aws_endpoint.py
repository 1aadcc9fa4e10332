"""What serves AWS's APIs, as the executor holds it: the gateway on loopback, the emulator on a socket in the home.

The gateway's address is what functions and clients are told; binding it is all that this costs until somebody
connects. A home keeps its port where that is free, so that a client's AWS_ENDPOINT_URL stays good. The emulator's
socket is a file in the home's private folder: no other user of the machine, and nobody on a network, can reach it.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import socket
from pathlib import Path

from lambdanb.executor.loop import Loop
from lambdanb.executor.own_log import tell
from lambdanb.executor.part_process import PartProcess
from lambdanb.executor.server import bind_in_folder
from lambdanb.executor.socket_process import BACKLOG, SocketProcess
from lambdanb.model.errors import ServiceException
from lambdanb.model.function_credentials import function_credentials
from lambdanb.model.names import OTHER_ENDPOINT_VARIABLE
from lambdanb.sandbox.watchdog_start import Watchdog

EMULATOR_SOCKET = "aws.sock"
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_NEEDS = ("aiohttp", "botocore", "uvloop")
_EMULATOR_ENDS_S = 6.0
"""How long the emulator may take to write its state at the end."""


class AwsEndpoint:
    """At most one gateway and one emulator of this executor's."""

    def __init__(self, loop: Loop, home: Path, watchdog: Watchdog) -> None:
        # New with each executor: with it end the credentials of all functions.
        self._secret = secrets.token_bytes(32)
        gateway = PartProcess(home, watchdog, "lambdanb.gateway", secret=self._secret)
        self._gateway = SocketProcess(loop, "The gateway", gateway, lambda: _listen(home / "gateway.port"))
        emulator = PartProcess(home, watchdog, "lambdanb.sources.emulator", orderly_s=_EMULATOR_ENDS_S)
        self._emulator = SocketProcess(
            loop, "The emulator", emulator, lambda: bind_in_folder(home / "run", EMULATOR_SOCKET, BACKLOG)
        )

    def url(self) -> str:
        """The endpoint's URL; the gateway is started first if it isn't up. Raises ServiceException."""
        missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
        if missing:
            raise ServiceException(
                f"The AWS API is served with {' and '.join(missing)}, which this Python has not: pip install "
                f"{' '.join(missing)}, then end this home's executor (close its notebooks) and ask again."
            )
        url = _url(self._gateway.listen())
        self._gateway.start()
        return url

    @property
    def is_local(self) -> bool:
        """Whether what the gateway passes on stays on this machine."""
        other = os.environ.get(OTHER_ENDPOINT_VARIABLE)
        return not other or other.startswith(_LOOPBACK)

    def emulator(self) -> bool:
        """Whether the emulator can be connected to; its socket is bound if it wasn't. It starts when somebody does."""
        if importlib.util.find_spec("ministack") is None:
            return False
        self._emulator.listen()
        return True

    def variables(self, function_arn: str, role_arn: str) -> dict[str, str]:
        """What a function needs to speak to AWS: the endpoint and credentials of its own. Nothing is started by it."""
        try:
            url = _url(self._gateway.listen())
        except ServiceException as error:
            tell(error.message)
            return {}
        own = function_credentials(self._secret, function_arn, role_arn)
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": own.access_key_id,
            "AWS_SECRET_ACCESS_KEY": own.secret_access_key,
            "AWS_SESSION_TOKEN": own.session_token,
        }

    def restart_if_dead(self) -> None:
        """Start again what has died (call this on the news of a child's death)."""
        self._gateway.restart_if_dead()
        self._emulator.restart_if_dead()

    def close(self) -> None:
        """End both, the emulator in order."""
        self._gateway.close()
        self._emulator.close()


def _url(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


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
            sock.listen(BACKLOG)
        except (OSError, OverflowError):
            sock.close()
            continue
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), False)
        own = sock.getsockname()[1]
        if own != remembered:
            with contextlib.suppress(OSError):  # of a full disk: then it is another port next time
                port_file.write_text(str(own))
        return sock
    raise ServiceException("No port of 127.0.0.1 can be listened on.")
