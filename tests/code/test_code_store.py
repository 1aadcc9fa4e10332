"""Code folders: named by content, whole or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lambdanb.code.store import CodeStore, module_bytes


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    return CodeStore(tmp_path / "code")


def test_a_source_is_kept_under_its_content(store: CodeStore) -> None:
    sha256 = store.put_source(b"def lambda_handler(event, context): ...\n")
    assert store.put_source(b"def lambda_handler(event, context): ...\n") == sha256
    assert store.put_source(b"other") != sha256
    assert (store.path(sha256) / "lambda_function.py").read_bytes().startswith(b"def lambda_handler")
    assert store.read(sha256).startswith(b"def lambda_handler")
    assert store.size_bytes(sha256) == len(store.read(sha256))


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("# coding: latin-1\nx = 'é'\n", "# coding: utf-8\nx = 'é'\n"),
        ("#!/usr/bin/python\n# -*- coding: cp1252 -*-\nx = 'é'", "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nx = 'é'"),
        ("\r\n# vim: fileencoding=ascii :\r\nx = 'é'", "\r\n# vim: fileencoding=utf-8 :\r\nx = 'é'"),
        ("x = 'é'\n# coding: latin-1\n", "x = 'é'\n# coding: latin-1\n"),
        ("\n\n# coding: latin-1\nx = 'é'", "\n\n# coding: latin-1\nx = 'é'"),
        ("# coding: UTF8\nx = 'é'", "# coding: UTF8\nx = 'é'"),
        ("x = 'é'", "x = 'é'"),
    ],
)
def test_a_module_is_read_as_it_was_written(source: str, kept: str) -> None:
    content = module_bytes(source)
    assert content == kept.encode()
    exec(compile(content, "lambda_function.py", "exec"), names := {})
    assert names["x"] == "é"


def test_a_coding_that_there_is_not_is_python_s_to_tell() -> None:
    with pytest.raises(SyntaxError, match="unknown encoding: nonsense"):
        compile(module_bytes("# coding: nonsense\n"), "lambda_function.py", "exec")


def test_files_in_folders(store: CodeStore) -> None:
    sha256 = store.put_files({"app.py": b"1", "lib/deep/x.py": b"22"})
    assert store.read(sha256, "lib/deep/x.py") == b"22"
    assert store.size_bytes(sha256) == 3


def test_names_and_contents_can_not_be_confused(store: CodeStore) -> None:
    shas = {store.put_files(files) for files in ({"a": b"b", "c": b""}, {"a": b"", "c": b"b"}, {"ab": b"", "c": b""})}
    assert len(shas) == 3


@pytest.mark.parametrize("name", ["../x.py", "/etc/passwd", "a/../../x", "", "a\0b"])
def test_a_path_outside_the_task_root_is_refused(store: CodeStore, name: str) -> None:
    with pytest.raises(ValueError, match="task root"):
        store.put_files({name: b""})


def test_the_same_path_twice_is_refused(store: CodeStore) -> None:
    with pytest.raises(ValueError, match="each path once"):
        store.put_files({"a.py": b"1", "./a.py": b"2"})


@pytest.mark.parametrize("sha256", ["../../etc", "", "A" * 64])
def test_only_a_sha256_is_a_name(store: CodeStore, sha256: str) -> None:
    with pytest.raises(ValueError, match="no SHA-256"):
        store.path(sha256)


def test_missing_code_says_what_to_do(store: CodeStore) -> None:
    with pytest.raises(FileNotFoundError, match="deploy the function again"):
        store.path(hashlib.sha256(b"").hexdigest())


def test_a_failed_write_leaves_nothing(store: CodeStore, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="lib"):
        store.put_files({"lib": b"a file", "lib/x.py": b"and a folder of the same name"})
    assert os.listdir(tmp_path / "code") == []


def test_unused_code_is_pruned(store: CodeStore, tmp_path: Path) -> None:
    used, unused = store.put_source(b"used"), store.put_source(b"unused")
    (tmp_path / "code" / ".writing-dead").mkdir()  # of a killed executor
    assert store.prune({used}) == 0, "just written: may be about to be deployed"
    assert store.prune({used}, grace_s=-1) == 2
    assert os.listdir(tmp_path / "code") == [used]
    assert store.put_source(b"unused") == unused
    assert store.read(unused) == b"unused"
