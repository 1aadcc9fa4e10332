"""The credentials of a home: one key pair, made at first use, with which AWS clients sign their requests to it.

They open this machine's functions to whoever has them, as the home's own socket does to its user, so the file is
readable by that user alone. They are no AWS credentials: the access key id begins with LKIA, where AWS's begin with
AKIA.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from lambdanb.model.names import REGION

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


DOOR_HEADER = "x-lambdanb-door"
"""In it the gateway shows the emulator that it is the gateway."""


@dataclass(frozen=True)
class Credentials:
    """What a client signs with."""

    access_key_id: str
    secret_access_key: str

    @property
    def door_key(self) -> str:
        """What opens the emulator's door to the gateway alone; it tells nothing of the secret."""
        return hmac.new(self.secret_access_key.encode(), DOOR_HEADER.encode(), "sha256").hexdigest()


def credentials(home: Path) -> Credentials:
    """The home's credentials; made, whole or not at all, where there are none."""
    path = home / "credentials.json"
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        pass
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no credentials: remove it, and new ones are made") from error
    made = Credentials("LKIA" + "".join(secrets.choice(_LETTERS) for _ in range(16)), secrets.token_urlsafe(30))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(prefix=".credentials-", dir=home)  # 0600
    with open(descriptor, "w") as file:
        json.dump(asdict(made), file)
    try:
        os.link(aside, path)  # unlike a rename, this leaves alone what another process made first
    except FileExistsError:
        return credentials(home)
    finally:
        os.unlink(aside)
    return made


def variables(home: Path, url: str) -> dict[str, str]:
    """The environment variables by which AWS's SDKs and command line find this home's functions."""
    pair = credentials(home)
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": pair.access_key_id,
        "AWS_SECRET_ACCESS_KEY": pair.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
