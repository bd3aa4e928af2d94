"""The door through which `interlock init` writes: new files below one folder, and nothing else.

A file that is there is never changed. A new one appears as a whole or not at all. No link is
followed below the folder, so that nothing is written outside of it: its contents may have come with
a foreign repository.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

State = Literal["missing", "written", "same", "differs", "refused"]
READ_BYTES_MAX: Final = 1 << 20
FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_MODE: Final = 0o644
FOLDER_MODE: Final = 0o755


class Outcome(msgspec.Struct, frozen=True):
    """The state of one file; `text` is its content if it differs, or the reason of a refusal."""

    path: str
    state: State
    text: str = ""


def look(folder: Path, path: str, wanted: str) -> Outcome:
    """Compare a file with the text that it should have; nothing is written."""
    try:
        with _parent(folder, path, creates=False) as (parent, name):
            return _compared(parent, name, path, wanted)
    except FileNotFoundError:
        return Outcome(path, "missing")
    except OSError as error:
        return Outcome(path, "refused", _reason(error))


def write(folder: Path, path: str, wanted: str) -> Outcome:
    """Write a file if there is none at its path, and the folders that it needs."""
    found = look(folder, path, wanted)
    if found.state != "missing":
        return found
    try:
        with _parent(folder, path, creates=True) as (parent, name):
            _make(parent, name, wanted.encode())
    except FileExistsError:
        return look(folder, path, wanted)  # Another process was first.
    except OSError as error:
        return Outcome(path, "refused", _reason(error))
    return Outcome(path, "written")


@contextmanager
def _parent(folder: Path, path: str, *, creates: bool) -> Iterator[tuple[int, str]]:
    """The folder that contains the file, opened without following a link, and the file's name."""
    *folders, name = PurePosixPath(path).parts
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            if creates:
                with suppress(FileExistsError):
                    os.mkdir(part, FOLDER_MODE, dir_fd=here)
            inner = os.open(part, FOLDER_FLAGS, dir_fd=here)
            os.close(here)
            here = inner
        yield here, name
    finally:
        os.close(here)


def _compared(parent: int, name: str, path: str, wanted: str) -> Outcome:
    # O_NONBLOCK: a pipe at this place must not block the open.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=parent)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Outcome(path, "refused", "there is something else than an ordinary file")
        content = file.read(READ_BYTES_MAX + 1)
    if content == wanted.encode():
        return Outcome(path, "same")
    return Outcome(path, "differs", content.decode("utf-8", "replace"))


def _make(parent: int, name: str, content: bytes) -> None:
    """A temporary file beside it gets its name in one step, which fails if the name is taken."""
    beside = f".{name}.{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, FILE_MODE, dir_fd=parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.link(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.unlink(beside, dir_fd=parent)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "on the way to it is a link, which is not followed, or a file that is not a folder"
    return error.strerror or type(error).__name__
