"""Deployment packages: zip files from anywhere, unpacked into the code store with bounds on all that they claim.

A zip may lie about sizes, name paths outside of its folder, hold links, or unpack to far more than it weighs (a zip
bomb). What is written is counted, not what the zip says of itself, and nothing but plain files and folders is made.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lambdanb.code.store import CodeStore, files_below

_PIECE_BYTES = 256 * 1024
_MOST_FILES = 50_000
"""AWS states no number of files. One of a byte costs a disk block and an inode, so some bound has to be."""
_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class BadPackage(ValueError):
    """The zip can't be used; the message says why, in AWS's words where it has some."""


@dataclass(frozen=True)
class Unpacked:
    """A package in the code store: the folder's SHA-256, the bytes of all files, their top-level names."""

    sha256: str
    unzipped_bytes: int
    names: frozenset[str]


def unpack(package: bytes, store: CodeStore, *, unzipped_bytes: int, inside: str = "") -> Unpacked:
    """Put a zip's files into the store, at most `unzipped_bytes` of them together, under a subfolder if `inside` says.

    Nothing of a package that is refused stays. Raises BadPackage, and OSError when the disk won't take it.
    """
    # Before the directory is parsed, which costs half a kilobyte of memory an entry.
    if (files := package.count(_ENTRY)) > _MOST_FILES:
        raise BadPackage(f"The zip has {files:,} files; at most {_MOST_FILES:,} are unpacked here.")
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive, store.aside() as folder:
            written = 0
            entries = [(entry, _checked_path(entry)) for entry in archive.infolist()]
            for entry, path in entries:
                target = folder / inside / path
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                written += _write(archive, entry, target, unzipped_bytes - written, unzipped_bytes)
            if not any(not entry.is_dir() for entry, _ in entries):
                raise BadPackage("Uploaded file must be a non-empty zip")
            names = frozenset(path.parts[0] for _, path in entries)
            return Unpacked(store.adopt(folder), written, names)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadPackage("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadPackage(f"The zip has a file and a folder of the same name: {error.filename}") from error


def _checked_path(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = entry.filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or len(name) > 1024:
        raise BadPackage(f"The zip names a path outside of its own folder: {name[:200]!r}")
    if any(len(part.encode(errors="surrogatepass")) > 255 for part in path.parts):
        raise BadPackage(f"The zip names a file whose name is over 255 bytes: {name[:200]!r}")
    mode = entry.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        raise BadPackage(f"The zip holds something that is no plain file: {name[:200]!r}. Links aren't unpacked here.")
    if entry.flag_bits & 0x1:
        raise BadPackage(f"The zip is encrypted: {name[:200]!r}")
    if entry.compress_type not in _METHODS:
        raise BadPackage(f"The zip is compressed by a method other than deflate: {name[:200]!r}")
    return path


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, room: int, limit: int) -> int:
    written = 0
    with archive.open(entry) as packed, target.open("xb") as file:
        while piece := packed.read(_PIECE_BYTES):
            written += len(piece)
            if written > room:
                raise BadPackage(f"Unzipped size must be smaller than {limit} bytes")
            file.write(piece)
    # Programs in a package stay programs; nobody may write, and everybody may read, as in /var/task.
    target.chmod(0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
    return written


def pack(folder: Path) -> bytes:
    """A code folder as a zip, the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files_below(folder):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if file.stat().st_mode & 0o111 else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return packed.getvalue()
