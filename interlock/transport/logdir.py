"""The transport that appends to files in a log directory."""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .base import Message, Undelivered, Whereabouts

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Chosen: a file that an editor still opens, and a day of a busy agent."""


def new_writer_name() -> str:
    """A name that no other process writes under: host, process id, 64 random bits.

    The process id alone comes again after a restart, and in every container.
    """
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:32] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(8)}"


class LogTransport:
    """Appends to `DIRECTORY/WRITER-N.jsonl`: one record a line, a batch in one write.

    Delivered means handed to the operating system: it survives the agent, not a power cut.
    """

    def __init__(
        self,
        directory: Path,
        writer: str | None = None,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        whereabouts: Whereabouts | None = None,
    ) -> None:
        self._whereabouts = whereabouts or Whereabouts()
        self._directory = directory
        self._writer = writer or new_writer_name()
        self._file_bytes_max = file_bytes_max
        self._file_number = 1
        self._file_size = 0
        self._descriptor: int | None = None
        # The rest of a line that was begun and not finished (full disk). It must come next in this
        # file, or two records would share one line.
        self._unfinished = b""

    def send(self, batch: Sequence[Message]) -> None:
        """Write the unfinished rest, then the batch; `Undelivered` lists the events that did not
        begin.
        """
        try:
            descriptor = self._open()
            self._unfinished = self._write(descriptor, self._unfinished)
        except OSError as error:
            raise Undelivered(_reason(error), range(len(batch))) from error
        lines = [message.value + b"\n" for message in batch]
        written = 0
        try:
            rest = b"".join(lines)
            total = len(rest)
            while rest:
                count = os.write(descriptor, rest)
                written += count
                rest = rest[count:]
        except OSError as error:
            raise self._cut_short(lines, written, error) from error
        finally:
            self._file_size += written
        assert written == total, "all of the batch was written"
        self._rotate_if_full()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def abandon(self) -> None:
        """Close the child's copy of the descriptor: the parent's stays open."""
        self.close()

    def _open(self) -> int:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            # Somebody deleted the file: what is written there now, nobody would read.
            self.close()
            self._file_number += 1
            self._unfinished = b""
        if self._descriptor is None:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            if self._directory.is_symlink():
                raise OSError("the topic's directory is a symbolic link")
            path = self._directory / f"{self._writer}-{self._file_number}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            # Without O_NONBLOCK a planted FIFO would hold the writer for ever.
            descriptor = os.open(path, flags | os.O_NONBLOCK, 0o640)
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                os.close(descriptor)
                raise OSError("the log file is not a regular file")
            self._descriptor = descriptor
            self._file_size = about.st_size
            self._whereabouts.owner = _lasting_owner(about.st_uid)
        return self._descriptor

    def _write(self, descriptor: int, data: bytes) -> bytes:
        """Write `data`; keeps in `_unfinished` what is left if the disk refuses midway."""
        while data:
            count = os.write(descriptor, data)
            self._file_size += count
            data = self._unfinished = data[count:]
        return data

    def _cut_short(self, lines: Sequence[bytes], written: int, error: OSError) -> Undelivered:
        """Lines that were begun count as delivered: the next `send` finishes the torn one."""
        begun = 0
        while begun < len(lines) and written > 0:
            self._unfinished = lines[begun][written:]
            written -= len(lines[begun])
            begun += 1
        return Undelivered(_reason(error), range(begun, len(lines)))

    def _rotate_if_full(self) -> None:
        if self._file_size >= self._file_bytes_max:
            self.close()
            self._file_number += 1


def _lasting_owner(uid: int) -> int | None:
    """The owner of our files as the monitor sees it; None if it may see another.

    In a user namespace, and on a file system that maps users, numbers differ from the outside.
    """
    if uid != os.geteuid():
        return None
    try:
        mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    except OSError:
        return uid  # A system without user namespaces.
    return uid if mapped == ["0", "0", "4294967295"] else None


def _reason(error: OSError) -> str:
    """The error without the path, which may contain the name of a person or a customer."""
    return error.strerror or type(error).__name__
