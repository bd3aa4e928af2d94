"""The door that control records come in by, and the feed from a log directory.

A feed yields the records of the control topic in the order in which they are to be applied. A
log directory has several writers (the monitor, operators), each with files of its own, and no
order between them but time: see `LogOrder`, which the monitor reads them by as well.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from .control_record import RECORD_BYTES_MAX, ControlRecord, LogOrder, RecordOrder, RecordPlace

CHUNK_BYTES: Final = 1024 * 1024
FILES_MAX: Final = 10_000


class FeedEntry(NamedTuple):
    """One record of the control topic; `value` None is a tombstone."""

    key: str
    value: bytes | None


class FeedReading(NamedTuple):
    """The result of one poll.

    `is_at_end`: everything that was in the topic when the poll began has been returned.
    `is_restart`: the feed starts again from the beginning of the topic, with these entries.
    """

    entries: Sequence[FeedEntry] = ()
    is_at_end: bool = False
    is_restart: bool = False
    unreadable_count: int = 0


class ControlFeed(Protocol):
    """The source of control records. Used by one thread."""

    def poll(self, timeout_s: float) -> FeedReading:
        """New records; waits up to `timeout_s` for one. OSError if the topic is unreachable."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""

    def abandon(self) -> None:
        """In a forked child: forget the parent's files and sockets without disturbing them."""


class _Line(msgspec.Struct, frozen=True):
    key: str
    value: ControlRecord | None = None


@dataclass(slots=True)
class _File:
    """How far one file was read. `tail` is a line without an end yet."""

    identity: tuple[int, int]
    reading: int = 0
    offset: int = 0
    tail: bytes = b""
    is_skipping: bool = False


class LogControlFeed:
    """Follows `DIRECTORY/*.jsonl` by checking sizes every `poll_s`.

    Records are never forgotten: files that disappear, shrink or are replaced change nothing by
    themselves. It waits for the rest of a torn last line. Links are not followed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        poll_s: float,
        sleep: Callable[[float], None] = time.sleep,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._directory = directory
        self._wall_ns = wall_ns
        self._poll_s = poll_s
        self._sleep = sleep
        self._files: dict[str, _File] = {}
        self._order = LogOrder()

    def poll(self, timeout_s: float) -> FeedReading:
        deadline = time.monotonic() + timeout_s
        while True:
            reading = self._read_new()
            if reading.entries or time.monotonic() >= deadline:
                return reading
            self._sleep(self._poll_s)

    def close(self) -> None:
        """Nothing is held open between polls."""

    def abandon(self) -> None:
        """Nothing is held open between polls."""

    def _read_new(self) -> FeedReading:
        found: list[tuple[RecordOrder, FeedEntry]] = []
        unreadable_count = 0
        is_at_end = True
        for name, size, identity in self._listed():
            known = self._files.get(name)
            if known is None or known.identity != identity or size < known.offset:
                readings = 0 if known is None else known.reading + 1
                known = self._files[name] = _File(identity, readings)
            if size == known.offset:
                continue
            try:
                lines = self._new_lines(name, known)
            except OSError:
                # Records of other files are not delayed; only the view's age does not improve.
                is_at_end = False
                continue
            for offset, line in lines:
                entries = self._parsed(name, known.reading, offset, line)
                unreadable_count += entries is None
                found.extend(entries or ())
        found.sort(key=lambda pair: pair[0])
        return FeedReading(
            [entry for order, entry in found if self._order.is_later(entry.key, order)],
            is_at_end=is_at_end,
            unreadable_count=unreadable_count,
        )

    def _listed(self) -> list[tuple[str, int, tuple[int, int]]]:
        """Name, size and identity of every regular file, those of one writer in their order."""
        try:
            if self._directory.is_symlink():
                raise OSError("the control topic's directory is a symbolic link")
            with os.scandir(self._directory) as listing:
                entries = [entry for entry in listing if entry.name.endswith(".jsonl")]
        except FileNotFoundError:
            return []
        if len(entries) > FILES_MAX:
            raise OSError("too many control files")
        listed = []
        for entry in entries:
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(about.st_mode):
                listed.append((entry.name, about.st_size, (about.st_dev, about.st_ino)))
        return sorted(listed, key=lambda item: _writer_and_number(item[0]))

    def _new_lines(self, name: str, known: _File) -> list[tuple[int, bytes]]:
        """Complete lines from the known offset on, each with its start."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._directory / name, flags)
        except FileNotFoundError:
            return []
        lines: list[tuple[int, bytes]] = []
        try:
            about = os.fstat(descriptor)
            if (about.st_dev, about.st_ino) != known.identity:
                return []
            while chunk := os.pread(descriptor, CHUNK_BYTES, known.offset):
                lines.extend(_cut_lines(known, chunk))
        except OSError:
            # The earlier records count as read, so they must be returned; the next poll meets the
            # same failure without records.
            if not lines:
                raise
        finally:
            os.close(descriptor)
        return lines

    def _parsed(
        self, name: str, reading: int, offset: int, line: bytes
    ) -> list[tuple[RecordOrder, FeedEntry]] | None:
        """One record with its order (the record is None for a tombstone); None if it is not
        acceptable.
        """
        try:
            told = msgspec.json.decode(line, type=_Line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        key, record = told.key, told.value
        if record is None:
            return []
        writer, number = _writer_and_number(name)
        order = self._order.of(
            key, record, RecordPlace(writer, reading, number, offset), self._wall_ns()
        )
        return None if order is None else [(order, FeedEntry(key, msgspec.json.encode(record)))]


def _cut_lines(known: _File, chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that `chunk` completes; keeps its torn end, and skips lines that are too long."""
    start = known.offset - len(known.tail)
    known.offset += len(chunk)
    *lines, tail = (known.tail + chunk).split(b"\n")
    for line in lines:
        if known.is_skipping:
            known.is_skipping = False
            yield start, b""
        elif len(line) > RECORD_BYTES_MAX:
            yield start, b""
        elif line.strip():
            yield start, line
        start += len(line) + 1
    if len(tail) > RECORD_BYTES_MAX:
        # Its beginning is dropped, so that a line without an end cannot fill the memory.
        known.is_skipping, tail = True, b""
    known.tail = tail


def _writer_and_number(name: str) -> tuple[str, int]:
    """`WRITER-N.jsonl` -> (WRITER, N); a name of another form is a writer of its own."""
    writer, _, number = name.removesuffix(".jsonl").rpartition("-")
    if writer and number.isascii() and number.isdigit() and len(number) <= 18:
        return writer, int(number)
    return name, 0
