"""How progress looks where: a line on a terminal, a bar in a notebook, nothing in a file."""

from __future__ import annotations

import sys

import pytest

from lambdanb.client import progress
from lambdanb.client.progress import Progress


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_APPEARS_S", 0.0)
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)


def test_a_terminal_has_a_line_that_goes_away(
    at_once: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = Progress("echo")
    shown.show(0.5, "500 of 1,000 requests sent, 499 answered")
    assert "500 of 1,000 requests sent, 499 answered" in capsys.readouterr().err
    shown.close()
    assert capsys.readouterr().err == "\r\x1b[K"


def test_a_file_has_nothing(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress("echo")
    shown.show(0.5, "500 of 1,000 requests sent, 499 answered")
    shown.close()
    assert capsys.readouterr().err == ""


def test_the_first_two_seconds_have_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    Progress("echo").show(0.5, "500 of 1,000 requests sent, 499 answered")
    assert capsys.readouterr().err == ""


def test_a_notebook_has_a_bar(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    shown = Progress("echo")
    shown.show(0.5, "500 of 1,000 requests sent, 499 answered")
    bar, told = shown._bar.children
    assert bar.value == 500
    assert told.value == "500 of 1,000 requests sent, 499 answered"
    shown.show(2.0, "all answered")
    assert bar.value == bar.max == 1000
    shown.close()
    assert shown._bar is None
