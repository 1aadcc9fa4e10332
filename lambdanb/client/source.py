"""A function's source as it is given: a text, or the path of a file."""

from __future__ import annotations

from pathlib import Path


def source_text(source: object) -> str:
    """The source's text. Raises TypeError for what is neither a text nor a path, ValueError for what is no source."""
    if isinstance(source, Path):
        try:
            source = source.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} is not UTF-8: {error}. Save it as UTF-8.") from None
    if not isinstance(source, str):
        raise TypeError(
            f"The source is {source!r:.60}, of type {type(source).__name__}: give the module's code as a text (str), "
            "or its file as a pathlib.Path."
        )
    place = source.find("\0")
    if place >= 0:
        line = source.count("\n", 0, place) + 1
        raise ValueError(f"The source has a null byte in line {line}, which no source may have: take it out.")
    return source
