"""Whole lines out of a file that grows: never a torn one, never more memory than was allowed.

Input: an open file and a cursor. Output: lines with their offsets, and the cursor moved on. An
unfinished last line is waited for; while it grows, only its new bytes are looked at.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from .layout import LINE_BYTES_MAX

CHUNK_BYTES: Final = LINE_BYTES_MAX + 65_536
"""One read holds the longest line that is allowed, or many short ones."""

SHARE_BYTES: Final = 16 * 1024
"""Read for each line that is wanted, up to a chunk. Chosen: more than most events have."""

WITNESS_BYTES: Final = 64  # Chosen: longer than the beginning that two events share by habit.


class Line(msgspec.Struct, frozen=True):
    """One line without its newline; `value` is cut to one byte more than is allowed."""

    offset: int
    next_offset: int
    value: bytes


class Cursor(msgspec.Struct):
    """The start of the next line, and the offset up to which no newline was found.

    `head` and `before` are the first bytes of the file and those before `line_start`, as they were
    read: if they differ later, this is another file.
    """

    line_start: int = 0
    searched_to: int = 0
    head: bytes = b""
    before: bytes = b""
    bytes_read: int = 0
    """The bytes read while looking for lines, with or without success."""

    def restart(self, offset: int = 0) -> None:
        self.line_start = self.searched_to = offset
        self.head = self.before = b""


def read_lines(file: int, cursor: Cursor, size: int, lines_max: int) -> list[Line]:
    """Up to `lines_max` whole lines of one chunk; blank lines are skipped.

    Cost: at most three reads of `CHUNK_BYTES`, counted in `cursor.bytes_read`; one of `SHARE_BYTES`
    for each requested line if no long line is being skipped.
    """
    lines: list[Line] = []
    if cursor.searched_to > cursor.line_start:
        _finish_torn(file, cursor, size, lines)
        if cursor.searched_to > cursor.line_start or len(lines) >= lines_max:
            _witness(file, cursor)
            return lines
    wanted = min(CHUNK_BYTES, lines_max * SHARE_BYTES, max(0, size - cursor.line_start))
    data = os.pread(file, wanted, cursor.line_start)
    cursor.bytes_read += len(data)
    place = 0
    while len(lines) < lines_max:
        end = data.find(b"\n", place)
        if end < 0:
            break
        _add(lines, cursor.line_start + place, end + 1 - place, data[place:end])
        place = end + 1
    is_torn = place < len(data) and b"\n" not in data[place:]
    start = cursor.line_start
    cursor.line_start = start + place
    cursor.searched_to = start + len(data) if is_torn else cursor.line_start
    _witness(file, cursor)
    return lines


def is_same_file(file: int, cursor: Cursor) -> bool:
    """True if the bytes that were read still exist (their beginning and their end)."""
    if os.pread(file, len(cursor.head), 0) != cursor.head:
        return False
    start = cursor.line_start - len(cursor.before)
    return os.pread(file, len(cursor.before), start) == cursor.before


def stands_at_line(file: int, offset: int) -> bool:
    """True if a line starts at `offset`."""
    return offset == 0 or os.pread(file, 1, offset - 1) == b"\n"


def _finish_torn(file: int, cursor: Cursor, size: int, lines: list[Line]) -> None:
    data = os.pread(file, min(CHUNK_BYTES, size - cursor.searched_to), cursor.searched_to)
    cursor.bytes_read += len(data)
    end = data.find(b"\n")
    if end < 0:
        cursor.searched_to += len(data)
        return
    newline = cursor.searched_to + end
    length = newline - cursor.line_start
    value = os.pread(file, min(length, LINE_BYTES_MAX + 1), cursor.line_start)
    cursor.bytes_read += len(value)
    _add(lines, cursor.line_start, length + 1, value)
    cursor.line_start = cursor.searched_to = newline + 1


def _add(lines: list[Line], offset: int, length: int, value: bytes) -> None:
    value = value[: LINE_BYTES_MAX + 1]
    if value.strip():
        lines.append(Line(offset, offset + length, value))


def _witness(file: int, cursor: Cursor) -> None:
    if len(cursor.head) < WITNESS_BYTES:
        cursor.head = os.pread(file, min(WITNESS_BYTES, cursor.line_start), 0)
    length = min(WITNESS_BYTES, cursor.line_start)
    cursor.before = os.pread(file, length, cursor.line_start - length)
