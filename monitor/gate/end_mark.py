"""A mark of how far a gate's log was written: one small file, overwritten after each record.

It survives a kill, as the log does, and shows at the next start that records were cut off. A power
cut may lose records of a log that is not synced, and keep the mark: so the mark names the boot of
the machine, and counts for another one only if the log is synced.
"""

from __future__ import annotations

import contextlib
import os
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
FILE_MODE: Final = 0o600
_MARK: Final = struct.Struct("<QQ16s")
"""The number of a file of the log, the offset in it, and the boot."""


class Mark(NamedTuple):
    """The end of the log as of the last record; `is_of_this_boot`: no power cut came behind it."""

    number: int
    offset: int
    is_of_this_boot: bool


class EndMark:
    """The mark in one file, which is made if it is not there."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, FILE_MODE)
        self._boot = _boot()

    def read(self) -> Mark | None:
        """The mark; None if nothing was written yet."""
        data = os.pread(self._file, _MARK.size, 0)
        if len(data) != _MARK.size:
            return None
        number, offset, boot = _MARK.unpack(data)
        return Mark(number, offset, boot == self._boot)

    def write(self, number: int, offset: int) -> None:
        """Move the mark. The log is the truth: an old mark finds less, and says nothing wrong."""
        with contextlib.suppress(OSError):
            os.pwrite(self._file, _MARK.pack(number, offset, self._boot), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _boot() -> bytes:
    """The boot of this machine; without a name of it, each start counts as another boot."""
    try:
        name = BOOT_FILE.read_bytes()
    except OSError:
        name = os.urandom(16)
    return blake2b(name, digest_size=16).digest()
