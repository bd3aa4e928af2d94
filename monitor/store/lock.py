"""One monitor at a time on a state directory: a lock that dies with its process.

The lock is the kernel's (`flock`), not the file's presence: a killed monitor leaves none behind.
The file holds the process id of its owner, for people. Network file systems may not honour it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from invariants.model.errors import ConfigError

LOCK_FILE: Final = "lock"
DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Random at each start of the machine. Source: random(4)."""


class StateLock:
    """The lock of a state directory, held until `release` or the end of the process.

    The directory is created if it is missing.

    Raises
    ------
    ConfigError
        Another process holds it (the message names it), or the directory is unusable.
    """

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / LOCK_FILE
        self._descriptor: int | None = self._take()

    def _take(self) -> int:
        directory = self._path.parent
        try:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, FILE_MODE)
        except OSError as error:
            raise ConfigError(
                f"`state_dir`: `{directory}` cannot be used: {error.strerror}; "
                "name a directory that the monitor may write to"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = self._refusal(descriptor, error)
            os.close(descriptor)
            raise ConfigError(message) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _refusal(self, descriptor: int, error: OSError) -> str:
        directory = self._path.parent
        if not isinstance(error, BlockingIOError):
            return f"`state_dir`: `{directory}` cannot be locked: {error.strerror}"
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        name = f"process {owner}" if owner.isdigit() else "another process"
        return (
            f"`state_dir`: `{directory}` is in use by a running monitor ({name}); "
            "stop that monitor, or use another directory for this one"
        )

    @property
    def place(self) -> str:
        """Identifies the directory while its machine runs; empty if that is not known.

        A copy of the directory has another place. So has the directory after a restart of the
        machine.
        """
        assert self._descriptor is not None, "the directory is still locked"
        try:
            boot = BOOT_ID.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        found = os.fstat(self._descriptor)
        return f"{boot}/{found.st_dev}/{found.st_ino}"

    def release(self) -> None:
        """Give the directory free. Safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
