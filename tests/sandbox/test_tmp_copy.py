"""A template's /tmp in its environments: the same files, whatever they are."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lambdanb.sandbox.tmp_copy import copy_tmp


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    (folder / "deep" / "deeper").mkdir(parents=True)
    return folder


def copied(template: Path) -> Path:
    target = template.parent / "copy"
    target.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    descriptor = os.open(template, os.O_RDONLY)
    copy_tmp(descriptor, str(target))
    os.close(descriptor)
    assert len(os.listdir("/proc/self/fd")) == before
    return target


def test_files_keep_content_mode_times_and_names(template: Path) -> None:
    file = template / "deep" / "deeper" / "file"
    file.write_bytes(os.urandom(300_000))
    os.link(file, template / "again")
    file.chmod(0o751)
    os.utime(file, ns=(1_000_000_007, 2_000_000_009))
    os.utime(template / "deep", ns=(3, 4))
    (template / "deep").chmod(0o500)
    target = copied(template)
    (template / "deep").chmod(0o700)
    copy = target / "deep" / "deeper" / "file"
    assert copy.read_bytes() == file.read_bytes()
    status = copy.stat()
    assert (status.st_mtime_ns, stat.S_IMODE(status.st_mode), status.st_nlink) == (2_000_000_009, 0o751, 2)
    assert (target / "again").samefile(copy)
    assert stat.S_IMODE((target / "deep").stat().st_mode) == 0o500
    assert (target / "deep").stat().st_mtime_ns == 4
    (target / "deep").chmod(0o700)


def test_a_hole_stays_a_hole(template: Path) -> None:
    with (template / "sparse").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"x" * 10)
        file.truncate(100 << 20)
    copy = copied(template) / "sparse"
    assert copy.stat().st_size == 100 << 20
    assert copy.stat().st_blocks * 512 < 1 << 20
    with copy.open("rb") as file:
        file.seek(50 << 20)
        assert file.read(12) == b"x" * 10 + b"\0\0"


def test_links_and_fifos_and_what_can_t_be_copied(template: Path) -> None:
    (template / "link").symlink_to("/nowhere")
    os.mkfifo(template / "fifo", 0o640)
    (template / "empty").touch()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(template / "socket"))
    unreadable = template / "unreadable"
    unreadable.touch(mode=0)
    target = copied(template)
    listener.close()
    assert os.readlink(target / "link") == "/nowhere"
    assert stat.S_ISFIFO((target / "fifo").stat().st_mode)
    expected = {"deep", "empty", "fifo", "link"} | ({"unreadable"} if os.access(unreadable, os.R_OK) else set())
    assert {each.name for each in target.iterdir()} == expected
