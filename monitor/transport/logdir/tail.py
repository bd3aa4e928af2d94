"""Follows all files of some topics of a log directory: finds, checks and reads them in turn.

Input: a directory with other writers, which may be attackers. Links, pipes and devices are not
opened, and names that no writer of ours uses are refused. Files of one owner beyond `FILES_MAX`
wait until others of that owner are removed. Each of these is reported once by a notice, and its
shard counts as not read. A file that became shorter, or whose read content has changed, is reported
and read from its start.

Files of one writer are read in the order of their numbers, so that rotation keeps its order. Owners
take turns, and so do the files of each. Every bound here applies per owner, so that one user's
files do not delay, hide or silence those of others. No file stays open between two reads.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ..base import Notice, NoticeKind, Stream
from .file_identity import HEAD_BYTES, identity_of, length_of
from .files import entries, opened, refusal
from .layout import LINE_BYTES_MAX, parse_file_name
from .lines import Cursor, Line, is_same_file, read_lines, stands_at_line
from .waits import Waits

FILES_MAX: Final = 4096
"""Per owner. Chosen: about 5 MB of memory for each user with write access."""
TOLD_MAX: Final = 64
"""Notices of one owner's files, until one of them is read (again)."""
READ_BYTES_MAX: Final = 16 * 1024 * 1024
"""The maximum that one read of all files takes, with or without complete lines: huge lines do not
fill the memory, and files of a terabyte without a line (they may occupy no disk) delay nothing."""

LINE_BYTES_GUESS: Final = 512

T = TypeVar("T")


