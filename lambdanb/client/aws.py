"""Clients of the AWS services beside Lambda: botocore's own, of the endpoint and the credentials that are handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdanb.model.names import REGION

_CONNECT_S, _READ_S = 5, 60


def make_client(service: str, variables: Mapping[str, str], connections: int = 10) -> Any:
    """A client of a service, for any thread. variables: AWS's own, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on.

    It makes a call once: who calls knows better when to try again.
    """
    import botocore.session
    from botocore.config import Config

    return botocore.session.Session().create_client(
        service,
        region_name=variables.get("AWS_REGION", REGION),
        endpoint_url=variables.get("AWS_ENDPOINT_URL"),
        aws_access_key_id=variables.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=variables.get("AWS_SESSION_TOKEN"),
        config=Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": 1},
            max_pool_connections=connections,
        ),
    )
