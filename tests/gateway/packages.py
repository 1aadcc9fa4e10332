"""Deployment packages as tests make them, good and bad."""

from __future__ import annotations

import io
import zipfile

ROLE = "arn:aws:iam::123456789012:role/r"


def zipped(files: dict[str, str | bytes], *, modes: dict[str, int] | None = None) -> bytes:
    """A zip of these files; `modes` gives a file's Unix mode, such as that of a link."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(entry, content)
    return packed.getvalue()
