"""The gate's log: every event that it took in, in its order, before anybody got an answer.

It is a topic of a log directory: `DIR/interlock.gate/gate-NAME-N.jsonl`, one event a line. A
monitor that reads the directory reads the same lines. After a restart the gate reads its own files
from the position of its last checkpoint, and begins a new file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from interlock.limits import RECORD_BYTES_MAX
from monitor.gate.end_mark import EndMark
from monitor.topics import GATE
from monitor.transport.logdir.layout import file_name, parse_file_name
from monitor.transport.logdir.writer import LogDirPublisher

WRITER_PREFIX: Final = "gate-"
_CHUNK_BYTES: Final = 1 << 20


class UnsureError(Exception):
    """A record was written, and may be lost by a power cut: its fate is not known."""


class LogPlace(NamedTuple):
    """The end of what was read or written: a file's number, and the offset in it."""

    number: int = 0
    offset: int = 0


class Log(Protocol):
    """An append-only record; what `append` has written is there after a kill."""

    def append(self, session: str, value: bytes) -> None:
        """Write one record. OSError: it is not there, and later ones do not depend on it."""

    def place(self) -> LogPlace:
        """The end of all that was written."""


class GateLog:
    """The files of one gate, and the mark at their end, in a file of its own. `is_synced`: each
    record is on the disk before `append` returns.
    """

    def __init__(
        self, directory: Path, name: str, mark_file: Path, *, is_synced: bool = False
    ) -> None:
        self._folder = directory / GATE
        self._writer = WRITER_PREFIX + name
        self._publisher = LogDirPublisher(directory, self._writer)
        self._is_synced = is_synced
        self._mark = EndMark(mark_file)

    def append(self, session: str, value: bytes) -> None:
        """Write one record. OSError: it is not there, and later ones do not depend on it;
        UnsureError: it may be there.
        """
        self._publisher.publish(GATE, session, value)
        if self._is_synced:
            try:
                self._publisher.flush(0)
            except OSError as error:
                raise UnsureError(error.strerror or "not synced") from error
        end = self._publisher.end(GATE)
        if end is not None:
            self._mark.write(*end)

    def place(self) -> LogPlace:
        """The end of all that was written."""
        numbers = self._numbers()
        if not numbers:
            return LogPlace()
        path = self._folder / file_name(self._writer, numbers[-1])
        return LogPlace(numbers[-1], path.stat().st_size)

    def read_from(self, place: LogPlace) -> Iterator[tuple[LogPlace, bytes]]:
        """Every complete record behind a place, with its own. A torn last line was never answered:
        it is skipped.

        Raises
        ------
        OSError
            A file that must be there cannot be read: a part of the past would be missing.
        """
        for number in self._numbers():
            if number < place.number:
                continue
            path = self._folder / file_name(self._writer, number)
            for offset, line in _lines(path, place.offset if number == place.number else 0):
                yield LogPlace(number, offset), line

    def has(self, place: LogPlace) -> bool:
        """True if the file of a place is there, and not shorter."""
        if not place.number:
            return True
        path = self._folder / file_name(self._writer, place.number)
        return path.is_file() and path.stat().st_size >= place.offset

    def missing_file(self, place: LogPlace) -> str:
        """The first file that is missing between a place and the end; empty if none is."""
        numbers = set(self._numbers())
        first = max(1, place.number)
        for number in range(first, max(numbers, default=0)):
            if number not in numbers:
                return file_name(self._writer, number)
        return ""

    def marked_end(self) -> LogPlace | None:
        """The end of the last record that was written; None if a power cut may have taken it."""
        mark = self._mark.read()
        if mark is None or not (mark.is_of_this_boot or self._is_synced):
            return None
        return LogPlace(mark.number, mark.offset)

    def file_of(self, place: LogPlace) -> str:
        """The name of the file of a place; of the first one, if there is none yet."""
        return file_name(self._writer, max(1, place.number))

    def close(self) -> None:
        """Flush and let go of the files."""
        self._publisher.close()
        self._mark.close()

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        parsed = (parse_file_name(name) for name in names)
        return sorted(one[1] for one in parsed if one is not None and one[0] == self._writer)


def _lines(path: Path, offset: int) -> Iterator[tuple[int, bytes]]:
    """The complete lines behind an offset, each with its own."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(offset)
        while line := file.readline(RECORD_BYTES_MAX + _CHUNK_BYTES):
            if line.endswith(b"\n"):
                yield offset, line[:-1]
            offset += len(line)
