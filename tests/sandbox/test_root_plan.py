"""The allow-list of paths: what may be asked for, what is refused with a reason, how links and nesting come out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lambdanb.sandbox.root import plan_root, visible_paths


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "people" / "ada"
    for name in (".aws", ".aws/sso", "project/src", "lib"):
        (home / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def test_home_and_what_shows_it_are_refused(home: Path) -> None:
    asked = [home, home.parent, home / ".aws", home / ".aws" / "sso", home / "project", Path("/")]
    paths, skipped = visible_paths([str(path) for path in asked])
    assert str(home / "project") in paths
    reasons = dict(skipped)
    assert set(reasons) == {str(path) for path in asked} - {str(home / "project")}
    assert reasons[str(home.parent)] == f"{home} lies in it"
    assert reasons["/"] == "it is the root of the file system"


def test_credentials_that_variables_name_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = home.parent / "vault"
    secrets.mkdir()
    (secrets / "credentials").write_text("secret")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(secrets / "credentials"))
    paths, skipped = visible_paths([str(secrets)])
    assert str(secrets) not in paths
    assert dict(skipped)[str(secrets)] == f"{secrets}/credentials lies in it"


def test_a_link_to_a_private_folder_is_refused(home: Path) -> None:
    link = home.parent / "harmless"
    link.symlink_to(home / ".aws")
    paths, skipped = visible_paths([str(link)])
    assert str(home / ".aws") in dict(skipped)
    assert not any(path.startswith(str(home)) for path in paths)


def test_inner_paths_fold_into_outer_ones_and_missing_ones_vanish(home: Path) -> None:
    asked = [home / "project" / "src", home / "project", home / "lib" / "missing", Path("relative")]
    paths, skipped = visible_paths([str(path) for path in asked])
    assert skipped == []
    assert [path for path in paths if path.startswith(str(home))] == [str(home / "project")]


def test_the_interpreter_is_always_there() -> None:
    paths, _ = visible_paths([])
    for needed in (sys.prefix, sys.base_prefix, "/usr", "/etc/passwd"):
        assert any(needed == path or needed.startswith(path + "/") for path in paths)
    assert "/etc/shadow" not in paths
    plan = plan_root(paths)
    assert plan["at"] in plan["folders"]
    made = {"/"}
    for folder in plan["folders"]:  # parents first
        assert str(Path(folder).parent) in made
        made.add(folder)
    assert {str(Path(path).parent) for path in plan["files"]} <= made
