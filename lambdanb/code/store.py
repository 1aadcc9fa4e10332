"""Where functions' code lies: one folder per content, named by the content's SHA-256, never changed once it is there.

The same cell deployed twice, or published as a version, is one folder. An environment sees its folder read-only as
`/var/task`. A folder appears whole or not at all (it is written aside, then renamed), so an executor that is killed
while it writes leaves nothing that looks like code.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

SOURCE_FILE = "lambda_function.py"
"""The module that AWS's default handler, `lambda_function.lambda_handler`, names."""

_CODING = re.compile(r"([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)
_BLANK = re.compile(r"\s*(#|$)")
_ASIDE = ".writing-"
_GRACE_S = 60.0
_PIECE_BYTES = 1024 * 1024


def module_bytes(source: str) -> bytes:
    """A module's text as a file, in UTF-8. Python would read it by the coding that its first or second line names
    (PEP 263), so that line names UTF-8 instead, unless it names no coding at all.
    """
    lines = source.split("\n", 2)
    for number, line in enumerate(lines[:2]):
        if named := _CODING.match(line):
            with contextlib.suppress(LookupError):  # Python will say so, with the line
                if codecs.lookup(named[2]).name != "utf-8":
                    lines[number] = f"{named[1]}utf-8{line[named.end() :]}"
            break
        if not _BLANK.match(line):
            break
    return "\n".join(lines).encode("utf-8", "surrogatepass")


class CodeStore:
    """The code folders under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put_source(self, source: bytes, file_name: str = SOURCE_FILE) -> str:
        """Keep a module of one file. Returns its SHA-256 (hex), the name that `path` takes."""
        return self.put_files({file_name: source})

    def put_files(self, files: Mapping[str, bytes]) -> str:
        """Keep files by their paths relative to the task root. Returns the SHA-256 (hex) of all names and contents.

        Raises ValueError for a path that isn't inside the task root, and OSError when the disk won't take them; then
        nothing is kept.
        """
        names = {_inside(name): content for name, content in files.items()}
        if len(names) != len(files) or not names:
            raise ValueError("code must have at least one file, and each path once")
        sha256 = _digest((name, len(content), [content]) for name, content in sorted(names.items()))
        if self._has(sha256):
            return sha256
        with self.aside() as folder:
            for name, content in names.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            return self._adopt(folder, sha256)

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """An empty folder to fill with files and hand to `adopt`; it is removed if that doesn't happen."""
        folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self._directory))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, folder: Path) -> str:
        """Keep a filled folder of `aside`: the SHA-256 that `put_files` would give for its files, read piece by piece.

        Raises ValueError when it holds no file.
        """
        files = files_below(folder)
        if not files:
            raise ValueError("code must have at least one file")
        sha256 = _digest((name, file.stat().st_size, _pieces(file)) for name, file in files)
        return sha256 if self._has(sha256) else self._adopt(folder, sha256)

    def _has(self, sha256: str) -> bool:
        final = self._directory / sha256
        if final.is_dir():
            # Used again: the grace of `prune` starts anew.
            os.utime(final)
            return True
        return False

    def _adopt(self, folder: Path, sha256: str) -> str:
        # A function may run as another user in its environment; the store's own folder is 0700.
        folder.chmod(0o755)
        try:
            folder.rename(self._directory / sha256)
        except OSError:
            if not self._has(sha256):  # else another process was first with the same content
                raise
        return sha256

    def path(self, sha256: str) -> Path:
        """The folder of this content. Raises FileNotFoundError when there is none (any more)."""
        folder = self._directory / _checked(sha256)
        if not folder.is_dir():
            raise FileNotFoundError(f"no code {sha256} in {self._directory}: deploy the function again")
        return folder

    def read(self, sha256: str, file_name: str = SOURCE_FILE) -> bytes:
        """One file's content, e.g. the cell's source for a traceback. Raises FileNotFoundError."""
        return (self.path(sha256) / _inside(file_name)).read_bytes()

    def size_bytes(self, sha256: str) -> int:
        """The sum of the files' sizes (AWS's limit: 250 MB unzipped). Raises FileNotFoundError."""
        return sum(file.stat().st_size for _, file in files_below(self.path(sha256)))

    def prune(self, used: Collection[str], *, grace_s: float = _GRACE_S) -> int:
        """Remove the code that isn't in `used` (SHA-256s of the registry's versions and of living environments).

        What is younger than `grace_s` stays, since it may be about to be deployed. Returns how many folders went.
        """
        removed = 0
        oldest_kept_s = time.time() - grace_s
        for folder in self._directory.iterdir():
            if folder.name in used or folder.stat().st_mtime > oldest_kept_s:
                continue
            # Aside first: a folder half removed must not be found by its name.
            aside = folder
            if not folder.name.startswith(_ASIDE):
                aside = self._directory / f"{_ASIDE}{folder.name}"
                folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
            removed += 1
        return removed


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """The files of a code folder, by their paths relative to it, in the order of these."""
    return sorted((str(file.relative_to(folder)), file) for file in folder.rglob("*") if file.is_file())


def _digest(files: Iterable[tuple[str, int, Iterable[bytes]]]) -> str:
    """Of names and contents with their lengths, in the order of names, so that no two sets of files give the same."""
    whole = hashlib.sha256()
    for name, size, content in files:
        encoded = name.encode()
        whole.update(b"%d %s %d " % (len(encoded), encoded, size))
        for piece in content:
            whole.update(piece)
    return whole.hexdigest()


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise ValueError(f"{name!r} is no path inside the function's task root")
    return str(path)


def _checked(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"{sha256!r} is no SHA-256 in hex")
    return sha256