class Followed(msgspec.Struct):
    """One file and how far it was read."""

    stream: Stream
    writer: str
    number: int
    owner: int
    """The user whose file it is (uid)."""
    cursor: Cursor = msgspec.field(default_factory=Cursor)
    inode: tuple[int, int] = (0, 0)
    size: int = 0
    first_size: int = 0
    """The end of its content when the file was found: up to there it is old content."""
    changed_ns: int = 0
    checked_ns: int = -1
    is_placed: bool = False
    is_torn_told: bool = False
    is_closed_to_us: bool = False
    lines_count: int = 0
    identity: str | None = None
    """The identity computed from its beginning, as far as it was read."""
    stored_identity: str | None = None
    """Its identity when its position was stored, until that was checked."""
    readings_count: int = 0
    """How often it was begun anew, since it became shorter or another one."""

    @property
    def is_at_end(self) -> bool:
        """All whole lines were read; an unfinished one is not a record yet."""
        seen = max(self.cursor.line_start, self.cursor.searched_to)
        return self.is_placed and seen >= self.size

    @property
    def is_caught_up(self) -> bool:
        """True if the initial content was read, or is a line that is too long to be valid."""
        cursor = self.cursor
        is_in_no_line = cursor.searched_to - cursor.line_start > LINE_BYTES_MAX
        return self.is_placed and (cursor.line_start >= self.first_size or is_in_no_line)

    @property
    def lag_lines(self) -> int:
        """An estimate, by the mean length of the lines so far."""
        if self.is_at_end:
            return 0
        read = self.cursor.line_start
        mean = read // self.lines_count if self.lines_count else LINE_BYTES_GUESS
        return max(1, (self.size - read) // max(1, mean))


class LogTail:
    """Follows the files of `topics` below `directory`."""

    def __init__(
        self, directory: Path, topics: tuple[str, ...], files_max: int = FILES_MAX
    ) -> None:
        self._directory = directory
        self._topics = topics
        self._files_max = files_max
        self._told: dict[int, set[tuple[Stream, NoticeKind]]] = {}
        self._refused: set[tuple[str, int]] = set()
        self._awaited: dict[Stream, int] = {}
        """Positions of an earlier run, until the next look shows which of their files exist."""
        self._missed: set[Stream] = set()
        self.gone: list[Stream] = []
        """Files that went since this was last taken."""
        self._turn = 0
        self._identities: Mapping[Stream, str] = {}
        self.files: dict[Stream, Followed] = {}
        self.is_moving = False
        """True if the last read made progress in any file, even within an unfinished line."""
        self.waits = Waits()

    def find(self) -> tuple[list[Stream], list[Notice]]:
        """Check the current files; returns the new streams, and the notices."""
        notices: list[Notice] = []
        known: dict[Stream, os.stat_result] = {}
        candidates: dict[int, list[tuple[Stream, os.stat_result]]] = {}
        self._refused = set()
        missing = dict(self._awaited)
        for topic in self._topics:
            for name, status in entries(self._directory / topic):
                stream, owner = Stream(topic, name), status.st_uid
                missing.pop(stream, None)
                why_not = refusal(name, status)
                if why_not:
                    self._refuse(notices, stream, owner, why_not)
                elif stream in self.files:
                    known[stream] = status
                elif len(of := candidates.setdefault(owner, [])) < self._files_max + TOLD_MAX:
                    of.append((stream, status))
        for stream in self.files.keys() - known.keys():
            self._forget(stream, notices)
        self._miss(missing, notices)
        new = self._admit(candidates, notices)
        for stream, status in (*known.items(), *new.items()):
            self._note(self.files[stream], status, notices)
        return sorted(new), notices

    @property
    def unread(self) -> set[tuple[str, int]]:
        """Topics and owners with a file that is there and not read."""
        closed = {(s.topic, f.owner) for s, f in self.files.items() if f.is_closed_to_us}
        return self._refused | closed

    def _admit(
        self,
        candidates: Mapping[int, list[tuple[Stream, os.stat_result]]],
        notices: list[Notice],
    ) -> dict[Stream, os.stat_result]:
        new: dict[Stream, os.stat_result] = {}
        counts = Counter(followed.owner for followed in self.files.values())
        for owner, found in candidates.items():
            for stream, status in sorted(found, key=lambda candidate: candidate[0]):
                if counts[owner] >= self._files_max:
                    detail = (
                        f"its owner already has {self._files_max} files; it waits until one is "
                        "removed"
                    )
                    self._refuse(notices, stream, owner, detail)
                    continue
                counts[owner] += 1
                writer, number = parse_file_name(stream.partition) or ("", 0)
                size = status.st_size
                self.files[stream] = Followed(stream, writer, number, owner, first_size=size)
                new[stream] = status
        for owner, told in self._told.items():
            # A name that is read (again) may be reported again.
            self._told[owner] = {one for one in told if one[0] not in new}
        return new

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        """The identities of files when their positions were stored; for the next `place`."""
        self._identities = identities

    def place(self, positions: Mapping[Stream, int]) -> None:
        """Start the files that were not started yet, at these offsets or at 0."""
        topics = set(self._topics)
        self._awaited = {
            s: offset
            for s, offset in positions.items()
            if s.topic in topics and s not in self.files and s not in self._missed
        }
        for followed in self.files.values():
            if not followed.is_placed:
                followed.cursor.restart(max(0, positions.get(followed.stream, 0)))
                followed.is_placed = True
                if followed.cursor.line_start:
                    followed.stored_identity = self._identities.get(followed.stream)

    def read(self, lines_max: int) -> tuple[list[tuple[Stream, Line]], list[Notice]]:
        """Whole lines of the files that have some, each file in its turn."""
        notices: list[Notice] = []
        lines: list[tuple[Stream, Line]] = []
        for followed in self.files.values():
            if followed.stored_identity is not None:
                self._compare(followed, notices)
        ready: dict[int, list[Followed]] = {}
        for followed in self._ready(notices):
            ready.setdefault(followed.owner, []).append(followed)
        bytes_left = READ_BYTES_MAX
        self._turn += 1
        self.is_moving = False
        owners = _rotated(sorted(ready), self._turn)
        for index, owner in enumerate(owners):
            # What one owner leaves of his share is for those behind him.
            owners_left = len(owners) - index
            lines_share = max(1, (lines_max - len(lines)) // owners_left)
            found, bytes_count = self._read_owner(
                _rotated(ready[owner], self._turn), lines_share, bytes_left // owners_left, notices
            )
            self.waits.read(owner, len(found), bytes_count)
            lines += found
            bytes_left = max(0, bytes_left - bytes_count)
            if len(lines) >= lines_max:
                break
        return lines, notices

    def _read_owner(
        self, ready: list[Followed], lines_max: int, bytes_max: int, notices: list[Notice]
    ) -> tuple[list[tuple[Stream, Line]], int]:
        """Lines of one owner's files, each in turn, at least one chunk; returns the bytes read."""
        lines: list[tuple[Stream, Line]] = []
        share, bytes_count = max(1, lines_max // len(ready)), 0
        for followed in ready:
            if len(lines) >= lines_max or bytes_count > bytes_max:
                break
            before = followed.cursor.bytes_read
            found = self._read_one(followed, min(share, lines_max - len(lines)), notices)
            lines += [(followed.stream, line) for line in found]
            bytes_count += followed.cursor.bytes_read - before
        return lines, bytes_count

    def _ready(self, notices: list[Notice]) -> list[Followed]:
        """Files with something to read: of each writer, none before its earlier ones are read."""
        ready: list[Followed] = []
        before: Followed | None = None
        ordered = sorted(self.files.values(), key=lambda one: (_writer(one), one.number))
        is_blocked = False
        for followed in ordered:
            if before is None or _writer(before) != _writer(followed):
                is_blocked = False
            elif before.is_at_end and before.cursor.line_start < before.size:
                self._tell_torn(before, notices)
            if not is_blocked and followed.is_placed and not followed.is_at_end:
                ready.append(followed)
            is_blocked = is_blocked or not followed.is_at_end
            before = followed
        return ready

    def _compare(self, followed: Followed, notices: list[Notice]) -> None:
        """True if a file is the one of the stored position, even without new content."""
        stored = followed.stored_identity
        assert stored is not None
        with opened(self._folder(followed), followed.stream.partition, followed.inode) as file:
            if file is None:
                return  # `_read_one` reports it; until it can be opened, nothing of it is read.
            followed.stored_identity, followed.identity = None, stored
            length = length_of(stored)
            if length is not None and identity_of(os.pread(file, length, 0)) != stored:
                detail = "its beginning differs from the file that was read"
                self._begin_again(followed, "replaced", detail, notices)

    def _read_one(self, followed: Followed, lines_max: int, notices: list[Notice]) -> list[Line]:
        cursor = followed.cursor
        with opened(self._folder(followed), followed.stream.partition, followed.inode) as file:
            followed.is_closed_to_us = file is None
            if file is None:
                # Reported, and left out of the frontiers: no stream may wait for such a file.
                self._tell(
                    notices, "refused", followed.stream, followed.owner, "it cannot be opened"
                )
                return []
            start = max(cursor.line_start, cursor.searched_to)
            is_fresh = followed.checked_ns < 0
            if is_fresh and not stands_at_line(file, cursor.line_start):
                self._begin_again(followed, "replaced", "no line begins at the position", notices)
            elif followed.checked_ns != followed.changed_ns and not is_same_file(file, cursor):
                self._begin_again(
                    followed, "replaced", "the part that was read no longer exists", notices
                )
            followed.checked_ns = followed.changed_ns
            lines = read_lines(file, cursor, followed.size, lines_max)
            if followed.identity is None or (length_of(followed.identity) or 0) < HEAD_BYTES:
                head = os.pread(file, min(HEAD_BYTES, cursor.line_start), 0)
                followed.identity = identity_of(head)
            self.is_moving |= max(cursor.line_start, cursor.searched_to) > start
        followed.lines_count += len(lines)
        return lines

    def _folder(self, followed: Followed) -> Path:
        return self._directory / followed.stream.topic

    def _note(self, followed: Followed, status: os.stat_result, notices: list[Notice]) -> None:
        inode = (status.st_dev, status.st_ino)
        cursor = followed.cursor
        known = followed.inode
        followed.inode, followed.size = inode, status.st_size
        followed.changed_ns = status.st_mtime_ns
        if not followed.is_placed:
            return
        if known not in ((0, 0), inode):
            self._begin_again(followed, "replaced", "it is now a different file", notices)
        elif status.st_size < max(cursor.line_start, cursor.searched_to):
            detail = f"the file now has {status.st_size} bytes"
            self._begin_again(followed, "truncated", detail, notices)

    def _begin_again(
        self, followed: Followed, kind: NoticeKind, detail: str, notices: list[Notice]
    ) -> None:
        was = followed.cursor.line_start
        followed.cursor.restart()
        followed.checked_ns = -1
        followed.first_size = 0
        followed.readings_count += 1
        followed.identity = followed.stored_identity = None
        told = f"{detail}; it was read up to byte {was} and is read from its start"
        notices.append(Notice(kind, followed.stream, was, 0, told))

    def _forget(self, stream: Stream, notices: list[Notice]) -> None:
        """A file that retention took, read to its end, goes without a word."""
        followed = self.files.pop(stream)
        self.gone.append(stream)
        if followed.cursor.line_start < followed.size:
            start, size = followed.cursor.line_start, followed.size
            detail = f"it was removed with {size - start} bytes unread"
            notices.append(Notice("removed", stream, start, size, detail))

    def _miss(self, missing: Mapping[Stream, int], notices: list[Notice]) -> None:
        """Files that an earlier run had read and that are gone: one notice a topic."""
        self._awaited = {}
        self._missed |= missing.keys()
        self.gone += missing
        for topic in sorted({stream.topic for stream in missing}):
            first, *others = sorted(stream for stream in missing if stream.topic == topic)
            detail = (
                f"{len(others) + 1} file(s) that were read have been removed since the last run, "
                f"the first read up to byte {missing[first]}; anything written after that was not "
                "read"
            )
            notices.append(Notice("gone", first, missing[first], missing[first], detail))

    def _tell_torn(self, followed: Followed, notices: list[Notice]) -> None:
        if not followed.is_torn_told:
            followed.is_torn_told = True
            start, size = followed.cursor.line_start, followed.size
            detail = (
                f"its writer began another file and left an unfinished line of {size - start} bytes"
            )
            notices.append(Notice("torn", followed.stream, start, size, detail))

    def _refuse(self, notices: list[Notice], stream: Stream, owner: int, detail: str) -> None:
        """It exists and is not read: its shard is known up to the time before it appeared."""
        self._refused.add((stream.topic, owner))
        self._tell(notices, "refused", stream, owner, detail)

    def _tell(
        self, notices: list[Notice], kind: NoticeKind, stream: Stream, owner: int, detail: str
    ) -> None:
        told = self._told.setdefault(owner, set())
        if (stream, kind) not in told and len(told) < TOLD_MAX:
            told.add((stream, kind))
            notices.append(Notice(kind, stream, 0, 0, detail))


def _writer(followed: Followed) -> tuple[str, int, str]:
    """The owners whose files wait for each other: another user's files of the same name delay
    none.
    """
    return followed.stream.topic, followed.owner, followed.writer


def _rotated(items: list[T], by: int) -> list[T]:
    if not items:
        return items
    start = by % len(items)
    return items[start:] + items[:start]
