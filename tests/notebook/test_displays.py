"""What functions, invocations and tables look like as a cell's result."""

from __future__ import annotations

import re
from typing import Any

import lambdanb

ATTACK = "<script>alert(1)</script>"
ECHO = "def lambda_handler(event, context):\n    print(event)\n    return event\n"


def shown(shell: Any, value: Any) -> tuple[str, str]:
    """A result as text and as HTML; the HTML is checked to be harmless."""
    data, _ = shell.display_formatter.format(value)
    html = data["text/html"]
    assert "<script" not in html
    assert not re.search(r"(src|href)\s*=|url\(|https?://", html)
    for colour in re.findall(r"color: ([^\";]+)", html):
        assert re.match(r"var\(--jp-[\w-]+, ", colour), colour
    return data["text/plain"], html


def test_a_function(run: Any, shell: Any) -> None:
    function = run(f"%%lambda echo --memory 512 --timeout 9 --tmp 700 --description '{ATTACK}'\n{ECHO}")
    text, html = shown(shell, function)
    for part in ("512 MB", "9 s", "700 MB", "Active", "$LATEST", "arn:aws:lambda:us-east-1", "hard: "):
        assert part in text
        assert part in html
    assert ATTACK in text
    assert "&lt;script&gt;" in html


def test_a_function_in_a_list(run: Any, shell: Any) -> None:
    function = run(f"%%lambda echo\n{ECHO}")
    assert shell.display_formatter.format([function])[0]["text/plain"] == "[<Function echo>]"


def test_a_function_that_is_gone(run: Any, shell: Any) -> None:
    function = run(f"%%lambda echo\n{ECHO}")
    function.delete()
    text, html = shown(shell, function)
    assert text == "<Function echo>"
    assert "not found" in html.lower()


def test_an_invocation(run: Any, shell: Any) -> None:
    function = run(f"%%lambda echo\n{ECHO}")
    text, html = shown(shell, function.invoke({"text": ATTACK}))
    assert '"text"' in text
    assert "&lt;script&gt;" in html
    assert "START RequestId" in html
    assert "billed" in html
    assert "event accepted" in shown(shell, function.invoke(1, "async"))[1]
    assert "dry run" in shown(shell, function.invoke(1, "dry-run"))[1]


def test_a_large_payload_is_cut(run: Any, shell: Any) -> None:
    run("%%lambda large\ndef lambda_handler(event, context):\n    return 'x' * event\n")
    text, html = shown(shell, lambdanb.get("large").invoke(1_000_000))
    assert len(html.split("<details")[0]) < 5_000
    assert "1,000,002 bytes" in text


def test_a_failed_invocation(run: Any, shell: Any) -> None:
    function = run(f"%%lambda fails\ndef lambda_handler(event, context):\n    raise ValueError('{ATTACK}')\n")
    text, html = shown(shell, function.invoke())
    for part in (text, html):
        assert "Cell In[" in part
        assert "ValueError" in part
    assert "----> 3" in text


def test_tables(run: Any, shell: Any) -> None:
    run(f"%%lambda echo\n{ECHO}")
    text, html = shown(shell, run("%lambda list"))
    assert "echo" in text
    assert "<th" in html
    text, html = shown(shell, run("%lambda limits"))
    assert "memory" in text
    assert html.count("<tr") > 6


def test_a_figure_without_pyplot(shell: Any) -> None:
    from matplotlib.figure import Figure

    assert shell.display_formatter.format(Figure())[0]["image/png"].startswith(b"\x89PNG")
