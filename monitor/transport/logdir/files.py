"""The files of a topic in a log directory, checked and opened safely in the presence of attackers.

A user with write access can put links, pipes and devices next to the files, or replace them at any
time. Only an ordinary file is opened, and only if it is the one that was checked.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .layout import parse_file_name


def refusal(name: str, status: os.stat_result) -> str:
    if parse_file_name(name) is None:
        return "its name is not WRITER-N.jsonl"
    if not stat.S_ISREG(status.st_mode):
        return "it is not an ordinary file (links, pipes and devices are not opened)"
    return ""


def entries(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names with our suffix, with their status; empty if the directory does not exist.

    The directory itself must not be a link either: a user with write access next to it could point
    it to the files of another user.
    """
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".jsonl"):
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.name, entry.stat(follow_symlinks=False)
    finally:
        os.close(folder)


@contextlib.contextmanager
def opened(directory: Path, name: str, inode: tuple[int, int]) -> Iterator[int | None]:
    """The file, open for reading; None if it is not the one that was checked."""
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    # O_NONBLOCK: a pipe that was put there in the meantime must not block the open.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=folder)
    except OSError:
        os.close(folder)
        yield None
        return
    try:
        status = os.fstat(file)
        is_it = stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) == inode
        yield file if is_it else None
    finally:
        os.close(file)
        os.close(folder)
