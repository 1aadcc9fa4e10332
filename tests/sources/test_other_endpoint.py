"""Another endpoint instead of the emulator. Here it is another home's gateway, which verifies what it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws import NEEDS_EMULATOR, SUPERVISOR, client_of, endpoint_of, processes_of
from botocore.exceptions import ClientError
from homes import hang_up


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


@NEEDS_EMULATOR
def test_by_a_profiles_keys(home: Path, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        beyond = endpoint_of(there)
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text(
            f"[beyond]\naws_access_key_id = {beyond['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {beyond['AWS_SECRET_ACCESS_KEY']}\n"
        )
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("LAMBDANB_AWS_ENDPOINT_URL", beyond["AWS_ENDPOINT_URL"])
        monkeypatch.setenv("LAMBDANB_AWS_PROFILE", "beyond")
        told = endpoint_of(home)
        s3 = client_of(told, "s3")
        s3.create_bucket(Bucket="far")
        s3.put_object(Bucket="far", Key="a b/ü+", Body=b"x" * 300_000)
        url = s3.generate_presigned_url("get_object", {"Bucket": "far", "Key": "a b/ü+"})
        from urllib.request import urlopen

        assert urlopen(url, timeout=20).read() == b"x" * 300_000
        client_of(told, "sns").create_topic(Name="t")
        client_of(told, "sqs").create_queue(QueueName="q")
        assert client_of(beyond, "s3").get_object(Bucket="far", Key="a b/ü+")["ContentLength"] == 300_000
        assert client_of(beyond, "sns").list_topics()["Topics"]
        assert not processes_of(home, SUPERVISOR)
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            client_of(told, "s3", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x").list_buckets()
    finally:
        hang_up(there)


def test_with_keys_that_it_doesnt_know(home: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a profile it is test/test, which local endpoints take, and a home's gateway doesn't."""
    try:
        monkeypatch.setenv("LAMBDANB_AWS_ENDPOINT_URL", endpoint_of(there)["AWS_ENDPOINT_URL"])
        with pytest.raises(ClientError, match=r"InvalidClientTokenId|UnrecognizedClient"):
            client_of(endpoint_of(home), "sns").list_topics()
    finally:
        hang_up(there)


def test_nobody_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDANB_AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ClientError, match=r"127\.0\.0\.1:9, which LAMBDANB_AWS_ENDPOINT_URL names, can't be reached"):
        client_of(endpoint_of(home), "dynamodb").list_tables()
