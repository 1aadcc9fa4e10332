"""A copy of a template's /tmp in the /tmp of an environment that is forked from it (SnapStart).

The environment's own runtime makes it, once it has joined its cgroup, so that the pages are charged where the rest of
its /tmp is. The template's is named by a descriptor, since its environments don't see it any more.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Final

_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE_BYTES: Final = 1 << 30


def copy_tmp(template_fd: int, path: str) -> None:
    """Copy what is in the folder `template_fd` into the folder `path`: files with their modes, times, holes and further
    names, folders, links, FIFOs. Not sockets, nor what its owner may not read, nor what is mounted there. OSError: no
    room.
    """
    opened = [os.open(path, _OPEN_FOLDER)]
    try:
        # Opened anew: where a folder has been read to is shared by all that have inherited one descriptor.
        opened.append(os.open(".", _OPEN_FOLDER, dir_fd=template_fd))
        _copy_folder(opened[1], opened[0], os.fstat(template_fd).st_dev, {}, opened[0])
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _copy_folder(source: int, target: int, device: int, names: dict[int, str], top: int, below: str = "") -> None:
    """names: inode -> name from `top`, the target's, of files that have several."""
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode)
        if status.st_dev != device:
            continue
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(name, 0o600, dir_fd=target)
            os.chmod(name, mode, dir_fd=target)
        elif stat.S_ISDIR(status.st_mode):
            _copy_subfolder(source, target, device, names, top, f"{below}{name}")
            os.chmod(name, mode, dir_fd=target)
            os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target)
        elif stat.S_ISREG(status.st_mode) and status.st_ino in names:
            os.link(names[status.st_ino], name, src_dir_fd=top, dst_dir_fd=target)
        elif stat.S_ISREG(status.st_mode):
            with contextlib.suppress(PermissionError):
                _copy_file(source, target, name, status)
                if status.st_nlink > 1:
                    names[status.st_ino] = f"{below}{name}"


def _copy_subfolder(source: int, target: int, device: int, names: dict[int, str], top: int, path: str) -> None:
    name = os.path.basename(path)
    with contextlib.suppress(FileExistsError):  # something is mounted below it
        os.mkdir(name, 0o700, dir_fd=target)
    opened = []
    try:
        for folder in (source, target):
            opened.append(os.open(name, _OPEN_FOLDER, dir_fd=folder))
        _copy_folder(opened[0], opened[1], device, names, top, f"{path}/")
    except PermissionError:
        pass
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _copy_file(source: int, target: int, name: str, status: os.stat_result) -> None:
    reader = os.open(name, _OPEN, dir_fd=source)
    try:
        writer = os.open(name, _CREATE, 0o600, dir_fd=target)
        try:
            os.ftruncate(writer, status.st_size)
            at = 0
            while (at := _next_data(reader, at)) < status.st_size:
                end = os.lseek(reader, at, os.SEEK_HOLE)
                os.lseek(writer, at, os.SEEK_SET)
                while at < end:
                    at += os.sendfile(writer, reader, at, min(end - at, _PIECE_BYTES))
            os.fchmod(writer, stat.S_IMODE(status.st_mode))
            os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _next_data(descriptor: int, at: int) -> int:
    """Where the next written bytes begin; the end of the file when there are none."""
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError:  # ENXIO
        return os.fstat(descriptor).st_size
