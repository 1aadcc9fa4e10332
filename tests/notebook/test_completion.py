"""Completion on the magics' lines, as the shell's own completer gives it."""

from __future__ import annotations

from typing import Any

import pytest

ECHO = "def lambda_handler(event, context):\n    return event\n"


def completed(shell: Any, line: str, text: str | None = None) -> list[str]:
    """The completions at the end of `line`, the first line of `text`."""
    from IPython.core.completer import provisionalcompleter

    text = line if text is None else text
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, text.index(line) + len(line)))
    return [each.text for each in found if each.type == "param"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%lambda inv", {"invoke"}),
        ("%lambda help li", {"list", "limits"}),
        ("%%lambda thumbnail --mem", {"--memory"}),
        ("%%lambda thumbnail --memory 512 --t", {"--timeout", "--tmp"}),
        ("%%lambda thu", {"thumbnail", "thumbs"}),
        ("%lambda show thumbn", {"thumbnail"}),
        ("%lambda invoke thumbnail --dr", {"--dry-run"}),
        ("x = %lambda invoke th", {"thumbnail", "thumbs"}),
        ("%%lambda thumbnail --runtime nodejs2", {"nodejs20.x", "nodejs22.x", "nodejs24.x"}),
        ("%lambda configure thumbnail --on-success thumbn", {"thumbnail"}),
        ("%lambda rules prev", {"preview-2014"}),
        ("%lambda nothing th", set()),
    ],
)
def test_choices(run: Any, shell: Any, line: str, expected: set[str]) -> None:
    run(f"%%lambda thumbnail\n{ECHO}")
    run(f"%%lambda thumbs\n{ECHO}")
    assert set(completed(shell, line)) == expected


def test_the_cells_body_is_not_ours(shell: Any) -> None:
    assert completed(shell, "  --mem", "%%lambda thumbnail\n  --mem") == []
    assert completed(shell, "print(--mem") == []
