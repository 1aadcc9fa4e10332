"""Checkpoints outlive the process, and move with their windows or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdanb.model.database import StoreUnusable
from lambdanb.sources.checkpoints import Checkpoint, Checkpoints, Window


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Checkpoints]:
    made = Checkpoints(tmp_path / "checkpoints.db")
    yield made
    made.close()


def test_they_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    store = Checkpoints(path)
    store.begin("m", [Checkpoint("s1", "TRIM_HORIZON"), Checkpoint("s2", "AT_TIMESTAMP", 12.5)])
    big = 49590338271490256608559692538361571095921575989136588898
    store.move("m", "s1", str(big), [big, 7], {1: Window(60, b'{"n":1}')})
    store.end("m", "s2")
    store.close()
    again = Checkpoints(path)
    found = again.of("m")
    again.close()
    assert found["s1"] == Checkpoint("s1", "TRIM_HORIZON", 0.0, str(big), [big, 7], False, {1: Window(60, b'{"n":1}')})
    assert found["s2"] == Checkpoint("s2", "AT_TIMESTAMP", 12.5, ended=True)


def test_beginning_again_changes_nothing(store: Checkpoints) -> None:
    store.begin("m", [Checkpoint("s", "TRIM_HORIZON")])
    store.move("m", "s", "5", [5])
    store.begin("m", [Checkpoint("s", "AT_TIMESTAMP", 9.0)])
    assert store.of("m")["s"].position == "5"
    assert store.of("m")["s"].start == "TRIM_HORIZON"


def test_a_closed_window_is_gone(store: Checkpoints) -> None:
    store.begin("m", [Checkpoint("s", "TRIM_HORIZON")])
    store.move("m", "s", "5", [5], {0: Window(0, b"{}")})
    store.move("m", "s", "5", [5], {0: None})
    assert store.of("m")["s"].windows == {}


def test_what_is_forgotten_is_gone(store: Checkpoints) -> None:
    for mapping in ("a", "b", "c"):
        store.begin(mapping, [Checkpoint("s1", "TRIM_HORIZON"), Checkpoint("s2", "TRIM_HORIZON")])
    store.forget("a", ["s1"])
    assert list(store.of("a")) == ["s2"]
    store.forget("b")
    assert store.of("b") == {}
    store.keep_only(["a"])
    assert store.of("c") == {}
    assert list(store.of("a")) == ["s2"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnusable, match=r"checkpoints\.db"):
        Checkpoints(path)
