"""The door by which evidence is written for a person: a file of its owner alone.

Reports and recordings repeat what agents said and did. So their files are made anew with mode
0600, never written through a link or into a file that somebody else has laid there; a file that is
whole takes the place of an old one in one step. A device or a pipe (`/dev/stdout`) is written to
as it is.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from invariants.errors import ConfigError

FILE_MODE: Final = 0o600
_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def write_evidence(path: Path, content: bytes) -> None:
    """Write a whole file in the place of what is there, or change nothing.

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
        # Of mode 0600 by itself, under a name that nobody could foresee.
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
    """A new file to write to piece by piece.

    Raises
    ------
    ConfigError
        Something is there already and `is_replacing` is not said, or it cannot be made.
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
    """Whether a device or a pipe is there, that the user or the system named: never by a link
    of somebody else's.
    """
    try:
        about, link = path.stat(), path.lstat()
    except OSError:
        return False
    if stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode):
        return False
    return link.st_uid in (0, os.geteuid())
