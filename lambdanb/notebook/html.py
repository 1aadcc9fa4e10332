"""Small pieces of HTML for outputs: escaped, without scripts or anything from elsewhere, at home in any theme.

Colours are JupyterLab's own variables, with fall-backs that can be read on light and on dark for where there are none.
Styles are inline: a style sheet in an output would be removed from a notebook that isn't trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from lambdanb.client.tables import Table

RED = "var(--jp-error-color1, #d9534f)"
GREEN = "var(--jp-success-color1, #3c9a4e)"
ORANGE = "var(--jp-warn-color1, #d0831d)"
GREY = "var(--jp-ui-font-color2, #888)"
_BORDER = "1px solid var(--jp-border-color2, #8886)"
_CODE = "font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px)"
_STRENGTHS = {"hard": GREEN, "soft": ORANGE, "not enforced": RED}


def span(text: str, colour: str, *, bold: bool = False) -> str:
    """A text in a colour."""
    weight = "; font-weight: bold" if bold else ""
    return f'<span style="color: {colour}{weight}">{escape(text)}</span>'


def code_block(text: str) -> str:
    """Text as it is, line by line; it scrolls when it is long."""
    style = f"{_CODE}; margin: 4px 0; max-height: 24em; overflow: auto; white-space: pre-wrap"
    return f'<pre style="{style}">{escape(text)}</pre>'


def fold(summary: str, body: str, *, opened: bool = False) -> str:
    """Something to be unfolded. `body` is HTML."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{body}</details>"


def block(parts: Iterable[str]) -> str:
    """Parts, one below the other. They are HTML."""
    return f'<div style="line-height: 1.4">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def table(content: Table) -> str:
    """A table. Words for how strictly a limit is held have a colour besides."""
    parts = [f"<b>{escape(content.title)}</b>"] if content.title else []
    if content.rows:
        head = "".join(_cell("th", header) for header in content.headers) if any(content.headers) else ""
        rows = "".join(f"<tr>{''.join(_cell('td', text) for text in row)}</tr>" for row in content.rows)
        parts.append(
            '<table style="border-collapse: collapse; margin: 4px 0">'
            + (f'<thead><tr style="border-bottom: {_BORDER}">{head}</tr></thead>' if head else "")
            + f"<tbody>{rows}</tbody></table>"
        )
    else:
        parts.append(escape(content.empty))
    parts += [span(note, GREY) for note in content.notes]
    return block(parts)


def _cell(tag: str, text: str) -> str:
    colour = _STRENGTHS.get(text)
    shown = span(text, colour) if colour else escape(text)
    return f'<{tag} style="text-align: left; vertical-align: top; padding: 2px 12px 2px 0">{shown}</{tag}>'
