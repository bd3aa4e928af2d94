"""A publisher to a log directory: `DIR/TOPIC/WRITER-N.jsonl`, appended to.

Every publisher creates its own files (exclusively, numbered upward), also after a fork, so that no
line is ever joined to an unfinished line of another writer. One record is one `write`. A record
counts as published when `flush` has returned: then it is on the disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from .layout import WRITER_PATTERN, file_name, parse_file_name, to_line

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
NAME_ATTEMPTS_MAX: Final = 1000
FILE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750


class _Open(msgspec.Struct):
    file: int
    number: int
    size: int = 0
    is_dirty: bool = False


class LogDirPublisher:
    """Appends records for one writer.

    Parameters
    ----------
    writer
        Letters, digits, `.`, `_`, `-`; should identify the writer, such as `monitor` or `agent-7`.
    file_bytes_max
        A file that would grow beyond this is closed and the next one begun.

    Raises
    ------
    ValueError
        The writer's name is not valid.
    """

    def __init__(
        self, directory: Path | str, writer: str, *, file_bytes_max: int = FILE_BYTES_MAX
    ) -> None:
        if WRITER_PATTERN.match(writer) is None:
            raise ValueError(f"`{writer[:100]!a}` is not a valid name of a writer")
        self._directory = Path(directory)
        self._writer = writer
        self._file_bytes_max = file_bytes_max
        self._open: dict[str, _Open] = {}
        self._pid = os.getpid()

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        """Append one record.

        Raises
        ------
        OSError
            It could not be written completely; the written part stays unfinished for ever.
        ValueError
            The value is not a single line (see `to_line`).
        """
        line = to_line(topic, key, value, headers)
        self._after_fork()
        current = self._open.get(topic)
        if current is not None and current.size and current.size + len(line) > self._file_bytes_max:
            self._finish(topic)
            current = None
        if current is None:
            current = self._begin(topic)
        written = os.write(current.file, line)
        current.size += written
        current.is_dirty = True
        if written != len(line):
            # A full disk: the torn line must never be completed by the next record.
            self._finish(topic)
            raise OSError(f"`{topic}`: only {written} of {len(line)} bytes could be written")

    def end(self, topic: str) -> tuple[int, int] | None:
        """The number of the file that is written to, and its size; None if none is open."""
        current = self._open.get(topic)
        return None if current is None else (current.number, current.size)

    def flush(self, timeout_s: float) -> None:
        """Return when all is on the disk (however long the disk takes)."""
        self._after_fork()
        for current in self._open.values():
            if current.is_dirty:
                os.fsync(current.file)
                current.is_dirty = False

    def close(self) -> None:
        self._after_fork()
        for topic in list(self._open):
            self._finish(topic)

    def _begin(self, topic: str) -> _Open:
        folder = self._directory / topic
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        number = 1 + max(_numbers(folder, self._writer), default=0)
        for attempt in range(number, number + NAME_ATTEMPTS_MAX):
            path = folder / file_name(self._writer, attempt)
            if parse_file_name(path.name) is None:
                # Another writer took the last number that readers know. An error without a record
                # is better than a record in a file that is never read.
                break
            try:
                file = os.open(path, flags, FILE_MODE)
            except FileExistsError:
                continue
            _sync_folder(folder)
            self._open[topic] = _Open(file, attempt)
            return self._open[topic]
        raise OSError(f"`{folder}`: no free file name for `{self._writer}`")

    def _finish(self, topic: str) -> None:
        current = self._open.pop(topic)
        try:
            if current.is_dirty:
                os.fsync(current.file)
        finally:
            os.close(current.file)

    def _after_fork(self) -> None:
        """A child begins files of its own; its parent's are the parent's to finish."""
        if os.getpid() != self._pid:
            self._pid = os.getpid()
            for current in self._open.values():
                os.close(current.file)
            self._open = {}


def _numbers(folder: Path, writer: str) -> list[int]:
    parsed = [parse_file_name(path.name) for path in folder.iterdir()]
    return [one[1] for one in parsed if one is not None and one[0] == writer]


def _sync_folder(folder: Path) -> None:
    """The new name itself must survive a power cut too."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
