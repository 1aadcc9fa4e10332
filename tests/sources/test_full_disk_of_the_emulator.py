"""The home's disk is full: an upload is refused with the reason, and what is there can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws import NEEDS_EMULATOR, client_of, endpoint_of
from botocore.exceptions import ClientError
from full_disk import fill, small_disk
from homes import hang_up

pytestmark = NEEDS_EMULATOR


def test_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", size_mb=64) as disk:
        home = disk / "home"
        monkeypatch.setenv("LAMBDANB_HOME", str(home))
        try:
            told = endpoint_of(home)
            s3, sqs = client_of(told, "s3"), client_of(told, "sqs")
            s3.create_bucket(Bucket="box")
            s3.put_object(Bucket="box", Key="first", Body=b"x")
            with pytest.raises(ClientError, match=f"The disk of {home} is full"):
                s3.put_object(Bucket="box", Key="too-big", Body=b"x" * 40_000_000)
            ballast = fill(disk)
            with pytest.raises(ClientError, match=f"The disk of {home} is full"):
                s3.put_object(Bucket="box", Key="second", Body=b"x")
            assert s3.get_object(Bucket="box", Key="first")["Body"].read() == b"x"
            url = sqs.create_queue(QueueName="q")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="in memory")
            ballast.unlink()
            s3.put_object(Bucket="box", Key="second", Body=b"x")
            hang_up(home)
            told = endpoint_of(home)
            assert client_of(told, "sqs").receive_message(QueueUrl=url)["Messages"]
            assert len(client_of(told, "s3").list_objects_v2(Bucket="box")["Contents"]) == 2
        finally:
            hang_up(home)
