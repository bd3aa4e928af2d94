"""The door through which evidence is written for people: a file that only its owner can read.

Reports and recordings contain the data and actions of agents. So their files are created with mode
0600, never through a link or in a file that another user has placed there. A complete file replaces
an old one in one step. A device or a pipe (`/dev/stdout`) is written to directly.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from invariants.model.errors import ConfigError

FILE_MODE: Final = 0o600
_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def write_evidence(path: Path, content: bytes) -> None:
    """Write a whole file in place of an existing one, or change nothing.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        if _is_device(path):
            with path.open("wb") as device:
                device.write(content)
            return
        # It has mode 0600, under a name that other users cannot predict.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {error.strerror}") from None


def create_evidence(path: Path, *, is_replacing: bool) -> IO[bytes]:
    """A new file that is written in pieces.

    Raises
    ------
    ConfigError
        It exists already and `is_replacing` is false, or it cannot be created.
    """
    try:
        if is_replacing and _is_device(path):
            return path.open("wb")
        if is_replacing:
            path.unlink(missing_ok=True)
        return os.fdopen(os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb")
    except FileExistsError:
        raise ConfigError(f"`{path}` already exists; use another name, or `--force`") from None
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {error.strerror}") from None


def _is_device(path: Path) -> bool:
    """True for a device or a pipe that the user or the system named: never through a link of
    another user.
    """
    try:
        about, link = path.stat(), path.lstat()
    except OSError:
        return False
    if stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode):
        return False
    return link.st_uid in (0, os.geteuid())
